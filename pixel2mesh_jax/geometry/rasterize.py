"""The depth map of a mesh, differentiable in its vertices.

Which triangle a pixel shows is looked for without a gradient: the faces stream past all
pixels in blocks, and only the nearest depth and its face are kept, so there is never an
array of pixels times faces. Then the corners of that face are gathered, and the depth
is computed again: where the ray of the pixel meets the plane of the triangle,

    depth = n . a / n . r,    n the normal, a a corner, r the ray with z = -1.

So gradients are exact inside of a triangle. They do not say that an outline moves; for
that there are the terms of `losses/view_terms.py`.

A triangle covers a pixel if the centre is inside of its projection or on its border,
seen from either side; pixel centres are at integers, see `geometry/camera.py`. Faces
with a corner at or behind the plane of the camera are not shown.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.structures import Array

# Faces per loop iteration, unrolled into one fused kernel.
BLOCK = 8
# Least depth of a corner that is shown, in the unit of the vertices.
NEAREST = 1e-3
NO_FACE = -1


class Rendering(NamedTuple):
    """A depth map.

    Attributes:
      depth: along the optical axis, unit of the vertices; 0 where there is no face.
      face: row of the faces, `NO_FACE` where there is none.
    """

    depth: Float[Array, "H W"]
    face: Int[Array, "H W"]


def render_depth(
    vertices: Float[Array, "V 3"],
    faces: Int[Array, "F 3"],
    intrinsics: Float[Array, "3 3"],
    shape: tuple[int, int],
    stride: int = 1,
) -> Rendering:
    """What a camera sees of a mesh.

    Args:
      vertices: camera frame.
      faces: rows of `vertices`, in any winding.
      intrinsics: pinhole matrix in pixels.
      shape: (height, width) of the image in pixels, static.
      stride: every so many rows and columns are rendered, from the first on.

    Returns:
      The depth map, with a gradient to the vertices, and the faces that it shows.
    """
    vertices, faces = jnp.asarray(vertices), jnp.asarray(faces)
    grid = camera.pixel_rays(shape, intrinsics)[::stride, ::stride]
    rays, shape = grid.reshape(-1, 3), grid.shape[:2]
    face = visible_faces(vertices, faces, rays)
    corners = vertices[faces[jnp.maximum(face, 0)]]
    depth = jnp.where(face >= 0, plane_depth(corners, rays), 0)
    return Rendering(depth.reshape(shape), face.reshape(shape))


def visible_faces(
    vertices: Float[Array, "V 3"],
    faces: Int[Array, "F 3"],
    rays: Float[Array, "N 3"],
) -> Int[Array, " N"]:
    """The nearest face along every ray, `NO_FACE` for none; the first of equals.

    Args:
      vertices: camera frame.
      faces: rows of `vertices`.
      rays: directions from the camera with z = -1.
    """
    vertices, rays = jax.lax.stop_gradient((vertices, rays))
    blocks = _blocks(vertices, faces)
    x, y = rays[:, 0], rays[:, 1]

    def visit(i, best):
        nearest, found = best
        block = jax.lax.dynamic_index_in_dim(blocks, i, keepdims=False)
        for k, line in enumerate(block):
            inverse = _inverse_depth(line, x, y)
            nearer = inverse > nearest
            nearest = jnp.where(nearer, inverse, nearest)
            found = jnp.where(nearer, i * len(block) + k, found)
        return nearest, found

    start = jnp.zeros_like(x), jnp.full(x.shape, NO_FACE, jnp.int32)
    return jax.lax.fori_loop(0, len(blocks), visit, start)[1]


def plane_depth(
    corners: Float[Array, "N 3 3"], rays: Float[Array, "N 3"]
) -> Float[Array, " N"]:
    """Depth where rays with z = -1 meet the planes of triangles; 0 if never."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = jnp.cross(b - a, c - a)
    height = jnp.sum(normal * a, axis=-1)
    along = jnp.sum(normal * rays, axis=-1)
    meets = along != 0
    return jnp.where(meets, height / jnp.where(meets, along, 1), 0)


def _blocks(vertices, faces):
    """Four linear functions of (x, y, 1) per face, in blocks (blocks, size, 4, 3).

    Three are the sides of the projected triangle, positive inside; the last one is the
    inverse depth of its plane. All are 0 for a face that is not shown.
    """
    corners = vertices[faces]
    depth = -corners[..., 2]
    shown = jnp.all(depth > NEAREST, axis=1)
    depth = jnp.where(shown[:, None], depth, 1)
    flat = jnp.stack([corners[..., 0] / depth, corners[..., 1] / depth], axis=-1)
    a, b, c = flat[:, 0], flat[:, 1], flat[:, 2]
    area = _cross(b - a, c - a)
    shown &= area != 0
    scale = jnp.where(shown, 1 / jnp.where(shown, area, 1), 0)
    weights = [_side(p, q) * scale[:, None] for p, q in ((b, c), (c, a), (a, b))]
    weights = jnp.stack(weights, axis=1)
    inverse = jnp.sum(weights / depth[..., None], axis=1)
    lines = jnp.concatenate([weights, inverse[:, None]], axis=1)
    lines = jnp.where(shown[:, None, None], lines, 0)
    size = min(BLOCK, len(faces))
    lines = jnp.pad(lines, ((0, -len(faces) % size), (0, 0), (0, 0)))
    return lines.reshape(-1, size, 4, 3)


def _side(p, q):
    """(x, y, 1) -> twice the area of the triangle of p, q and (x, y)."""
    slope = q - p
    return jnp.stack([-slope[:, 1], slope[:, 0], _cross(p, q)], axis=-1)


def _cross(a, b):
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _inverse_depth(lines, x, y):
    """Of one face along every ray; 0 where the ray misses it."""
    u, v, w, inverse = (line[0] * x + line[1] * y + line[2] for line in lines)
    inside = (u >= 0) & (v >= 0) & (w >= 0)
    return jnp.where(inside, inverse, 0)
