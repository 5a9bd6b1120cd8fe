"""Perceptual feature pooling, as the linear layer behind it sees it.

Sampling a feature map is linear in the map, so a matrix may be applied to the samples
or to the map before it is sampled. The result is the same; the work is that of the
side with fewer rows: vertices, or cells of the map.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from pixel2mesh_jax.geometry import interpolate, pooling
from pixel2mesh_jax.structures import Array

# A feature map (B, H, W, C) to its values at the vertices (V, B, C).
Sampler = Callable[[Array], Array]


class Unsampled(NamedTuple):
    """The features of vertices in one map, before they are looked up.

    Attributes:
      feature_map: (B, H, W, C).
      sample: looks them up, in this map or in any other of its height and width.
      num_vertices: V, of the result.
    """

    feature_map: Array
    sample: Sampler
    num_vertices: int


# What is known of the vertices: features (V, B, C), or where to find them.
Parts = list[Array | Unsampled]


def sampler(
    vertices: Float[Array, "V B 3"],
    intrinsics: Float[Array, "B 3 3"],
    image_shape: tuple[int, int],
    convention: str = "half_pixel",
) -> Sampler:
    """What samples a feature map where the vertices project.

    Args:
      vertices: metres, in the camera frame of each sample.
      intrinsics: pinhole matrix in pixels of the image.
      image_shape: its height and width in pixels.
      convention: one of `geometry.pooling.POOLINGS`.
    """
    project, corners = pooling.POOLINGS[convention]
    pixels = jax.vmap(project, in_axes=(1, 0))(vertices, intrinsics)
    return pixel_sampler(pixels, image_shape, corners)


def pixel_sampler(
    pixels: Float[Array, "B V 2"],
    image_shape: tuple[int, int],
    corners: pooling.FindCorners,
) -> Sampler:
    """The same for vertices whose pixels (u, v) are known."""

    def sample(maps):
        at = jax.vmap(lambda uv: corners(uv, image_shape, maps.shape[1:3]))(pixels)
        return interpolate.sample_maps(maps, at)

    return sample


def num_features(parts: Parts) -> int:
    """Of the concatenation."""
    return sum(_width(part) for part in parts)


def multiply(parts: Parts, kernel: Float[Array, "C F"]) -> Float[Array, "V B F"]:
    """The concatenated features of all parts, times a matrix."""
    ends = np.cumsum([_width(part) for part in parts])
    rows = jnp.split(kernel, ends[:-1])
    known, products = [], []
    for part, matrix in zip(parts, rows, strict=True):
        if isinstance(part, Unsampled) and _num_cells(part) < part.num_vertices:
            products.append(part.sample(part.feature_map @ matrix))
        elif isinstance(part, Unsampled):
            known.append((part.sample(part.feature_map), matrix))
        else:
            known.append((part, matrix))
    if known:
        features, matrices = zip(*known, strict=True)
        features = jnp.concatenate(features, axis=-1)
        products.append(features @ jnp.concatenate(matrices))
    return sum(products)


def _width(part):
    array = part.feature_map if isinstance(part, Unsampled) else part
    return array.shape[-1]


def _num_cells(part):
    _, height, width, _ = part.feature_map.shape
    return height * width
