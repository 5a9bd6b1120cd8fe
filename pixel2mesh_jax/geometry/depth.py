"""Depth maps as network input.

A depth map in metres depends on the camera; a monocular estimate is inverse and known
only up to scale and shift. `disparity` brings both to one form: inverse depth, scaled
to [0, 1] over the object, 0 outside. `metric` keeps the absolute distance of a sensor.

A relative inverse depth r travels as `Batch.depth` by the map

    depth = 1 / (a + b r),   a = 1 / FARTHEST,   b = 1 / NEAREST - 1 / FARTHEST,

which puts r = 1 at the front of the template and r = 0 at its back. `disparity` undoes
it exactly, whatever a and b: there the two kinds of depth look alike.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from pixel2mesh_jax.structures import Array

# Origin and unit of the `metric` encoding: centre and largest half axis of the
# template (geometry/templates.py), in metres.
METRIC_ORIGIN = 0.8
METRIC_UNIT = 0.28
# Where relative depth puts the nearest and the farthest point of an object, metres.
NEAREST = METRIC_ORIGIN - METRIC_UNIT
FARTHEST = METRIC_ORIGIN + METRIC_UNIT
# a and b of that map, per metre.
RELATIVE_OFFSET = 1 / FARTHEST
RELATIVE_SLOPE = 1 / NEAREST - 1 / FARTHEST
# A pixel belongs to the object where at least half of it is covered.
COVERED = 0.5
# An object whose inverse depths differ by less than this part of them is flat.
FLAT = 1e-6


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
    everywhere; an image without any depth is 0 everywhere.

    Args:
      depth: metres along the optical axis, 0 = missing.
      mask: object coverage in [0, 1].
    """
    valid = object_pixels(depth, mask)
    inverse = 1 / jnp.where(valid, depth, 1.0)
    # Without any pixel both ends are those of the values that stand in: no infinities.
    some = jnp.any(valid)
    farthest = jnp.min(jnp.where(valid | ~some, inverse, jnp.inf))
    nearest = jnp.max(jnp.where(valid | ~some, inverse, -jnp.inf))
    spread = nearest - farthest
    flat = spread < FLAT * nearest
    scaled = (inverse - farthest) / jnp.where(flat, 1.0, spread)
    return jnp.where(valid, jnp.where(flat, 1.0, scaled), 0.0)


def metric(
    depth: Float[Array, "H W"], mask: Float[Array, "H W"]
) -> Float[Array, "H W"]:
    """Distance before the template centre in units of its half axis, 0 outside."""
    valid = object_pixels(depth, mask)
    return jnp.where(valid, (METRIC_ORIGIN - depth) / METRIC_UNIT, 0.0)


ENCODINGS = {"disparity": disparity, "metric": metric}


def relative_inverse_depth(
    prediction: Float[np.ndarray, "H W"], mask: Float[np.ndarray, "H W"]
) -> Float[np.ndarray, "H W"]:
    """What a monocular network says, scaled to [0, 1] over the object, 0 outside.

    In numpy, for the processes that build data sets.

    Args:
      prediction: inverse depth up to scale and shift, larger is nearer. Values outside
        the object have no influence. If all are equal, the object is 1 everywhere.
      mask: object coverage in [0, 1].
    """
    inside = mask >= COVERED
    if not inside.any():
        return np.zeros_like(prediction)
    farthest, nearest = prediction[inside].min(), prediction[inside].max()
    spread = nearest - farthest
    if spread <= FLAT * max(abs(farthest), abs(nearest)):
        return inside.astype(prediction.dtype)
    return np.where(inside, (prediction - farthest) / spread, 0)


def depth_from_relative(
    relative: Float[Array, "H W"], mask: Float[Array, "H W"]
) -> Float[Array, "H W"]:
    """Stands in for a depth map: metres between `NEAREST` and `FARTHEST`.

    The distances are those of the template, not of the world; only their order and
    their `disparity` mean something.

    Args:
      relative: inverse depth, 1 at the nearest point and 0 at the farthest.
      mask: object coverage in [0, 1]; outside the object depth is missing (0).
    """
    metres = 1 / (RELATIVE_OFFSET + RELATIVE_SLOPE * relative)
    return jnp.where(mask >= COVERED, metres, 0.0)
