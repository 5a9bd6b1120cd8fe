"""A clock that jumps, for programs of their own (Linux; extra `bench`: libfaketime)."""

import contextlib
import importlib.util
import os
import pathlib
import random
import tempfile
import threading
from collections.abc import Iterator

# Seconds between two jumps, and the farthest that they lead from the true time.
PERIOD = 0.2
FARTHEST = 2 * 24 * 3600
LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"
HOW = {
    "FAKETIME_NO_CACHE": "1",  # look at the file for every call
    # What waits for so many seconds has a clock that nobody can set.
    "DONT_FAKE_MONOTONIC": "1",
    "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    "NO_FAKE_STAT": "1",  # files keep the time that they were given
}


@contextlib.contextmanager
def jumping(rng: random.Random) -> Iterator[dict[str, str]]:
    """Environment of programs whose time of day jumps while this is open.

    Args:
      rng: decides how far.

    Raises:
      ModuleNotFoundError: libfaketime is not installed.
    """
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        raise ModuleNotFoundError(
            "A jumping clock needs libfaketime: pip install pixel2mesh-jax[bench]"
        )
    library = pathlib.Path(found.origin).parent / LIBRARY
    with tempfile.TemporaryDirectory() as folder:
        stamp, over = pathlib.Path(folder) / "stamp", threading.Event()
        _jump(stamp, rng)
        jumper = threading.Thread(target=_keep_jumping, args=(stamp, rng, over))
        jumper.start()
        try:
            files = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(stamp)}
            yield HOW | files
        finally:
            over.set()
            jumper.join()


def _keep_jumping(stamp, rng, over):
    while not over.wait(PERIOD):
        _jump(stamp, rng)


def _jump(stamp, rng):
    """Never a file that is half written."""
    unfinished = stamp.with_suffix(".new")
    unfinished.write_text(f"{rng.uniform(-FARTHEST, FARTHEST):+.0f}", encoding="utf-8")
    os.replace(unfinished, stamp)
