"""A program is compiled once per machine."""

import contextlib
import os
import pathlib
import zlib

import jax

from pixel2mesh_jax.atomic_files import write_atomically

VARIABLE = "JAX_COMPILATION_CACHE_DIR"
FOLDER = pathlib.Path(".cache") / "pixel2mesh_jax"  # in the home of the user
ENTRIES = "*-cache"  # as JAX names them
CHECKED = "checked"  # names of the entries that have been read
ZSTD = b"\x28\xb5\x2f\xfd"  # how entries begin where JAX finds that library


def enable() -> None:
    """Keeps compiled programs, unless the user has said where or that it shall not be.

    `JAX_COMPILATION_CACHE_DIR` (empty: no cache) and `jax.config` come first.
    """
    if VARIABLE not in os.environ and jax.config.jax_compilation_cache_dir is None:
        folder = pathlib.Path.home() / FOLDER
        drop_unfinished(folder)
        jax.config.update("jax_compilation_cache_dir", str(folder))


def drop_unfinished(folder: pathlib.Path) -> None:
    """Removes what a process was writing when it was killed, or the disk was full.

    JAX writes entries in place and never again, so that half a one would end in a
    warning and a compilation for ever. Only entries that nobody has looked at are
    read; those of zstd, which Python has from 3.14 on, are not.
    """
    known = folder / CHECKED
    checked = set(known.read_text().split()) if known.is_file() else set()
    new = {entry.name for entry in folder.glob(ENTRIES)} - checked
    whole = {name for name in new if _keep_whole(folder / name)}
    if whole:
        with contextlib.suppress(OSError):  # a folder that takes no more
            write_atomically(known, "\n".join(sorted(checked | whole)).encode())


def _keep_whole(entry):
    """Whether it can be read; half a one is removed."""
    try:
        if _is_whole(entry.read_bytes()):
            return True
        entry.unlink()
    except OSError:  # of another user, or another process was faster
        pass
    return False


def _is_whole(data):
    if data.startswith(ZSTD):
        return True
    try:
        zlib.decompress(data)
    except zlib.error:
        return False
    return True
