"""Perceptual feature pooling: the image features of a vertex, by named conventions.

A vertex is projected to pixel u of an image of I pixels and a map of S cells is sampled
there. The conventions differ in where that is on the map and in what is outside.

name            cell                              outside           behind the camera
half_pixel      (u + 0.5) S / I - 0.5             border value      clamped to its plane
align_corners   clip(u, 0, I-1) (S-1) / (I-1)     border value      mirrored
p2m_torch       clip(u, 0, I-1) S / (I-1) - 0.5   half the border   mirrored
p2m_tf          clip(u S / I, 0, S-1)             0                 mirrored

`half_pixel` is the convention of this project. The others compute what published
weights were trained with (FACTS 1.2.4):

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
from pixel2mesh_jax.structures import Array


class Pooling(NamedTuple):
    """How a vertex finds its features.

    Attributes:
      project: camera-frame points and intrinsics to pixels (u, v).
      sample: a feature map (H, W, C), pixels (N, 2) and the (height, width) of the
        image to features (N, C).
    """

    project: Callable[[Array, Array], Array]
    sample: Callable[[Array, Array, tuple[int, int]], Array]


def half_pixel(
    feature_map: Float[Array, "H W C"],
    uv: Float[Array, "N 2"],
    image_shape: tuple[int, int],
) -> Float[Array, "N C"]:
    """Image and map cover each other edge to edge."""
    cells = interpolate.half_pixel(uv, image_shape, feature_map.shape[:2])
    return interpolate.sample_bilinear(feature_map, cells)


def align_corners(
    feature_map: Float[Array, "H W C"],
    uv: Float[Array, "N 2"],
    image_shape: tuple[int, int],
) -> Float[Array, "N C"]:
    """The centres of the outer pixels lie on the centres of the outer cells."""
    last = jnp.array(feature_map.shape[1::-1]) - 1
    cells = _share_of_image(uv, image_shape) * last[None]
    return interpolate.sample_bilinear(feature_map, cells)


def p2m_torch(
    feature_map: Float[Array, "H W C"],
    uv: Float[Array, "N 2"],
    image_shape: tuple[int, int],
) -> Float[Array, "N C"]:
    """The centres of the outer pixels lie on the edges of the map; 0 around it."""
    size = jnp.array(feature_map.shape[1::-1])
    cells = _share_of_image(uv, image_shape) * size[None] - 0.5
    return interpolate.sample_bilinear_zeros(feature_map, cells)


def p2m_tf(
    feature_map: Float[Array, "H W C"],
    uv: Float[Array, "N 2"],
    image_shape: tuple[int, int],
) -> Float[Array, "N C"]:
    """Pixel 0 lies on the centre of cell 0; 0 at whole cells and outside."""
    size = jnp.array(feature_map.shape[1::-1])
    cells = uv / (jnp.array(image_shape[::-1]) / size)[None]
    cells = jnp.clip(cells, 0, size[None] - 1)
    low, high = jnp.floor(cells), jnp.ceil(cells)
    before, after = (x.astype(feature_map.dtype) for x in (high - cells, cells - low))
    left, top = before[:, :1], before[:, 1:]
    right, bottom = after[:, :1], after[:, 1:]
    (u0, v0), (u1, v1) = low.astype(jnp.int32).T, high.astype(jnp.int32).T
    upper = left * feature_map[v0, u0] + right * feature_map[v0, u1]
    lower = left * feature_map[v1, u0] + right * feature_map[v1, u1]
    return top * upper + bottom * lower


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
