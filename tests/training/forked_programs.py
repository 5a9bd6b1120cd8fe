"""Runs the program several times after one import, as a user would start it each time.

    python -m tests.training.forked_programs < arguments.json > results.json

The import takes several times as long as refusing bad input does.
"""

import json
import os
import sys
import tempfile

from pixel2mesh_jax import main


def run(arguments):
    """Exit code, standard output and standard error of one run of the program."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            os._exit(_exit_code(arguments))
        _, status = os.waitpid(child, 0)
        texts = [file.seek(0) or file.read() for file in (output, errors)]
        return os.waitstatus_to_exitcode(status), *texts


def _exit_code(arguments):
    sys.argv = ["pixel2mesh_jax", *arguments]
    try:
        main.run()
    except SystemExit as end:
        return end.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    json.dump([run(arguments) for arguments in json.load(sys.stdin)], sys.stdout)
