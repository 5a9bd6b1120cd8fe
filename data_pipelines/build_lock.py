"""One build at a time: a lock that the system takes back when its holder dies."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from pixel2mesh_jax.errors import InputError

try:
    import fcntl
except ImportError:  # Windows, which has no array_record to build with either
    fcntl = None


@contextlib.contextmanager
def hold(path: pathlib.Path, what: str) -> Iterator[None]:
    """Holds the lock `path` while the block runs, then removes what it has made.

    Args:
      path: of the lock; its folder is made if it is missing.
      what: is being written, for the message.

    Raises:
      InputError: another process holds it.
    """
    file = _lock(path, what)
    try:
        file.write(str(os.getpid()).encode())
        file.flush()
        yield
    finally:
        path.unlink(missing_ok=True)  # before the lock is given back, see `_lock`
        file.close()
        with contextlib.suppress(OSError):  # not empty: others are at work
            path.parent.rmdir()


def _lock(path, what):
    """The open and locked file that has this name."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("a+b")
        except FileNotFoundError:  # the folder was removed by a build that ended
            continue
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                holder = file.read().decode() or "unknown"
            raise InputError(
                f"{what} is being written by another build (process {holder}); wait "
                "until it has ended, or choose another --data_dir"
            ) from None
        if _is(file, path):
            file.truncate(0)
            return file
        file.close()  # the last holder removed the name after it was opened here


def _is(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
