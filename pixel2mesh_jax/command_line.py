"""Command lines that say in one line what is wrong with them."""

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Without the usage message that argparse prints above an error."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with code 2."""
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")
