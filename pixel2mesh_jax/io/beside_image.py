"""What lies beside an image, a mask or a depth map, turned and sized as it is."""

import logging

import numpy as np

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import exif
from pixel2mesh_jax.io.in_memory import Source

# Depth maps and masks may be smaller than their image if width over height agrees to
# this part: phones store 256x192 distances beside 1920x1440 colours.
SAME_SHAPE = 0.01

logger = logging.getLogger(__name__)


def like_image(
    values: np.ndarray,
    path: Source,
    image_path: Source,
    shape: tuple[int, int],
    tag: int,
) -> np.ndarray:
    """The values of every pixel of the upright image; the nearest ones.

    Args:
      values: (height, width), as they were read.
      path: where they come from.
      image_path: of the image.
      shape: (height, width) of the upright image.
      tag: EXIF orientation by which the image was turned.

    Raises:
      InputError: they have another shape than the image, whichever way up.
    """
    height, width = values.shape
    fits = abs(height * shape[1] / (width * shape[0]) - 1) <= SAME_SHAPE
    square = abs(height / width - 1) <= SAME_SHAPE
    turned = exif.swaps_sides(tag) and fits and not square  # held upright already
    if tag != exif.UPRIGHT and exif.orientation(path) == exif.UPRIGHT and not turned:
        values = exif.turn_image(values, tag)
        height, width = values.shape
        fits = abs(height * shape[1] / (width * shape[0]) - 1) <= SAME_SHAPE
    if (height, width) == shape:
        return values
    if not fits:
        raise InputError(
            f"{path}: expected the size of {image_path}, "
            f"{shape[1]}x{shape[0]} pixels, or the same shape at another size; got "
            f"{width}x{height}"
            + f" (the image is turned by its EXIF tag {tag})"
            * (tag != exif.UPRIGHT)
        )
    logger.info("%s: enlarged from %dx%d pixels", path, width, height)
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(shape, (height, width), strict=True)
    )
    return values[rows[:, None], columns]
