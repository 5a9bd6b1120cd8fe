"""A depth map as another camera would have seen it."""

import numpy as np
from jaxtyping import Float, Float32

from pixel2mesh_jax.geometry import foreground

# Most sub-pixels per side of a depth pixel; a colour image has rarely more.
MAX_FACTOR = 16


def register(
    depth: Float[np.ndarray, "H W"],
    lens: Float[np.ndarray, "3 3"],
    turn: Float[np.ndarray, "3 3"],
    shift: Float[np.ndarray, "3"],
    target_lens: Float[np.ndarray, "3 3"],
    shape: tuple[int, int],
) -> Float32[np.ndarray, "h w"]:
    """Every measured point put where the other camera sees it; the nearest one wins.

    A depth pixel covers as many pixels of the other camera as its lens says; nothing is
    blended between surfaces.

    Args:
      depth: metres along the optical axis, 0 = missing.
      lens: intrinsics of its camera, pixels.
      turn: rotation of points from the camera of the depth map to the other one, in
        OpenCV's axes (x right, y down, z forward).
      shift: the translation that follows, metres.
      target_lens: intrinsics of the other camera, pixels.
      shape: height and width of its image.

    Returns:
      Depth in metres along the other optical axis, 0 where nothing is seen.
    """
    fine, fine_lens = _subdivided(depth, lens, target_lens)
    points = foreground.unprojected(fine, fine_lens)[fine > 0] @ turn.T + shift
    points = points[points[:, 2] > 0]
    pixels = points @ np.asarray(target_lens, np.float64).T
    u, v = np.round(pixels[:, :2] / points[:, 2:]).astype(int).T
    height, width = shape
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    nearest = np.full(height * width, np.inf)
    np.minimum.at(nearest, v[inside] * width + u[inside], points[inside, 2])
    found = np.where(np.isfinite(nearest), nearest, 0)
    return found.reshape(shape).astype(np.float32)


def _subdivided(depth, lens, target_lens):
    """The map in pixels that are no larger than those of the other camera."""
    ratio = max(target_lens[0, 0] / lens[0, 0], target_lens[1, 1] / lens[1, 1])
    factor = int(np.clip(np.ceil(1.5 * ratio), 1, MAX_FACTOR))
    fine = depth.repeat(factor, axis=0).repeat(factor, axis=1)
    scale = np.diag([factor, factor, 1.0])
    scale[:2, 2] = (factor - 1) / 2  # of the centre of the first pixel
    return fine, scale @ lens
