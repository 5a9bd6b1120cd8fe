"""Losses of points by what one view says: exact, by look-up, without a renderer.

Arrays of one view in, one unweighted scalar out, square metres. See `geometry/sight.py`
for the maps.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Key

from pixel2mesh_jax.geometry import camera, frustum
from pixel2mesh_jax.geometry.nearest import nearest_index
from pixel2mesh_jax.geometry.sight import Sight
from pixel2mesh_jax.structures import Array


def free_space(seen: Sight) -> Float[Array, ""]:
    """Mean squared distance, along the ray, of points before the measured surface.

    Nothing can be there: the camera looks through it. Where the surface is not known,
    and behind it, a point costs nothing.
    """
    return jnp.mean(jnp.maximum(seen.residual, 0) ** 2)


def silhouette(seen: Sight) -> Float[Array, ""]:
    """Mean squared distance of points from the outline, of those outside of it."""
    return jnp.mean(jnp.maximum(seen.outline, 0) ** 2)


def mask_coverage(
    key: Key[Array, ""],
    points: Float[Array, "N 3"],
    mask: Float[Array, "H W"],
    intrinsics: Float[Array, "3 3"],
    num_pixels: int,
) -> Float[Array, ""]:
    """Mean squared distance from pixels of the object to the nearest projected point.

    At the depth of that point, so that it is in square metres; 0 for an empty mask.

    Args:
      key: of the pixels drawn.
      points: before the camera.
      mask: object coverage in [0, 1].
      intrinsics: pinhole matrix in pixels.
      num_pixels: drawn from the mask, static.
    """
    covered = (mask >= frustum.COVERED).ravel()
    pixel = _draw(key, covered, num_pixels)
    wanted = jnp.stack([pixel % mask.shape[1], pixel // mask.shape[1]], axis=-1)
    wanted = wanted.astype(points.dtype)
    uv = camera.project(points, intrinsics)
    nearest = nearest_index(wanted, uv)
    apart = jnp.sum((wanted - uv[nearest]) ** 2, axis=-1)
    # The length of a pixel is a constant: else all would be well at the camera.
    length = jax.lax.stop_gradient(-points[nearest, 2]) / intrinsics[0, 0]
    return jnp.where(jnp.any(covered), jnp.mean(apart * length**2), 0)


def _draw(key, covered, count):
    """Numbers of covered pixels, uniform; of the last pixel if none is."""
    cumulative = jnp.cumsum(covered.astype(jnp.int32))
    target = jax.random.randint(key, (count,), 0, jnp.maximum(cumulative[-1], 1))
    drawn = jnp.searchsorted(cumulative, target, side="right")
    return jnp.minimum(drawn, len(covered) - 1)
