"""Depth maps as network input.

A depth map in metres depends on the camera; a monocular estimate is inverse and known
only up to scale and shift. `disparity` brings both to one form: inverse depth, scaled
to [0, 1] over the object, 0 outside. `metric` keeps the absolute distance of a sensor.

A relative inverse depth r travels as `Batch.depth` by the map

    depth = 1 / (a + b r),   a = 1 / FARTHEST,   b = 1 / NEAREST - 1 / FARTHEST,

which puts r = 1 at the front of the template and r = 0 at its back. `disparity` undoes
it exactly, whatever a and b: there the two kinds of depth look alike.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from pixel2mesh_jax.errors import InputError
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
# Reweighting of `least_absolute`: repetitions, and the residual, as a part of the
# largest inverse depth, below which a pixel gains no more weight.
REPETITIONS = 50
SMALLEST_RESIDUAL = 1e-5


class ScaleShift(NamedTuple):
    """A straight line, `scale * prediction + shift`."""

    scale: Float[Array, ""]
    shift: Float[Array, ""]


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


def align_scale_shift(
    prediction: Float[Array, "H W"],
    reference: Float[Array, "H W"],
    mask: Float[Array, "H W"],
    method: str = "least_squares",
) -> ScaleShift:
    """Scale and shift that turn a relative inverse depth into a metric one.

    Solves `scale * prediction + shift = 1 / reference` over the object pixels that have
    a reference. MiDaS (Ranftl et al. 2020, equation 4) aligns by least squares; there
    one wrong pixel moves the result. `least_absolute` minimises the sum of absolute
    residuals by reweighted least squares, and stands a third of wrong pixels.

    Args:
      prediction: relative inverse depth, any scale and shift.
      reference: metres along the optical axis, 0 = missing.
      mask: object coverage in [0, 1].
      method: one of `ALIGNMENTS`.

    Returns:
      Per metre. If the prediction is constant, scale 0 and the best constant as shift;
      without any valid pixel, both are 0.

    Raises:
      InputError: unknown method.
    """
    if method not in ALIGNMENTS:
        valid = ", ".join(ALIGNMENTS)
        raise InputError(f"unknown alignment {method!r}; valid: {valid}")
    valid = object_pixels(reference, mask)
    inverse = 1 / jnp.where(valid, reference, 1.0)
    seen = jnp.where(valid, prediction, 0.0)
    return ALIGNMENTS[method](seen, inverse, valid.astype(inverse.dtype))


def least_squares(
    prediction: Float[Array, "H W"],
    target: Float[Array, "H W"],
    weight: Float[Array, "H W"],
) -> ScaleShift:
    """The line through (prediction, target) of least weighted squared residuals."""
    weight = weight / _nonzero(jnp.sum(weight))
    center = jnp.sum(weight * prediction)
    middle = jnp.sum(weight * target)
    spread = prediction - center
    variance = jnp.sum(weight * spread**2)
    size = jnp.sum(weight * prediction**2)
    scale = jnp.sum(weight * spread * (target - middle))
    scale = jnp.where(variance > FLAT**2 * size, scale / _nonzero(variance), 0.0)
    return ScaleShift(scale, middle - scale * center)


def least_absolute(
    prediction: Float[Array, "H W"],
    target: Float[Array, "H W"],
    weight: Float[Array, "H W"],
) -> ScaleShift:
    """The line of least weighted absolute residuals; for a constant, the median."""
    smallest = SMALLEST_RESIDUAL * jnp.max(jnp.abs(target) * weight)

    def refine(_, line):
        residual = jnp.abs(line.scale * prediction + line.shift - target)
        reweighted = weight / jnp.maximum(residual, _nonzero(smallest))
        return least_squares(prediction, target, reweighted)

    first = least_squares(prediction, target, weight)
    return jax.lax.fori_loop(0, REPETITIONS, refine, first)


ALIGNMENTS = {"least_squares": least_squares, "least_absolute": least_absolute}


def _nonzero(value):
    """A denominator; 1 in place of 0, where the numerator is 0 as well."""
    return jnp.where(value > 0, value, 1.0)
