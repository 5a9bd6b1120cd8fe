"""Files that a reader sees complete or not at all."""

import os
import pathlib
import tempfile


def write_atomically(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file under a temporary name beside it, then renames it.

    Missing folders are created. If writing fails, nothing is left behind. When it
    returns the file survives a loss of power.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else the name may survive without the content
            os.chmod(file.name, 0o644)  # temporary files are private
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
    flush_to_disk(path.parent)


def flush_to_disk(path: str | os.PathLike) -> None:
    """Returns when a file, or the list of names of a folder, is on the disk."""
    if os.name == "nt" and os.path.isdir(path):
        return  # Windows does not open folders
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish_folder(finished: pathlib.Path, destination: pathlib.Path) -> None:
    """Gives a finished folder its name, all of its files on the disk before.

    Args:
      finished: on the file system of `destination`.
      destination: must not exist.
    """
    for path in sorted(finished.rglob("*"), reverse=True):
        flush_to_disk(path)
    flush_to_disk(finished)
    destination.parent.mkdir(parents=True, exist_ok=True)
    os.rename(finished, destination)
    flush_to_disk(destination.parent)
