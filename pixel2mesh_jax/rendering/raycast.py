"""Which triangle does every pixel see, and where: rays through Embree, on the host.

The camera stands at the origin of the camera frame (`geometry/camera.py`). Embree only
answers which triangle a ray hits first (in float32); where it hits is computed here in
float64, so that depth and barycentric coordinates are exact.
"""

from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Int
from trimesh.ray.ray_pyembree import RayMeshIntersector

from pixel2mesh_jax.geometry import camera


class Hits(NamedTuple):
    """What the rays of an image hit first.

    Attributes:
      triangle: row of `faces`, -1 where the ray leaves the scene.
      barycentric: weights of the three corners, zero without a hit.
      depth: metres along the optical axis (-z), 0 without a hit.
    """

    triangle: Int[np.ndarray, "H W"]
    barycentric: Float[np.ndarray, "H W 3"]
    depth: Float[np.ndarray, "H W"]


class Scene(NamedTuple):
    """A mesh that rays can hit; worth keeping for several images of it.

    Attributes:
      vertices: metres, any frame.
      faces: rows of `vertices`; seen from both sides.
      intersector: of trimesh, on Embree.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    intersector: RayMeshIntersector


def make_scene(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Scene:
    """Sorts the triangles of a mesh for ray casting."""
    mesh = trimesh.Trimesh(vertices, faces, process=False, validate=False)
    return Scene(np.asarray(vertices, np.float64), faces, RayMeshIntersector(mesh))


def cast(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    intrinsics: Float[np.ndarray, "3 3"],
    shape: tuple[int, int],
    supersample: int = 1,
) -> Hits:
    """As `cast_scene`, for one image of a mesh in the camera frame."""
    scene = make_scene(vertices, faces)
    return cast_scene(scene, np.eye(4), intrinsics, shape, supersample)


def cast_scene(
    scene: Scene,
    camera_from_scene: Float[np.ndarray, "4 4"],
    intrinsics: Float[np.ndarray, "3 3"],
    shape: tuple[int, int],
    supersample: int = 1,
) -> Hits:
    """Casts `supersample`² rays through every pixel of an image.

    Args:
      scene: see `make_scene`.
      camera_from_scene: rigid transform.
      intrinsics: pinhole matrix in pixels.
      shape: (height, width) of the image in pixels.
      supersample: rays per pixel side, on a regular grid. If it is odd, the middle one,
        `[s // 2 :: s]`, goes through the pixel centre.

    Returns:
      Hits of (height * supersample, width * supersample) rays.
    """
    fine = camera.resize_intrinsics(intrinsics, float(supersample), float(supersample))
    height, width = shape[0] * supersample, shape[1] * supersample
    hits = Hits(
        triangle=np.full((height, width), -1, np.int32),
        barycentric=np.zeros((height, width, 3)),
        depth=np.zeros((height, width)),
    )
    vertices = camera.transform_points(scene.vertices, camera_from_scene)
    window = _window(vertices, fine, (height, width))
    grid = camera.pixel_rays((height, width), fine)[window]
    rays = grid.reshape(-1, 3)
    triangle = _first_hits(scene, camera_from_scene, rays)
    hit = triangle >= 0
    seen, row = _distinct(triangle[hit], len(scene.faces))
    corners = vertices[scene.faces[seen]]
    barycentric = _barycentric(corners, row, rays[hit])
    hit = hit.reshape(grid.shape[:2])
    hits.triangle[window] = triangle.reshape(grid.shape[:2])
    hits.barycentric[window][hit] = barycentric
    hits.depth[window][hit] = -_total(barycentric * corners[row, :, 2])[:, 0]
    return hits


def first_hits(
    scene: Scene,
    origins: Float[np.ndarray, "N 3"],
    directions: Float[np.ndarray, "N 3"],
) -> tuple[Int[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """The first triangle along every ray, and how far it is.

    Args:
      scene: see `make_scene`.
      origins: in the frame of the scene, off the surface.
      directions: any length.

    Returns:
      Rows of `scene.faces` and distances in lengths of the directions; -1 and infinity
      where a ray leaves the scene.
    """
    distance = np.full(len(origins), np.inf)
    if not len(origins):
        return np.zeros(0, np.int32), distance
    triangle = scene.intersector.intersects_first(origins, directions)
    hit = triangle >= 0
    a, b, c = np.moveaxis(scene.vertices[scene.faces[triangle[hit]]], 1, 0)
    normal = np.cross(b - a, c - a)
    along = np.einsum("ni,ni->n", normal, directions[hit])
    height = np.einsum("ni,ni->n", normal, a - origins[hit])
    edge_on = along == 0
    distance[hit] = np.where(edge_on, 0, height / np.where(edge_on, 1, along))
    return triangle, np.maximum(distance, 0)


def _window(vertices, intrinsics, shape):
    """The part of the image that can see the mesh: its bounding box, as two slices."""
    if vertices[:, 2].max() > -1e-3:  # in part beside or behind the camera
        return slice(0, shape[0]), slice(0, shape[1])
    pixels = camera.project(vertices, intrinsics)
    low = np.floor(pixels.min(axis=0)).astype(int)
    high = np.ceil(pixels.max(axis=0)).astype(int) + 1
    (left, right), (top, bottom) = (
        np.clip((low[i], high[i]), 0, shape[1 - i]) for i in (0, 1)
    )
    return slice(top, bottom), slice(left, right)


def _first_hits(scene, camera_from_scene, rays):
    """Index of the first triangle along every ray from the camera, or -1."""
    if not len(rays):
        return np.zeros(0, np.int32)
    rotation, shift = camera_from_scene[:3, :3], camera_from_scene[:3, 3]
    origins = np.broadcast_to(-shift @ rotation, rays.shape)
    return scene.intersector.intersects_first(origins, rays @ rotation)


def _barycentric(corners, row, rays):
    """Solves w_a a + w_b b + w_c c = t ray for w with sum 1, by Cramer's rule.

    The weights are proportional to the triple products of the ray with two corners.
    Clipped to the triangle, which float32 Embree may miss by a rounding error.

    Args:
      corners: of the triangles, (T, 3, 3).
      row: which of them each ray hits, (N,).
      rays: directions, (N, 3).
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    crosses = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
    weights = np.matmul(crosses[row], rays.astype(np.float64)[:, :, None])[..., 0]
    weights *= np.sign(_total(weights))
    np.maximum(weights, 0, out=weights)
    total = _total(weights)
    weights /= np.maximum(total, 1e-300)
    weights[total[:, 0] == 0] = 1 / 3
    return weights


def _distinct(rows, count):
    """The distinct values among `rows` < `count`, and where each row is in them."""
    seen = np.flatnonzero(np.bincount(rows, minlength=count))
    place = np.zeros(count, np.int64)
    place[seen] = np.arange(len(seen))
    return seen, place[rows]


def _total(x):
    """Sum of three columns; several times faster than `sum` over a short axis."""
    return x[:, :1] + x[:, 1:2] + x[:, 2:]
