"""The cube of an implicit model: where its field is asked, around what a view shows.

    camera               near        center           far
      o  - - - - - - - - - +-----------o-----------+      side x side x side,
       \\___________________|___________|___________|      axes as those of the camera

Positions in the cube are in its sides and go from -0.5 to 0.5 along x, y and z, as the
unit cubes of IF-Net and DISN do; so do distances. The cube follows the object: a depth
map in other units gives the same field, and the cube its results in those units.

The functions take numpy and JAX arrays and return what they were given.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Num

from pixel2mesh_jax.geometry import frustum
from pixel2mesh_jax.structures import Array

# Room around the visible part of the object, and around a cloud; shares of its size.
MARGIN = 1.04
CLOUD_MARGIN = 1.25
# Without depth: where the middle of an object of R2N2 views is on average, metres, and
# a side that holds it wherever it is within their range of distances.
TYPICAL_DEPTH = 0.8
BLIND_SIDE = 0.8
# Least side; a view or a cloud of nothing has a cube all the same.
MIN_SIDE = 1e-3


class Cube(NamedTuple):
    """Where a field is asked.

    Attributes:
      center: of the cube, camera frame, unit of the depth map.
      side: length of its edges in that unit.
    """

    center: Float[Array, "*batch 3"]
    side: Float[Array, "*batch"]


def of_view(
    depth: Float[Array, "*batch H W"],
    mask: Float[Array, "*batch H W"],
    intrinsics: Float[Array, "*batch 3 3"],
) -> Cube:
    """The cube of a view; without depth (all 0) one that is large enough.

    Args:
      depth: along the optical axis, any unit; 0 = missing.
      mask: object coverage in [0, 1].
      intrinsics: pinhole matrix in pixels.
    """
    xp = depth.__array_namespace__()
    volume = frustum.view_volume(depth, mask, intrinsics)
    far = volume.near + volume.extent
    outline = volume.size / frustum.MARGIN
    side = MARGIN * xp.maximum(outline * far, volume.extent)
    middle = volume.near + volume.extent / 2
    blind = ~xp.any((depth > 0) & (mask >= frustum.MIN_COVERAGE), axis=(-2, -1))
    side = xp.where(blind, BLIND_SIDE, xp.maximum(side, MIN_SIDE)).astype(depth.dtype)
    middle = xp.where(blind, TYPICAL_DEPTH, middle).astype(depth.dtype)
    ray = xp.concatenate([volume.center, -xp.ones_like(volume.center[..., :1])], -1)
    return Cube(ray * middle[..., None], side)


def of_cloud(points: Float[Array, "*batch N 3"]) -> Cube:
    """The cube around a cloud of surface points, of which some may be missing."""
    xp = points.__array_namespace__()
    low, high = xp.min(points, axis=-2), xp.max(points, axis=-2)
    side = CLOUD_MARGIN * xp.max(high - low, axis=-1)
    return Cube((low + high) / 2, xp.maximum(side, MIN_SIDE))


def inside(
    points: Float[Array, "*batch N 3"], cube: Cube
) -> Float[Array, "*batch N 3"]:
    """Camera-frame points as positions in the cube; -0.5 to 0.5 within it."""
    return (points - cube.center[..., None, :]) / cube.side[..., None, None]


def outside(
    positions: Float[Array, "*batch N 3"], cube: Cube
) -> Float[Array, "*batch N 3"]:
    """Camera-frame points of positions in the cube; the inverse of `inside`."""
    return positions * cube.side[..., None, None] + cube.center[..., None, :]


def nodes(index: Num[np.ndarray, "N 3"], resolution: int) -> Float[np.ndarray, "N 3"]:
    """Positions of (row, column, layer) on a grid of cell middles; float32.

    Rows run downwards, columns to the right and layers away from the camera, as in
    `isosurface.marching_cubes`.
    """
    place = (np.asarray(index, np.float32) + np.float32(0.5)) / np.float32(resolution)
    row, column, layer = (place - np.float32(0.5)).T
    return np.stack([column, -row, -layer], axis=-1)
