"""Exact distances to a set of pixels: which covered pixel is nearest, for every pixel.

First along the columns, then across them: the nearest pixel of the set is the nearest
of its column, so H x W x W comparisons do, without a limit of the distance.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from pixel2mesh_jax.structures import Array

# Half a pixel lies between the centre of a pixel and the outline around it.
HALF_PIXEL = 0.5


def nearest_pixel(covered: Bool[Array, "H W"]) -> Int[Array, "H W 2"]:
    """(row, column) of the covered pixel nearest to every pixel; itself without any.

    Of equally near ones that of the first column.
    """
    height, width = covered.shape
    own_row = jnp.arange(height)[:, None]
    nearest_row, has_one = _nearest_in_column(covered)
    gap = jnp.where(has_one, (nearest_row - own_row).astype(jnp.float32) ** 2, jnp.inf)
    own_column = jnp.arange(width)[None, :]

    def closer(column, best):
        square, found = best
        across = (own_column - column).astype(jnp.float32) ** 2
        candidate = gap[:, column][:, None] + across
        better = candidate < square
        return jnp.where(better, candidate, square), jnp.where(better, column, found)

    start = jnp.full(covered.shape, jnp.inf), jnp.zeros(covered.shape, jnp.int32)
    square, column = jax.lax.fori_loop(0, width, closer, start)
    row = jnp.take_along_axis(nearest_row, column, axis=1)
    itself = jnp.stack(jnp.indices(covered.shape), axis=-1)
    some = jnp.isfinite(square)[..., None]
    return jnp.where(some, jnp.stack([row, column], axis=-1), itself)


def signed_distance(covered: Bool[Array, "H W"]) -> Float[Array, "H W"]:
    """Pixels to the outline of a mask, negative inside; 0 without an outline.

    A pixel beside the outline is half a pixel away from it. What lies beyond the border
    is not known to be empty.
    """
    outside = _distance(nearest_pixel(covered))
    inside = _distance(nearest_pixel(~covered))
    apart = jnp.where(covered, -inside, outside)
    return apart - HALF_PIXEL * jnp.sign(apart)


def _distance(nearest):
    steps = nearest - jnp.stack(jnp.indices(nearest.shape[:2]), axis=-1)
    return jnp.sqrt(jnp.sum(steps.astype(jnp.float32) ** 2, axis=-1))


def _nearest_in_column(covered):
    """Row of the nearest covered pixel of the same column, and whether there is one."""
    height = covered.shape[0]
    rows = jnp.arange(height, dtype=jnp.int32)[:, None]
    far = 2 * height
    above = jax.lax.cummax(jnp.where(covered, rows, -far), axis=0)
    below = jax.lax.cummin(jnp.where(covered, rows, height + far), axis=0, reverse=True)
    nearest = jnp.where(rows - above <= below - rows, above, below)
    return nearest, (nearest >= 0) & (nearest < height)
