"""Perceptual feature pooling: the image features of a vertex, by named conventions.

A vertex is projected to pixel u of an image of I pixels and a map of S cells is sampled
there. The conventions differ in where that is on the map and in what is outside.

name            cell                              outside           behind the camera
half_pixel      (u + 0.5) S / I - 0.5             border value      clamped to its plane
align_corners   clip(u, 0, I-1) (S-1) / (I-1)     border value      mirrored
p2m_torch       clip(u, 0, I-1) S / (I-1) - 0.5   half the border   mirrored
p2m_tf          clip(u S / I, 0, S-1)             0                 mirrored

`half_pixel` is the convention of this project. The others compute what published
weights were trained with:

`align_corners`: noahcao/Pixel2Mesh on PyTorch 1.1, for which it was written.
`p2m_torch`: the same program on PyTorch 1.3 and later, where the default of
  `grid_sample` changed.
`p2m_tf`: nywang16/Pixel2Mesh. Its weights are distances to the floor and the ceiling of
  the position, both 0 at a whole number: there, and so on and beyond the border, all
  features are 0.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float

from pixel2mesh_jax.geometry import camera, interpolate
from pixel2mesh_jax.geometry.interpolate import Corners
from pixel2mesh_jax.structures import Array

# Pixels (N, 2), (height, width) of the image and of a map -> the cells that count.
FindCorners = Callable[[Array, tuple[int, int], tuple[int, int]], Corners]


class Pooling(NamedTuple):
    """How a vertex finds its features.

    Attributes:
      project: camera-frame points and intrinsics to pixels (u, v).
      corners: finds the cells of a map that count for a pixel.
    """

    project: Callable[[Array, Array], Array]
    corners: FindCorners


def half_pixel(
    uv: Float[Array, "N 2"], image_shape: tuple[int, int], map_shape: tuple[int, int]
) -> Corners:
    """Image and map cover each other edge to edge."""
    cells = interpolate.half_pixel(uv, image_shape, map_shape)
    return interpolate.corners(cells, map_shape)


def align_corners(
    uv: Float[Array, "N 2"], image_shape: tuple[int, int], map_shape: tuple[int, int]
) -> Corners:
    """The centres of the outer pixels lie on the centres of the outer cells."""
    last = jnp.array(map_shape[::-1]) - 1
    cells = _share_of_image(uv, image_shape) * last[None]
    return interpolate.corners(cells, map_shape)


def align_corners_zeros(
    uv: Float[Array, "N 2"], image_shape: tuple[int, int], map_shape: tuple[int, int]
) -> Corners:
    """The borders of the image lie on the centres of the outer cells; 0 around it.

    Of Mesh R-CNN, which projects to device coordinates.
    """
    cells = interpolate.align_corners(uv, image_shape, map_shape)
    return interpolate.corners_zeros(cells, map_shape)


def p2m_torch(
    uv: Float[Array, "N 2"], image_shape: tuple[int, int], map_shape: tuple[int, int]
) -> Corners:
    """The centres of the outer pixels lie on the edges of the map; 0 around it."""
    size = jnp.array(map_shape[::-1])
    cells = _share_of_image(uv, image_shape) * size[None] - 0.5
    return interpolate.corners_zeros(cells, map_shape)


def p2m_tf(
    uv: Float[Array, "N 2"], image_shape: tuple[int, int], map_shape: tuple[int, int]
) -> Corners:
    """Pixel 0 lies on the centre of cell 0; 0 at whole cells and outside."""
    size = jnp.array(map_shape[::-1])
    cells = uv / (jnp.array(image_shape[::-1]) / size)[None]
    cells = jnp.clip(cells, 0, size[None] - 1)
    low, high = jnp.floor(cells), jnp.ceil(cells)
    first, second = (x.astype(jnp.int32) for x in (low, high))
    return interpolate.between(first, second, high - cells, cells - low, map_shape)


def _share_of_image(uv, image_shape):
    """Pixels as shares of the way from the first pixel centre to the last, clipped."""
    last = jnp.array(image_shape[::-1]) - 1
    return jnp.clip(uv / last[None], 0, 1)


POOLINGS = {
    "half_pixel": Pooling(camera.project, half_pixel),
    "align_corners": Pooling(camera.project_lines, align_corners),
    "p2m_torch": Pooling(camera.project_lines, p2m_torch),
    "p2m_tf": Pooling(camera.project_lines, p2m_tf),
}
