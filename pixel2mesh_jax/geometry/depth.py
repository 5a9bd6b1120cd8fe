"""Depth maps as network input.

A depth map in metres depends on the camera; a monocular estimate is inverse and known
only up to scale and shift. `disparity` brings both to one form: inverse depth, scaled
to [0, 1] over the object, 0 outside. `metric` keeps the absolute distance of a sensor.
"""

import jax.numpy as jnp
from jaxtyping import Bool, Float

from pixel2mesh_jax.structures import Array

# Origin and unit of the `metric` encoding: centre and largest half axis of the
# template (geometry/templates.py), in metres.
METRIC_ORIGIN = 0.8
METRIC_UNIT = 0.28
# A pixel belongs to the object where at least half of it is covered.
COVERED = 0.5


def object_pixels(
    depth: Float[Array, "H W"], mask: Float[Array, "H W"]
) -> Bool[Array, "H W"]:
    """Pixels that show the object and have a depth."""
    return (depth > 0) & (mask >= COVERED)


def disparity(
    depth: Float[Array, "H W"], mask: Float[Array, "H W"]
) -> Float[Array, "H W"]:
    """Inverse depth, scaled to [0, 1] over the object mask, 0 outside.

    The nearest object pixel is 1, the farthest 0. An object of constant depth is 1
    everywhere; a picture without any depth is 0 everywhere.

    Args:
      depth: metres along the optical axis, 0 = missing.
      mask: object coverage in [0, 1].
    """
    valid = object_pixels(depth, mask)
    inverse = 1 / jnp.where(valid, depth, 1.0)
    farthest = jnp.min(inverse, where=valid, initial=jnp.inf)
    nearest = jnp.max(inverse, where=valid, initial=-jnp.inf)
    spread = nearest - farthest
    flat = spread < 1e-6 * nearest
    scaled = (inverse - farthest) / jnp.where(flat, 1.0, spread)
    return jnp.where(valid, jnp.where(flat, 1.0, scaled), 0.0)


def metric(
    depth: Float[Array, "H W"], mask: Float[Array, "H W"]
) -> Float[Array, "H W"]:
    """Distance before the template centre in units of its half axis, 0 outside."""
    valid = object_pixels(depth, mask)
    return jnp.where(valid, (METRIC_ORIGIN - depth) / METRIC_UNIT, 0.0)


ENCODINGS = {"disparity": disparity, "metric": metric}
