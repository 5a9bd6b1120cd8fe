"""Object masks from files: coverage or labels; and specks, which are no objects."""

import logging
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Shaped, UInt8
from PIL import Image
from scipy import ndimage

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import images
from pixel2mesh_jax.io.in_memory import Source, named

# Areas of a mask below this part of the largest one are specks: stray pixels that
# segmentation networks leave.
SPECK_PART = 0.01
# A value is a label, not an edge, if it has this part of the pixels that are not 0, and
# if this part of its own pixels has neighbours of the same value only.
LABEL_PART = 0.01
LABEL_INTERIOR = 0.25
# In an image with white, JPEG leaves ripples of this height beside black and white.
RIPPLE = 20
# More colours than this are a photo, not a map of labels.
MAX_COLORS = 64

logger = logging.getLogger(__name__)


def load_mask(path: Source, label: int | None = None) -> UInt8[np.ndarray, "H W"]:
    """Reads an object mask: the alpha of the file if it has one, else its values.

    White on black is coverage. Any other single value above 0 is the object. Several
    values with areas of their own are labels; without a choice the largest is taken,
    with a warning that names them.

    Args:
      path: any image, in a file or in memory.
      label: which value is the object.

    Returns:
      Coverage, 0 (background) to 255 (object).

    Raises:
      InputError: as `images.load_rgba`, for a mask without any object pixel, and for a
        label that it does not hold.
    """
    path = named(path)
    values = _values(images.open_image(path))
    if label is not None:
        if not (values == label).any():
            raise InputError(
                f"{path}: no pixel of label {label}; found {_listed(values)}"
            )
        return _covered(values == label)
    if not values.any():
        raise InputError(f"{path}: the mask is empty, expected white on the object")
    labels = _labels(values)
    if len(labels) > 1:
        logger.warning(
            "%s: holds several labels (%s); the largest, %d, is taken: choose another "
            "with --label",
            path,
            _listed(values, labels),
            labels[0],
        )
        return _covered(values == labels[0])
    full = int(labels[0]) if labels else int(values.max())
    if full > 255:
        return _covered(values >= full / 2)
    scaled = values if full >= 255 - RIPPLE else values.astype(np.int64) * 255 // full
    coverage = np.clip(scaled, 0, 255).astype(np.uint8)
    if not (coverage >= images.OPAQUE_LEVEL).any():
        raise InputError(f"{path}: the mask is empty, expected white on the object")
    return coverage


def parse_box(values: Sequence | None) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom in pixels.

    Raises:
      InputError: not four whole numbers, or no pixel between them.
    """
    if values is None:
        return None
    try:
        left, top, right, bottom = (int(value) for value in values)
    except (TypeError, ValueError):
        left = top = right = bottom = 0
    if not (0 <= left < right and 0 <= top < bottom):
        given = ",".join(map(str, values)) if np.iterable(values) else values
        raise InputError(
            f"box {given!r}: expected left,top,right,bottom in pixels, for example "
            "40,30,200,180"
        )
    return left, top, right, bottom


def without_specks(
    coverage: UInt8[np.ndarray, "H W"], source: object
) -> UInt8[np.ndarray, "H W"]:
    """Coverage without areas far smaller than the largest one, which are named."""
    areas, count = ndimage.label(coverage >= images.OPAQUE_LEVEL, np.ones((3, 3)))
    if count < 2:
        return coverage
    sizes = np.bincount(areas.ravel())
    sizes[0] = 0
    specks = (sizes > 0) & (sizes < SPECK_PART * sizes.max())
    if not specks.any():
        return coverage
    logger.warning(
        "%s: %d specks of together %d pixels are left out; the object has %d",
        source,
        specks.sum(),
        sizes[specks].sum(),
        sizes[~specks].sum(),
    )
    return np.where(specks[areas], np.uint8(0), coverage)


def _values(image: Image.Image) -> Int[np.ndarray, "H W"]:
    """What stands for the object: alpha, grey, or a number per colour."""
    if image.mode in ("1", "L", "I") or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.int64)
        # 16-bit masks of 0 and 65535, and everything in between
        return values // 257 if values.max(initial=0) > 65000 else values
    if image.mode == "P" and "transparency" not in image.info:
        colors = np.asarray(image.convert("RGB"))
        if _is_grey(colors):
            return colors[..., 0].astype(np.int64)
        return np.asarray(image).astype(np.int64)
    rgba = np.asarray(image.convert("RGBA"))
    if (rgba[..., 3] < 255).any():
        return rgba[..., 3].astype(np.int64)
    return _of_colors(rgba[..., :3])


def _of_colors(rgb):
    if not _is_grey(rgb):
        packed = rgb.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
        if len(np.unique(packed)) <= MAX_COLORS:
            return packed
    return rgb.max(axis=-1).astype(np.int64)


def _is_grey(rgb: Shaped[np.ndarray, "H W 3"]) -> bool:
    return bool((np.ptp(rgb, axis=-1) == 0).all())


def _labels(values) -> list[int]:
    """Values with an area of their own, the largest first."""
    found, counts = np.unique(values, return_counts=True)
    if found.max() <= 255 and found.max() >= 255 - RIPPLE:
        values = np.where(values < RIPPLE, 0, values)
        values = np.where(values >= 255 - RIPPLE, 255, values)
        found, counts = np.unique(values, return_counts=True)
    found, counts = found[found > 0], counts[found > 0]
    if len(found) == 1:
        return [int(found[0])]
    enough = counts >= LABEL_PART * counts.sum()
    labels = []
    for value, count in zip(found[enough], counts[enough], strict=True):
        interior = ndimage.binary_erosion(values == value, np.ones((3, 3))).sum()
        if interior >= LABEL_INTERIOR * count:
            labels.append((int(count), int(value)))
    return [value for _, value in sorted(labels, reverse=True)]


def _listed(values, labels=None) -> str:
    """Values above 0 with their numbers of pixels, the most frequent ten."""
    found, counts = np.unique(values, return_counts=True)
    rows = sorted(
        (-int(count), int(value))
        for value, count in zip(found, counts, strict=True)
        if (value > 0 if labels is None else value in labels)
    )
    text = ", ".join(f"{value} on {-count} pixels" for count, value in rows[:10])
    return (text or "only 0") + (", ..." if len(rows) > 10 else "")


def _covered(inside):
    return np.where(inside, np.uint8(255), np.uint8(0))
