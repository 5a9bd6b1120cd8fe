"""Bilinear sampling of feature maps at pixel positions; the convention is named.

`half_pixel` (the default of this project; `align_corners=False` elsewhere): a map of S
cells covers an image of I pixels edge to edge, pixel u lies at
`(u + 0.5) * S / I - 0.5` on the map. Outside the image the border value is repeated.
"""

import jax.numpy as jnp
from jaxtyping import Float

from pixel2mesh_jax.structures import Array


def half_pixel(
    uv: Float[Array, "N 2"],
    image_shape: tuple[int, int],
    map_shape: tuple[int, int],
) -> Float[Array, "N 2"]:
    """Positions (u, v) in image pixels as positions (u, v) in cells of a map."""
    scale = jnp.array(map_shape[::-1]) / jnp.array(image_shape[::-1])
    return (uv + 0.5) * scale[None] - 0.5


def sample_bilinear(
    feature_map: Float[Array, "H W C"], uv: Float[Array, "N 2"]
) -> Float[Array, "N C"]:
    """Values at (u, v) cells, clamped to the border cells.

    Differentiable in both arguments; the gradient to `uv` is 0 outside the map.
    """
    height, width, _ = feature_map.shape
    limit = jnp.array([width - 1, height - 1], uv.dtype)
    uv = jnp.clip(uv, 0, limit[None])
    low = jnp.floor(uv)
    fraction = (uv - low).astype(feature_map.dtype)
    u0, v0 = low.astype(jnp.int32).T
    u1, v1 = jnp.minimum(u0 + 1, width - 1), jnp.minimum(v0 + 1, height - 1)
    right, down = fraction[:, :1], fraction[:, 1:]
    top = (1 - right) * feature_map[v0, u0] + right * feature_map[v0, u1]
    bottom = (1 - right) * feature_map[v1, u0] + right * feature_map[v1, u1]
    return (1 - down) * top + down * bottom
