"""The depth of an object: cleaned of its surroundings, doubted where it is doubtful."""

import logging

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from scipy import ndimage

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry.flying_pixels import flying_pixels
from pixel2mesh_jax.io import images, units, views
from pixel2mesh_jax.io.depth_maps import MeasuredDepth
from pixel2mesh_jax.io.in_memory import Source
from pixel2mesh_jax.structures import View

# Pixels around an object that are looked at for a ground that is nearer than it: their
# median depth is below this part of the object's, and nearly none is farther away.
RING = 5
NEARER_GROUND = 0.9
RING_QUANTILE = 0.9

logger = logging.getLogger(__name__)


def of_object(
    depth: Float32[np.ndarray, "H W"],
    alpha: UInt8[np.ndarray, "H W"],
    focal: float,
    path: Source,
) -> Float32[np.ndarray, "H W"]:
    """Depth where the object is, without flying pixels, else 0.

    Args:
      depth: metres along the optical axis, of the whole image.
      alpha: coverage of the object.
      focal: length of the lens, pixels.
      path: of the depth map, for messages.

    Raises:
      InputError: no pixel of the object has depth.
    """
    inside = alpha >= images.OPAQUE_LEVEL
    _warn_of_nearer_ground(depth, inside, path)
    wrong = flying_pixels(depth, alpha > 0, focal)
    depth = np.where(alpha > 0, depth, np.float32(0))
    if not depth[inside].any():
        raise InputError(
            f"{path}: no depth on the object, only beside it; expected some where the "
            "mask or the alpha of the image says that the object is"
        )
    if wrong.any() and depth[inside & ~wrong].any():
        depth = np.where(wrong, np.float32(0), depth)
        logger.info("%s: %d flying pixels are left out", path, wrong.sum())
    return depth


def believable_unit(view: View, measured: MeasuredDepth, path: Source) -> float:
    """The unit of the camera file, or the usual one if only that makes sense.

    Data sets that were converted to millimetres often keep the old depth_scale.

    Args:
      view: the object with its depth in `measured.unit`.
      measured: the depth map as it was read.
      path: of the depth map, for messages.

    Returns:
      Metres per stored value.
    """
    distance, size = views.distance_and_size(view)
    factor = measured.usual / measured.unit
    if units.is_plausible(distance, size) or not units.is_plausible(
        distance * factor, size * factor
    ):
        return measured.unit
    logger.warning(
        "%s: the camera file says %s per value, which makes an object %s away: it is "
        "read in %s instead. --depth_unit decides.",
        path,
        units.name_of(measured.unit),
        units.format_length(distance),
        units.name_of(measured.usual),
    )
    return measured.usual


def relative(
    inverse: Float[np.ndarray, "H W"], inside: Bool[np.ndarray, "H W"], path: Source
) -> Float32[np.ndarray, "H W"]:
    """Inverse depth scaled to [0, 1] over the object, 0 outside.

    Raises:
      InputError: it is the same all over the object.
    """
    least, most = inverse[inside].min(), inverse[inside].max()
    if least == most:
        raise InputError(f"{path}: the same inverse depth all over the object")
    return np.where(inside, (inverse - least) / (most - least), 0).astype(np.float32)


def _warn_of_nearer_ground(depth, inside, path):
    """All around an object the ground is farther or as far, unless near is far."""
    around = ndimage.binary_dilation(inside, iterations=RING) & ~inside & (depth > 0)
    seen = inside & (depth > 0)
    if np.count_nonzero(around) < RING or not seen.any():
        return
    ratio = depth[around] / np.median(depth[seen])
    if np.median(ratio) < NEARER_GROUND and np.quantile(ratio, RING_QUANTILE) < 1:
        logger.warning(
            "%s: what surrounds the object is nearer than it (%.3g of its depth). Give "
            "--depth_unit inverse if larger values are nearer.",
            path,
            np.median(ratio),
        )
