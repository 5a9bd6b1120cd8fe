"""PGM files with their values as they are stored.

Pillow stretches a file whose largest value is 4095 to 65535; a depth map then is
sixteen times too far away. Source: the manual page, netpbm.sourceforge.net/doc/pgm.html
"""

import pathlib
import re

import numpy as np
from jaxtyping import Shaped

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import limits

# Magic number, width, height and largest value, with comments between them.
_HEADER = re.compile(
    rb"(P[25])" + rb"(?:\s+(?:#[^\n]*\n\s*)*)(\d{1,9})" * 3 + rb"(?:\s|\s*#[^\n]*\n)"
)
_MAX_HEADER = 4096  # bytes


def load_pgm(path: str | pathlib.Path) -> Shaped[np.ndarray, "H W"]:
    """Reads a binary (P5) or text (P2) PGM: uint8, or uint16 from 256 values on.

    Raises:
      InputError: no such file, not a PGM, larger than the limits, or cut off.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        header = _HEADER.match(file.read(_MAX_HEADER))
        if header is None:
            raise InputError(f"{path}: not a PGM file")
        width, height, largest = (int(number) for number in header.groups()[1:])
        limits.check_pixels(path, width, height)
        file.seek(header.end())
        dtype = np.dtype(np.uint8 if largest < 256 else ">u2")
        if header.group(1) == b"P2":
            words = file.read(7 * limits.MAX_PIXELS).split()[: width * height]
            values = _numbers(words, path)
        else:
            content = file.read(width * height * dtype.itemsize)
            whole = len(content) // dtype.itemsize
            values = np.frombuffer(content, dtype, count=whole)
    if values.size != width * height or not values.size:
        raise InputError(f"{path}: {values.size} values for {width}x{height} pixels")
    return values.reshape(height, width).astype(dtype.newbyteorder("="))


def _numbers(words, path):
    if not all(word.isdigit() and len(word) <= 5 for word in words):
        raise InputError(f"{path}: a PGM of text that holds something but numbers")
    return np.array([int(word) for word in words], np.int64)
