"""Bilinear sampling of feature maps at pixel positions; the convention is named.

`half_pixel` (the default of this project; `align_corners=False` elsewhere): a map of S
cells covers an image of I pixels edge to edge, pixel u lies at
`(u + 0.5) * S / I - 0.5` on the map. Outside the image the border value is repeated.

`align_corners_zeros` (Mesh R-CNN): the borders of the image lie on the centres of the
outer cells, pixel u at `(u + 0.5) * (S - 1) / I`. Outside the map the value falls to 0
within one cell.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from pixel2mesh_jax.geometry import gather
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


class Corners(NamedTuple):
    """The cells around positions, and how much each counts.

    Attributes:
      cells: rows of the flat map: row * S + column on one of S columns, which has four
        of them. A grid has eight, see `trilinear.py`.
      weights: differentiable in the positions.
    """

    cells: Int[Array, "*positions K"]
    weights: Float[Array, "*positions K"]


def corners(uv: Float[Array, "N 2"], map_shape: tuple[int, int]) -> Corners:
    """Of (u, v) cells, clamped to the border cells."""
    last = np.array(map_shape[::-1]) - 1
    uv = jnp.clip(uv, 0, jnp.asarray(last, uv.dtype)[None])
    low = jnp.floor(uv)
    first = low.astype(jnp.int32)
    second, fraction = jnp.minimum(first + 1, last[None]), uv - low
    return between(first, second, 1 - fraction, fraction, map_shape)


def corners_zeros(uv: Float[Array, "N 2"], map_shape: tuple[int, int]) -> Corners:
    """Of (u, v) cells of a map that is 0 outside."""
    size = np.array(map_shape[::-1])
    uv = jnp.clip(uv, -1, jnp.asarray(size, uv.dtype)[None])
    low = jnp.floor(uv)
    first, fraction = low.astype(jnp.int32), uv - low
    second = first + 1
    before = (1 - fraction) * _is_inside(first, size).astype(uv.dtype)
    after = fraction * _is_inside(second, size).astype(uv.dtype)
    first, second = (jnp.clip(x, 0, size[None] - 1) for x in (first, second))
    return between(first, second, before, after, map_shape)


def _is_inside(cell, size):
    return (cell >= 0) & (cell < size[None])


def between(
    first: Int[Array, "N 2"],
    second: Int[Array, "N 2"],
    before: Float[Array, "N 2"],
    after: Float[Array, "N 2"],
    map_shape: tuple[int, int],
) -> Corners:
    """The corners of cells, given as (column, row).

    Args:
      first: upper left cell.
      second: lower right cell.
      before: how much the first one counts, per axis.
      after: how much the second one counts, per axis.
      map_shape: height and width.
    """
    columns, rows = (jnp.stack([first[:, i], second[:, i]], axis=1) for i in (0, 1))
    right, down = (jnp.stack([before[:, i], after[:, i]], axis=1) for i in (0, 1))
    cells = rows[:, :, None] * map_shape[1] + columns[:, None, :]
    weights = down[:, :, None] * right[:, None, :]
    return Corners(cells.reshape(-1, 4), weights.reshape(-1, 4))


@jax.custom_vjp
def weigh(features: Float[Array, "M C"], at: Corners) -> Float[Array, "N C"]:
    """Weighted sums of K rows each; the flat map is `features`.

    Its gradient adds all corners up in one scatter, instead of one for each of them.
    """
    weights = at.weights.astype(features.dtype)
    return sum(
        weights[:, k, None] * gather.rows(features, at.cells[:, k])
        for k in range(at.cells.shape[1])
    )


def _weigh_forward(features, at):
    return weigh(features, at), (features, at)


def _weigh_backward(saved, cotangent):
    features, at = saved
    # In the precision of the positions: hundreds of shares meet in one cell, and their
    # sum in bfloat16 is off by several per cent.
    shares = at.weights[..., None] * cotangent[:, None].astype(at.weights.dtype)
    to_features = (
        jnp.zeros(features.shape, shares.dtype)
        .at[at.cells.ravel()]
        .add(
            shares.reshape(-1, features.shape[1]),
            mode="promise_in_bounds",
            wrap_negative_indices=False,
        )
    )
    products = [
        jnp.sum(cotangent * gather.rows(features, at.cells[:, k]), axis=1)
        for k in range(at.cells.shape[1])
    ]
    to_weights = jnp.stack(products, axis=1).astype(at.weights.dtype)
    return to_features.astype(features.dtype), Corners(None, to_weights)


weigh.defvjp(_weigh_forward, _weigh_backward)


def sample_maps(maps: Float[Array, "B H W C"], at: Corners) -> Float[Array, "V B C"]:
    """Values of a batch of maps, each at its own V positions.

    Args:
      maps: one per sample.
      at: corners (B, V, 4).
    """
    batch_size, height, width, channels = maps.shape
    start = jnp.arange(batch_size, dtype=jnp.int32)[:, None, None] * (height * width)
    together = Corners(at.cells + start, at.weights)
    together = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0).reshape(-1, 4), together)
    return weigh(maps.reshape(-1, channels), together).reshape(-1, batch_size, channels)


def sample(feature_map: Float[Array, "H W C"], at: Corners) -> Float[Array, "N C"]:
    """Values of one map at N positions; differentiable in both."""
    feature_map = jnp.asarray(feature_map)
    return weigh(feature_map.reshape(-1, feature_map.shape[-1]), at)
