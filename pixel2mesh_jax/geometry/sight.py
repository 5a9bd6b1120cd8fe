"""What a view says about any point: how far it is from the surface that is seen.

A point projects to a pixel. There the depth map says how far the surface is, and in
which direction it faces; the mask says whether the point is on the object at all, and
if not, where the nearest pixel of it is. Beside the object the depth of the nearest
object pixel counts.

    maps = view_maps(depth, mask, intrinsics)        # once per view
    seen = look_up(points, maps, intrinsics)         # for any points of its frame

Functions of one view; all lengths in the unit of the depth map. The maps carry no
gradient. What is looked up has one with respect to the points, except for `depth`,
`normal` and `cosine`, which are constants: the surface does not move with the point.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from pixel2mesh_jax.geometry import camera, distance_map, frustum, interpolate, surface
from pixel2mesh_jax.structures import Array

# Depths of neighbouring pixels that differ by more than this share are two surfaces.
EDGE = 0.03


class ViewMaps(NamedTuple):
    """A view, ready to be asked.

    Attributes:
      depth: of the object; beside it that of the nearest object pixel; 0 = not known.
      normal: unit, towards the camera, of the same pixels; 0 = not known.
      outline: pixels to the outline of the mask, negative inside.
      nearest: (row, column) of the nearest object pixel.
    """

    depth: Float[Array, "H W"]
    normal: Float[Array, "H W 3"]
    outline: Float[Array, "H W"]
    nearest: Int[Array, "H W 2"]


class Sight(NamedTuple):
    """What the view says where points project.

    Attributes:
      depth: of the surface there; 0 = not known.
      residual: that less the depth of the point: positive before the surface; 0 where
        it is not known.
      known: 1 where there is a depth, else 0.
      outline: distance to the outline at the depth of the point, negative inside.
      towards: (x, y) to the nearest object pixel at the depth of the point; 0 on it.
      normal: of the surface; 0 = not known.
      cosine: between that and the ray, its size; 0 = not known. The residual times this
        is the distance to the plane of the surface: a face that is seen almost from
        its edge may have a large residual a fraction of a pixel away.
    """

    depth: Float[Array, " N"]
    residual: Float[Array, " N"]
    known: Float[Array, " N"]
    outline: Float[Array, " N"]
    towards: Float[Array, "N 2"]
    normal: Float[Array, "N 3"]
    cosine: Float[Array, " N"]


def view_maps(
    depth: Float[Array, "H W"],
    mask: Float[Array, "H W"],
    intrinsics: Float[Array, "3 3"],
) -> ViewMaps:
    """Prepares a view.

    Args:
      depth: along the optical axis, 0 = missing.
      mask: object coverage in [0, 1].
      intrinsics: pinhole matrix in pixels.
    """
    covered = mask >= frustum.COVERED
    own = jnp.where(covered, depth, 0)
    nearest = distance_map.nearest_pixel(covered)
    row, column = nearest[..., 0], nearest[..., 1]
    normal, known = frustum.depth_normals(
        camera.unproject(own, intrinsics), own, EDGE * _middle(own)
    )
    length = jnp.where(known, surface.safe_norm(normal), 1)[..., None]
    normal = jnp.where(known[..., None], normal / length, 0)
    outline = distance_map.signed_distance(covered)
    maps = ViewMaps(own[row, column], normal[row, column], outline, nearest)
    return jax.lax.stop_gradient(maps)


def look_up(
    points: Float[Array, "N 3"], maps: ViewMaps, intrinsics: Float[Array, "3 3"]
) -> Sight:
    """What the view says about points of its camera frame; beyond its border clamped.

    Args:
      points: before the camera.
      maps: of the view.
      intrinsics: pinhole matrix in pixels.
    """
    shape = maps.depth.shape
    uv = camera.project(points, intrinsics)
    at = interpolate.corners(uv, shape)
    apart = -points[:, 2]
    length = apart / _focal(intrinsics)
    depth = _depth_at(maps.depth, at)
    known = (depth > 0).astype(points.dtype)
    normal = maps.normal.reshape(-1, 3)[_nearest_cell(at)]
    length_of_ray = jnp.maximum(surface.safe_norm(points), camera.MIN_DEPTH)
    cosine = jnp.abs(jnp.sum(normal * points, axis=-1)) / length_of_ray
    outline = interpolate.sample(maps.outline[..., None], at)[:, 0]
    return Sight(
        depth=depth,
        residual=known * (depth - apart),
        known=known,
        outline=length * outline,
        towards=length[:, None] * _steps(uv, maps.nearest, at),
        normal=normal,
        cosine=jax.lax.stop_gradient(cosine),
    )


def _focal(intrinsics):
    return (intrinsics[0, 0] + intrinsics[1, 1]) / 2


def _middle(depth):
    """Mean of the depths that there are."""
    there = depth > 0
    return jnp.sum(depth) / jnp.maximum(jnp.sum(there.astype(depth.dtype)), 1)


def _depth_at(depth, at):
    flat = depth.reshape(-1)
    around = flat[at.cells]
    weights = jax.lax.stop_gradient(at.weights)
    edge = EDGE * jnp.max(around, axis=1)
    return frustum.depth_of_corners(around, around > 0, weights, edge)


def _nearest_cell(at):
    best = jnp.argmax(at.weights, axis=1)[:, None]
    return jnp.take_along_axis(at.cells, best, axis=1)[:, 0]


def _steps(uv, nearest, at):
    """Pixels (x to the right, y up) to the nearest object pixel; 0 on the object."""
    cell = _nearest_cell(at)
    goal = nearest.reshape(-1, 2)[cell]
    away = goal[:, 0] * nearest.shape[1] + goal[:, 1] != cell
    goal = jnp.flip(goal, axis=1).astype(uv.dtype)
    return jnp.where(away[:, None], (goal - uv) * jnp.array([[1.0, -1.0]]), 0)
