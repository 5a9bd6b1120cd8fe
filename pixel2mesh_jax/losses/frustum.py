"""The objective of signed distances in the view volume.

Cells that the view shows to be empty weigh little, cells near the surface much; the
rest is what the network is for: the side that nobody sees.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int8, UInt8

from pixel2mesh_jax.geometry import frustum
from pixel2mesh_jax.geometry.frustum import TRUNCATION
from pixel2mesh_jax.losses.stages import Terms, batch_mean
from pixel2mesh_jax.structures import Array, Batch, VolumeOutputs

# Distance in cells over which a cell goes from inside to outside.
SOFTNESS = 0.5
# Weights of cells that are seen to be empty, and of those within one cell of the
# surface; 1 for the others.
FREE_WEIGHT = 0.1
SURFACE_WEIGHT = 2.0
# Range of int8 distances.
FULL = 127


class FrustumWeights(NamedTuple):
    """Weights of the losses of the view volume.

    Attributes:
      distance: L1 of the signed distances in cells.
      sign: cross entropy of inside and outside.
      overlap: 1 - soft IoU of the cells behind the visible surface.
      far_color: L1 of the colours of the far side.
      front: L1 of the first layer of every ray, as a share of all; without depth.
      near: |log| of the distance of the object; without depth.
    """

    distance: float = 1.0
    sign: float = 1.0
    overlap: float = 1.0
    far_color: float = 0.5
    front: float = 2.0
    near: float = 1.0


def frustum_terms(found: VolumeOutputs, batch: Batch, weights: FrustumWeights) -> Terms:
    """Weighted terms of a volume, which stands where that of the truth does."""
    target = batch.distances
    sums = {
        "distance": jax.vmap(distance_error)(found.distances, target, found.base),
        "sign": jax.vmap(sign_error)(found.distances, target, found.base),
        "overlap": jax.vmap(overlap_error)(found.distances, target, found.base),
        "far_color": jax.vmap(far_color_error)(found.far_colors, batch.far_colors),
    }
    blind = 1 - found.has_depth
    sums["front"] = blind * jax.vmap(front_error)(found.front, target)
    sums["near"] = blind * jnp.abs(jnp.log(found.near / batch.placement[:, 3]))
    return {
        name: getattr(weights, name) * batch_mean(error, batch)
        for name, error in sums.items()
    }


def moved_target(
    distances: Int8[Array, "R R L"],
    placement: Float[Array, "5"],
    wanted: Float[Array, "5"],
) -> Float[Array, "R R L"]:
    """Distances of a target in a volume with other layers on the same rays.

    Linear between layers, constant beyond the first and the last one. In cells of the
    wanted volume; what was truncated stays truncated.
    """
    values = distances.astype(jnp.float32) * (TRUNCATION / FULL)
    layers = values.shape[-1]
    old, new = frustum.unpack(placement), frustum.unpack(wanted)
    depths = frustum.layer_depths(new, layers)
    place = (depths - old.near) / old.extent * layers - 0.5
    place = jnp.clip(place, 0, layers - 1)
    away = jnp.abs(place[None] - jnp.arange(layers, dtype=place.dtype)[:, None])
    values = values @ jnp.maximum(1 - away, 0)
    scaled = values * (old.extent / new.extent)
    truncated = jnp.abs(values) >= TRUNCATION * (1 - 0.5 / FULL)
    limited = jnp.clip(scaled, -TRUNCATION, TRUNCATION)
    return jnp.where(truncated, jnp.sign(values) * TRUNCATION, limited)


def distance_error(
    distances: Float[Array, "R R L"],
    target: Float[Array, "R R L"],
    base: Float[Array, "R R L"],
) -> Float[Array, ""]:
    """Weighted mean |difference| in cells; one-sided where the target is truncated."""
    far = jnp.abs(target) >= TRUNCATION
    beyond = jnp.maximum(TRUNCATION - distances * jnp.sign(target), 0)
    error = jnp.where(far, beyond, jnp.abs(distances - target))
    return _weighted_mean(error, target, base)


def sign_error(
    distances: Float[Array, "R R L"],
    target: Float[Array, "R R L"],
    base: Float[Array, "R R L"],
) -> Float[Array, ""]:
    """Weighted mean cross entropy of being inside."""
    logit = -distances / SOFTNESS
    error = jax.nn.softplus(jnp.where(target < 0, -logit, logit))
    return _weighted_mean(error, target, base)


def overlap_error(
    distances: Float[Array, "R R L"],
    target: Float[Array, "R R L"],
    base: Float[Array, "R R L"],
) -> Float[Array, ""]:
    """1 - soft IoU of the cells that the view does not show to be empty."""
    hidden = base < 0
    found = jnp.where(hidden, jax.nn.sigmoid(-distances / SOFTNESS), 0)
    true = jnp.where(hidden & (target < 0), 1.0, 0.0)
    both = jnp.sum(found * true)
    return 1 - (both + 1) / (jnp.sum(found) + jnp.sum(true) - both + 1)


def far_color_error(
    colors: Float[Array, "R R 3"], true: UInt8[Array, "R R 3"]
) -> Float[Array, ""]:
    """Mean |difference| where there is a far side; it is black where there is none."""
    true = true.astype(colors.dtype) / 255
    there = jnp.any(true > 0, axis=-1, keepdims=True).astype(colors.dtype)
    total = jnp.sum(jnp.abs(colors - true) * there)
    return total / jnp.maximum(3 * jnp.sum(there), 1)


def front_error(
    front: Float[Array, "R R"], target: Float[Array, "R R L"]
) -> Float[Array, ""]:
    """Mean |difference| to the first layer inside, over the rays that have one."""
    inside = target < 0
    there = jnp.any(inside, axis=-1).astype(front.dtype)
    first = jnp.argmax(inside, axis=-1) / target.shape[-1]
    total = jnp.sum(jnp.abs(front - first) * there)
    return total / jnp.maximum(jnp.sum(there), 1)


def _weighted_mean(error, target, base):
    weight = jnp.where(jnp.abs(target) < 1, SURFACE_WEIGHT, 1.0)
    weight = jnp.where(base > 0, FREE_WEIGHT, weight)
    return jnp.sum(error * weight) / jnp.sum(weight)
