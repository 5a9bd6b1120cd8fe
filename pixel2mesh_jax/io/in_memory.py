"""Images, masks and depth maps that are in memory and not in a file.

Readers of files take them as well: `InMemory("depth", array)` stands where a path
would, and messages call it by its name.
"""

import pathlib
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pixel2mesh_jax.errors import InputError

# Channels of a colour image.
RGB, RGBA = 3, 4


class InMemory(NamedTuple):
    """Values that stand for a file.

    Attributes:
      name: in messages.
      values: a Pillow image or what `numpy.asarray` takes.
    """

    name: str
    values: Any

    def __str__(self) -> str:
        return self.name

    @property
    def stem(self) -> str:
        """The name without folder and suffix, as of a path."""
        return pathlib.PurePath(self.name).stem


Source = str | pathlib.Path | InMemory


def named(source: Source) -> pathlib.Path | InMemory:
    """A path, or what stands for one."""
    return source if isinstance(source, InMemory) else pathlib.Path(source)


def array_of(source: InMemory) -> np.ndarray:
    """The values; a last axis of length 1 is dropped.

    Raises:
      InputError: not an array of numbers.
    """
    try:
        values = np.asarray(source.values)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged, on a GPU, ...
        raise InputError(f"{source}: not an array: {error}") from None
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{source}: expected numbers, a Pillow image or the path of a file; got "
            f"{type(source.values).__name__} of {values.dtype}"
        )
    return values[..., 0] if values.ndim == 3 and values.shape[-1] == 1 else values


def image_of(source: InMemory) -> Image.Image:
    """The values as an image.

    Args:
      source: a Pillow image, or an array: grey or labels (H, W), colours (H, W, 3),
        or colours and coverage (H, W, 4). 8 or 16 bits, or floats in [0, 1].

    Raises:
      InputError: none of these.
    """
    if isinstance(source.values, Image.Image):
        return source.values
    values = array_of(source)
    is_plane = values.ndim == 2
    if not values.size or not (
        is_plane or (values.ndim == 3 and values.shape[-1] in (RGB, RGBA))
    ):
        raise InputError(
            f"{source}: expected (height, width), (height, width, 3) or "
            f"(height, width, 4); got {values.shape}"
        )
    if is_plane and values.dtype.kind in "iu" and values.dtype != np.uint8:
        return Image.fromarray(_labels(values, source))
    return Image.fromarray(_eight_bits(values, source))


def _labels(values, source):
    """Integers as Pillow holds them, 32 bits."""
    if values.min() < 0 or values.max() > np.iinfo(np.int32).max:
        raise InputError(
            f"{source}: values from {values.min()} to {values.max()}; expected them "
            "from 0 to 2147483647"
        )
    return values.astype(np.int32)


def _eight_bits(values, source):
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype == np.uint16:
        return (values // 257).astype(np.uint8)
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * 255
    least, most = values.min(), values.max()
    if values.dtype.kind != "f" or not (least >= 0 and most <= 1):
        raise InputError(
            f"{source}: {values.dtype} from {least} to {most}; expected uint8, uint16, "
            "or floats from 0 to 1"
        )
    return np.round(values * 255).astype(np.uint8)
