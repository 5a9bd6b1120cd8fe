"""How large an input may be: every bound in one place, checked before memory is taken.

The largest sensible input of each kind fits with room to spare; beyond it, a file is
damaged, hostile or a mistake, and a message is of more use than a full memory.
"""

import contextlib
import contextvars
import io
import math
import pathlib
import tokenize
import zipfile
from collections.abc import Iterator

import numpy as np

from pixel2mesh_jax.errors import InputError

# Pixels of an image, a mask or a depth map. Phones take up to 50 million; a view of
# that size takes about 1 GB on its way to the network.
MAX_PIXELS = 64_000_000
_max_pixels = contextvars.ContextVar("max_pixels", default=MAX_PIXELS)
# Pixels per side: a square around an image as wide as this still fits in memory.
MAX_SIDE = 16_384
# Side of the square that is given to the networks, pixels. They look at 137 or 224;
# larger squares are averaged down first.
MAX_SQUARE = 2048
# Bytes of a file that describes a camera, and of the annotations of a data set. The
# largest known: 30 MB for the frames of a long video, 9 MB for Pix3D.
MAX_CAMERA_BYTES = 64_000_000
MAX_ANNOTATION_BYTES = 256_000_000
# Bytes of a Pixel2Mesh .dat file (published: below 1 MB), and its pickle operations.
MAX_DAT_BYTES = 64_000_000
MAX_DAT_OPERATIONS = 1_000_000
# Bytes that the arrays of an .npz may take once they are unpacked.
MAX_NPZ_BYTES = 8_000_000_000
# What numpy raises on .npy files that are none: the header is a Python literal.
BAD_NPY = (
    *(ValueError, EOFError, OSError, SyntaxError, TypeError, LookupError),
    *(tokenize.TokenError, MemoryError, RecursionError, OverflowError),
)
# Metres: nothing that is farther has a shape in an image of an object.
MAX_DISTANCE = 10_000.0


def check_pixels(path: object, width: int, height: int) -> None:
    """Raises InputError if an image is larger than the limits."""
    most = _max_pixels.get()
    if width * height > most or max(width, height) > MAX_SIDE:
        raise InputError(
            f"{path}: {width}x{height} pixels; expected at most "
            f"{most / 1e6:.0f} million and {MAX_SIDE} per side: save it smaller"
        )


@contextlib.contextmanager
def at_most(pixels: int) -> Iterator[None]:
    """Within it, images and depth maps have fewer pixels than `MAX_PIXELS` allows."""
    before = _max_pixels.set(min(pixels, MAX_PIXELS))
    try:
        yield
    finally:
        _max_pixels.reset(before)


def check_bytes(path: str | pathlib.Path, limit: int) -> None:
    """Raises InputError if a file is larger than `limit` bytes."""
    size = pathlib.Path(path).stat().st_size
    if size > limit:
        raise InputError(
            f"{path}: {size / 1e6:.0f} MB; expected at most {limit / 1e6:.0f} MB"
        )


def check_npz(path: str | pathlib.Path) -> None:
    """Raises InputError if an .npz is larger than it may be, or than it is.

    The zip directory says how large the entries are, without unpacking; zipfile stops
    at that size. The header of an array has to fit it, because numpy takes memory for
    what the header says.

    Raises:
      zipfile.BadZipFile: not a zip file.
      ValueError: not an array.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        size = sum(entry.file_size for entry in entries)
        if size > MAX_NPZ_BYTES:
            raise InputError(
                f"{path}: unpacks to {size / 1e9:.1f} GB; expected at most "
                f"{MAX_NPZ_BYTES / 1e9:.0f} GB"
            )
        for entry in entries:
            with archive.open(entry) as file:
                claimed = _claimed_bytes(file)
            if claimed > entry.file_size:
                raise InputError(
                    f"{path}: {entry.filename} says that it has {claimed:.3g} bytes, "
                    f"but has {entry.file_size}"
                )


def npy_header(file: io.BufferedIOBase) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of an .npy file, without its values.

    Raises:
      ValueError and whatever else numpy raises on a header that is none.
    """
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ValueError(f"format {version}")
    shape, _, dtype = read[version](file)
    return shape, dtype


def _claimed_bytes(file):
    shape, dtype = npy_header(file)
    return math.prod(shape) * dtype.itemsize
