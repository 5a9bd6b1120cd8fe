"""One process at a time: locks that the system takes back when their holder dies."""

import contextlib
import errno
import os
import pathlib
from collections.abc import Iterator
from typing import BinaryIO

from pixel2mesh_jax.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# What file systems without locks answer.
UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


@contextlib.contextmanager
def hold(path: pathlib.Path, what: str, remedy: str) -> Iterator[None]:
    """Holds the lock `path` while the block runs, then removes what it has made.

    Args:
      path: of the lock; its folder is made if it is missing.
      what: is being written, and by what, for the message.
      remedy: what the user can do instead of waiting.

    Raises:
      InputError: another process holds it.
    """
    try:
        file = open_alone(path)
    except BlockingIOError:
        raise InputError(
            f"{what} (process {_holder(path)}); wait until it has ended, or {remedy}"
        ) from None
    try:
        file.write(str(os.getpid()).encode())
        file.flush()
        yield
    finally:
        path.unlink(missing_ok=True)  # before the lock is given back, see `open_alone`
        file.close()
        with contextlib.suppress(OSError):  # not empty: others are at work
            path.parent.rmdir()


def open_alone(path: pathlib.Path, wait: bool = False) -> BinaryIO:
    """The empty file of this name, which no other process has open in this way.

    Whoever has it may rename or remove it before closing it. On file systems without
    locks nobody is kept off.

    Args:
      path: of the file; its folder is made if it is missing.
      wait: until the others have closed it.

    Raises:
      BlockingIOError: another process has it, and `wait` is not set.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("a+b")
        except FileNotFoundError:  # the folder was removed by a holder that ended
            continue
        try:
            _lock(file, wait)
            if _is(file, path):
                file.truncate(0)
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # the last holder took the name away after it was opened here


def _lock(file, wait):
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def _holder(path):
    """Number of the process that holds a lock, as far as it is known."""
    try:
        return path.read_text(encoding="utf-8") or "unknown"
    except FileNotFoundError:  # it has just ended
        return "unknown"


def _is(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
