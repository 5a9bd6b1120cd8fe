"""Losses of a depth map against another: one view in, one unweighted scalar out.

    rendering = rasterize.render_depth(vertices, faces, intrinsics, shape)
    loss = depth.relative_error(rendering.depth, measured, mask)

Both depths are along the optical axis, 0 where there is none. Only pixels of the object
count that have both; without any the loss is 0, with a gradient of 0.
"""

import jax.numpy as jnp
from jaxtyping import Bool, Float

from pixel2mesh_jax.geometry.frustum import COVERED
from pixel2mesh_jax.structures import Array

# Spread of inverse depths, as a share of their mean, below which a surface is flat.
FLAT = 1e-4


def relative_error(
    found: Float[Array, "H W"],
    true: Float[Array, "H W"],
    mask: Float[Array, "H W"],
) -> Float[Array, ""]:
    """Scale- and shift-invariant L1 of inverse depth, inside of the mask.

    Each map is brought to mean 0 and mean absolute value 1; so it does not matter what
    a monocular network does not know. Ranftl et al., Towards Robust Monocular Depth
    Estimation (TPAMI 2022), equations 5 to 7, with the mean instead of the median: it
    has a gradient everywhere.

    Args:
      found: depth of a mesh.
      true: measured, or guessed up to scale and shift of its inverse.
      mask: object coverage in [0, 1].
    """
    counts = _counted(found, true, mask)
    apart = jnp.abs(_normalized(found, counts) - _normalized(true, counts))
    return _mean(apart, counts)


def metric_error(
    found: Float[Array, "H W"],
    true: Float[Array, "H W"],
    mask: Float[Array, "H W"],
) -> Float[Array, ""]:
    """Mean absolute difference of the depths, inside of the mask."""
    counts = _counted(found, true, mask)
    return _mean(jnp.abs(found - true), counts)


def _counted(found, true, mask) -> Bool[Array, "H W"]:
    return (found > 0) & (true > 0) & (mask >= COVERED)


def _normalized(depth, counts):
    """Inverse depth of mean 0 and mean size 1; a flat surface is nearly 0."""
    inverse = jnp.where(counts, 1 / jnp.where(counts, depth, 1), 0)
    middle = _mean(inverse, counts)
    away = jnp.where(counts, inverse - middle, 0)
    return away / jnp.maximum(_mean(jnp.abs(away), counts), FLAT * (middle + FLAT))


def _mean(values, counts):
    total = jnp.sum(jnp.where(counts, values, 0))
    return total / jnp.maximum(jnp.sum(counts.astype(values.dtype)), 1)
