"""Files that a reader sees complete or not at all."""

import hashlib
import os
import pathlib

from pixel2mesh_jax import file_locks

# Of the name of a file that stand in that of its unfinished version, so that this one
# stays below the usual limit of 255 bytes.
SHOWN_CHARACTERS = 40


def write_atomically(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file under another name beside it, then renames it.

    Missing folders are created. If writing fails, nothing is left behind; what a killed
    process has left is used by the next one that writes this file. When it returns the
    file survives a loss of power.
    """
    path = pathlib.Path(path)
    partial = path.with_name(_partial_name(path.name))
    with file_locks.open_alone(partial, wait=True) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else the name may survive without the content
            os.replace(partial, path)
        except BaseException:
            partial.unlink()
            raise
    flush_to_disk(path.parent)


def _partial_name(name):
    """Of the unfinished file; hidden, the same each time, not longer than allowed."""
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return f".{name[:SHOWN_CHARACTERS]}.{digest[:8]}.partial"


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
