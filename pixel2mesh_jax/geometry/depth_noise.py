"""Makes a rendered depth map look as if a sensor had taken it; JAX, one map at a time.

    jitter        of every pixel, and of patches of pixels: surfaces are not flat
    quantisation  steps that grow with the square of the distance
    holes         single pixels, pixels at edges, and round patches without depth
    flying pixels at edges, between the near and the far surface

All lengths are relative to the depth of the object, so the unit does not matter.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Key

from pixel2mesh_jax.structures import Array

# Largest standard deviation of the jitter, and largest step of the quantisation, over
# the depth; a structured-light sensor at 0.7 m has about 0.002 of both.
JITTER = 0.004
STEP = 0.004
# Largest shares of pixels without depth: anywhere, and beside an edge.
MISSING = 0.05
MISSING_AT_EDGES = 0.5
# Largest share of pixels at an edge that fly.
FLYING = 0.2
# Neighbouring depths that differ by more than this share are an edge.
EDGE = 0.02
# Round patches without depth, and their largest radius over the size of the image.
PATCHES = 3
PATCH_RADIUS = 0.08
# Pixels per side of the patches that jitter together.
COARSE = 8


def sensor_like(
    key: Key[Array, ""],
    depth: Float[Array, "H W"],
    mask: Float[Array, "H W"],
    share: float,
) -> Float[Array, "H W"]:
    """With probability `share` a worse depth map, else the same one.

    How much worse is drawn anew each time.

    Args:
      key: decides everything.
      depth: any unit, 0 = missing.
      mask: object coverage; patches without depth lie on the object.
      share: probability, in [0, 1].
    """
    coin, strength_key, *keys = jax.random.split(key, 6)
    strength = jax.random.uniform(strength_key, (4,))
    worse = _jittered(keys[0], depth, JITTER * strength[0] ** 2)
    worse = _quantised(worse, STEP * strength[1] ** 2)
    worse = _flying(keys[1], worse, FLYING * strength[2])
    worse = jnp.where(_holes(keys[2], depth, strength[3]), 0, worse)
    worse = jnp.where(_patches(keys[3], mask), 0, worse)
    return jnp.where(jax.random.bernoulli(coin, share), worse, depth)


def _jittered(key, depth, deviation):
    fine_key, coarse_key = jax.random.split(key)
    height, width = depth.shape
    coarse = jax.random.normal(coarse_key, (height // COARSE + 1, width // COARSE + 1))
    coarse = jax.image.resize(coarse, depth.shape, "linear")
    noise = jax.random.normal(fine_key, depth.shape) + coarse
    return depth * (1 + deviation * noise)


def _quantised(depth, step):
    """Equal steps in inverse depth: disparities of a stereo pair."""
    typical = jnp.max(depth)
    unit = jnp.maximum(step, 1e-6) / jnp.where(typical > 0, typical, 1)
    inverse = 1 / jnp.where(depth > 0, depth, 1)
    steps = jnp.maximum(jnp.round(inverse / unit), 1)
    return jnp.where(depth > 0, 1 / (steps * unit), 0)


def _neighbor(depth):
    """Depth of the pixel to the right, and where it belongs to another surface."""
    other = jnp.roll(depth, -1, axis=1)
    edge = (depth > 0) & (other > 0) & (jnp.abs(other - depth) > EDGE * depth)
    return other, edge


def _flying(key, depth, share):
    other, edge = _neighbor(depth)
    draw_key, mix_key = jax.random.split(key)
    mix = jax.random.uniform(mix_key, depth.shape)
    flies = edge & jax.random.bernoulli(draw_key, share, depth.shape)
    return jnp.where(flies, depth + mix * (other - depth), depth)


def _holes(key, depth, strength):
    _, edge = _neighbor(depth)
    rim = (depth > 0) & (jnp.roll(depth, 1, axis=1) * jnp.roll(depth, -1, axis=1) == 0)
    share = jnp.where(edge | rim, MISSING_AT_EDGES * strength, MISSING * strength**2)
    return jax.random.uniform(key, depth.shape) < share


def _patches(key, mask):
    """Discs around random pixels of the object, half of them of radius 0."""
    place_key, radius_key = jax.random.split(key)
    chance = mask.ravel() / jnp.maximum(jnp.sum(mask), 1e-6)
    cumulated = jnp.cumsum(chance)
    center = jnp.searchsorted(cumulated, jax.random.uniform(place_key, (PATCHES,)))
    draw = jax.random.uniform(radius_key, (PATCHES,), minval=-1.0)
    radius = PATCH_RADIUS * mask.shape[0] * jnp.maximum(draw, 0)
    row, column = jnp.divmod(center, mask.shape[1])
    down = jnp.arange(mask.shape[0])[None, :, None] - row[:, None, None]
    right = jnp.arange(mask.shape[1])[None, None] - column[:, None, None]
    return jnp.any(down**2 + right**2 < radius[:, None, None] ** 2, axis=0)
