"""Bilinear sampling of feature maps at pixel positions; the convention is named.

`half_pixel` (the default of this project; `align_corners=False` elsewhere): a map of S
cells covers an image of I pixels edge to edge, pixel u lies at
`(u + 0.5) * S / I - 0.5` on the map. Outside the image the border value is repeated.

`align_corners_zeros` (Mesh R-CNN): the borders of the image lie on the centres of the
outer cells, pixel u at `(u + 0.5) * (S - 1) / I`. Outside the map the value falls to 0
within one cell.
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


def align_corners(
    uv: Float[Array, "N 2"],
    image_shape: tuple[int, int],
    map_shape: tuple[int, int],
) -> Float[Array, "N 2"]:
    """Pixels as cells, the borders of the image on the centres of the outer cells."""
    last = jnp.array(map_shape[::-1]) - 1
    return (uv + 0.5) * (last / jnp.array(image_shape[::-1]))[None]


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


def sample_bilinear_zeros(
    feature_map: Float[Array, "H W C"], uv: Float[Array, "N 2"]
) -> Float[Array, "N C"]:
    """Values at (u, v) cells of a map that is 0 outside; differentiable in both."""
    framed = jnp.pad(feature_map, ((1, 1), (1, 1), (0, 0)))
    return sample_bilinear(framed, uv + 1)


def sample_nearest(
    feature_map: Float[Array, "H W C"], uv: Float[Array, "N 2"]
) -> Float[Array, "N C"]:
    """Values of the cells nearest to (u, v), clamped to the border cells."""
    height, width, _ = feature_map.shape
    limit = jnp.array([width - 1, height - 1])
    u, v = jnp.clip(jnp.round(uv).astype(jnp.int32), 0, limit[None]).T
    return feature_map[v, u]


def reflect(
    uv: Float[Array, "N 2"], low: Float[Array, "2"], high: Float[Array, "2"]
) -> Float[Array, "N 2"]:
    """Positions mirrored at `low` and `high` (per axis) until they lie between them."""
    span = (high - low)[None]
    distance = jnp.abs(uv - low[None]) % (2 * span)
    return low[None] + jnp.minimum(distance, 2 * span - distance)
