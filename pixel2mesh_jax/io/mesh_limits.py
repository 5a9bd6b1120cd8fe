"""What a mesh file may ask for at most, and what every mesh must be.

Each limit is checked against what a file announces, before memory is taken for it. A
file at these limits takes 1.4 to 2.3 GB and 15 to 21 s to read.
"""

import pathlib

import numpy as np
from jaxtyping import Float, Int, Integer

from pixel2mesh_jax.errors import InputError

# Bytes of a mesh file, and of each file that belongs to it.
MAX_FILE_BYTES = 2**29
# Bytes of text (OBJ, MTL, OFF, PLY as text), whose words take ten times the memory.
MAX_TEXT_BYTES = 2**27
# Triangles and vertices of an object, counted with all of its instances.
MAX_TRIANGLES = 4_000_000
MAX_VERTICES = 12_000_000
# Corners of one polygon; ear clipping takes time with their square.
MAX_POLYGON = 4096
# Pixels of one texture (8192 x 8192), and of all textures of an object together.
MAX_TEXTURE_PIXELS = 2**26
MAX_TEXELS = 2**27
# Values in the JSON of a glTF file; each takes about 100 bytes of memory.
MAX_JSON_VALUES = 2_000_000
# Largest coordinate, in the unit of the file: volumes must not overflow.
MAX_COORDINATE = 1e30
# Folders above that of a mesh file that its textures and materials may lie in: as in
# ShapeNet, whose `models/` and `images/` are neighbours.
FOLDERS_ABOVE = 1


def read_bytes(path: pathlib.Path) -> bytes:
    """Content of a regular file. Raises InputError if it is none, or too large."""
    if not path.is_file():
        raise InputError(f"{path.name}: no such file")
    _check_size(path.stat().st_size, MAX_FILE_BYTES, path.name)
    return path.read_bytes()


def read_text(path: pathlib.Path) -> bytes:
    """As `read_bytes`, of a file of words."""
    if path.is_file():
        _check_size(path.stat().st_size, MAX_TEXT_BYTES, path.name)
    return read_bytes(path)


def check_text(size: int) -> None:
    """Raises InputError if so many bytes of text are too many."""
    _check_size(size, MAX_TEXT_BYTES, "its text")


def _check_size(size, limit, name):
    if size > limit:
        raise InputError(
            f"{name} has {size / 2**20:.0f} MiB; at most {limit // 2**20} MiB are read"
        )


def check_counts(num_vertices: int, num_faces: int) -> None:
    """Raises InputError if an object is too large to be held several times."""
    for count, limit, what in (
        (num_vertices, MAX_VERTICES, "vertices"),
        (num_faces, MAX_TRIANGLES, "triangles"),
    ):
        if count > limit:
            raise InputError(
                f"has {count:,} {what}; at most {limit:,} are read: simplify it first"
            )


def validate(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F N"]) -> None:
    """Raises InputError unless vertices are finite and faces point to them."""
    if not np.isfinite(vertices).all():
        bad = int((~np.isfinite(vertices)).any(axis=1).sum())
        raise InputError(f"{bad} of {len(vertices)} vertices are NaN or infinite")
    if len(vertices) and np.abs(vertices).max() > MAX_COORDINATE:
        raise InputError(
            f"vertices reach to {np.abs(vertices).max():.1e}; at most "
            f"{MAX_COORDINATE:.0e} is read"
        )
    check_indices(faces, len(vertices))


def check_indices(indices: Integer[np.ndarray, "..."], num_vertices: int) -> None:
    """Raises InputError unless faces point to vertices of the file."""
    if indices.size and (indices.min() < 0 or indices.max() >= num_vertices):
        raise InputError(
            f"faces refer to vertices {indices.min()} to {indices.max()}, "
            f"the file has {num_vertices}"
        )
