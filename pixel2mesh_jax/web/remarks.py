"""Warnings of a job, for whoever pressed the button: nobody reads the server's log."""

import contextlib
import logging
import threading
from collections.abc import Iterator

LOGGER = "pixel2mesh_jax"


@contextlib.contextmanager
def collected() -> Iterator[list[str]]:
    """The texts of warnings that this thread gives within the context."""
    handler = _Collector()
    logger = logging.getLogger(LOGGER)
    logger.addHandler(handler)
    try:
        yield handler.texts
    finally:
        logger.removeHandler(handler)


class _Collector(logging.Handler):
    """Keeps what one thread says."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record):
        if record.thread == self._thread:
            self.texts.append(record.getMessage())
