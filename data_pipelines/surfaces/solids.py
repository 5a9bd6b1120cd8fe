"""What is inside of a model that may be an open soup of faces, and its voxels.

A point is inside where the generalised winding number of the visible surface exceeds
one half: the faces that can be seen from outside, wound outward, each once. So hidden
parts change nothing, overlapping parts are one solid, and holes are closed as by a
soap film. A hollow with a skin of its own, hidden in a closed skin, is filled; a room
between closed walls stays empty. A flat sheet has no inside: its distances are positive
on both sides.

Jacobson, Kavan, Sorkine-Hornung, *Robust Inside-Outside Segmentation using Generalized
Winding Numbers*, SIGGRAPH 2013; Barill et al., *Fast Winding Numbers for Soups and
Clouds*, SIGGRAPH 2018, in the program of the authors (libigl).
"""

from typing import NamedTuple

import igl
import numpy as np
from jaxtyping import Bool, Float, Int

from data_pipelines.surfaces import render
from data_pipelines.surfaces.orientation import Oriented, start_offset
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera, voxels
from pixel2mesh_jax.geometry import surface as surface_geometry
from pixel2mesh_jax.io.meshes import Surface
from pixel2mesh_jax.rendering import raycast

# Winding number at the boundary of the inside: half way from outside, 0, to inside, 1.
INSIDE = 0.5
# Places where the thickness of an object is measured; one per voxel and more.
NUM_PROBES = 2**14


class Solid(NamedTuple):
    """What is visible of an object from outside, for several images; all in one frame.

    Attributes:
      surface: the faces that bound the object, wound outward.
      scene: the surface, for rays.
      near: points of the surface.
      far: where the line from `near` against the normal comes out of the solid again;
        the same point where there is no solid behind the surface.
    """

    surface: Surface
    scene: raycast.Scene
    near: Float[np.ndarray, "N 3"]
    far: Float[np.ndarray, "N 3"]


def make_solid(oriented: Oriented) -> Solid:
    """The solid of a surface; see `orientation.orient_outward`."""
    surface = find_visible_surface(oriented)
    scene = raycast.make_scene(surface.vertices, surface.faces)
    return Solid(surface, scene, *_probe_thickness(surface, scene))


def find_visible_surface(oriented: Oriented) -> Surface:
    """The faces that bound an object: seen from outside, each once.

    All faces, if there is none of which that can be said: a model of needles.
    """
    surface, paint = oriented.surface, oriented.surface.paint
    rows = np.flatnonzero(oriented.first & (oriented.escapes[:, 0] > 0))
    if not len(rows):
        return surface
    paint = paint._replace(
        corner_colors=paint.corner_colors[rows],
        corner_uv=paint.corner_uv[rows],
        face_texture=paint.face_texture[rows],
    )
    return surface._replace(faces=surface.faces[rows], paint=paint)


def is_inside(
    surface: Surface, points: Float[np.ndarray, "N 3"]
) -> Bool[np.ndarray, " N"]:
    """Whether points lie in the solid; both in the frame of the surface."""
    if not len(points):
        return np.zeros(0, bool)
    return winding_number(surface, points) > INSIDE


def winding_number(
    surface: Surface, points: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, " N"]:
    """Generalised winding number of the surface at points in its frame."""
    return igl.fast_winding_number(
        np.asarray(surface.vertices, np.float64),
        surface.faces.astype(np.int64),
        np.asarray(points, np.float64),
    )


def nearest_on_surface(
    surface: Surface, points: Float[np.ndarray, "N 3"]
) -> tuple[Float[np.ndarray, " N"], Int[np.ndarray, " N"], Float[np.ndarray, "N 3"]]:
    """Distance to the surface, its nearest face and the nearest point on it."""
    squared, face, nearest = igl.point_mesh_squared_distance(
        np.asarray(points, np.float64),
        np.asarray(surface.vertices, np.float64),
        surface.faces.astype(np.int64),
    )
    return np.sqrt(squared), face.astype(np.int64), nearest  # "long long" until here


def barycentric(
    corners: Float[np.ndarray, "N 3 3"], points: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, "N 3"]:
    """Weights of the corners for points on triangles: areas of the opposite parts."""
    to_corner = corners - points[:, None]
    parts = np.cross(to_corner[:, [1, 2, 0]], to_corner[:, [2, 0, 1]])
    weights = np.linalg.norm(parts, axis=2)
    total = weights.sum(axis=1, keepdims=True)
    return np.where(total > 0, weights / np.where(total > 0, total, 1), 1 / 3)


def voxelize(
    solid: Solid,
    camera_from_object: Float[np.ndarray, "4 4"],
    intrinsics: Float[np.ndarray, "3 3"],
    image_shape: tuple[int, int],
    resolution: int,
) -> Bool[np.ndarray, "D H W"]:
    """Occupancy of the view volume of an image, see `geometry/voxels.py`.

    A voxel is occupied if its centre is inside of the object, and the object stands
    before and behind it on its line of sight: where one looks into an open model, what
    lies before the surface is empty. Parts thinner than a voxel, such as sheets, may
    pass between the centres; their voxels are those along the middle of the material.

    Args:
      solid: see `make_solid`.
      camera_from_object: rigid transform from the frame of the solid.
      intrinsics: pinhole matrix in pixels of the image.
      image_shape: (height, width) of the image in pixels.
      resolution: voxels per side.

    Raises:
      InputError: the object leaves the depth range of the volume.
    """
    _check_depths(solid, camera_from_object)
    grid = (intrinsics.astype(np.float64), image_shape, resolution)
    index = np.argwhere(_between_hits(solid, camera_from_object, grid))
    points = voxels.camera_from_voxel(index.astype(np.float64), *grid)
    points = camera.transform_points(points, np.linalg.inv(camera_from_object))
    occupied = np.zeros((resolution,) * 3, bool)
    occupied[tuple(index[is_inside(solid.surface, points)].T)] = True
    occupied[tuple(_thin_voxels(solid, camera_from_object, grid).T)] = True
    return occupied


def _check_depths(solid, camera_from_object):
    near, far = voxels.DEPTH_RANGE
    depth = -camera.transform_points(solid.near, camera_from_object)[:, 2]
    if depth.min() < near or depth.max() > far:
        raise InputError(
            f"lies {depth.min():.2f} to {depth.max():.2f} m before the camera, the "
            f"voxels reach from {near:.2f} to {far:.2f} m; objects of other sizes and "
            "lenses need no --voxels but --volume N, the cells around what is seen, "
            "for configs/rgbd_sdf_refined.py"
        )


def _probe_thickness(surface, scene):
    """Attributes `near` and `far` of a solid, by rays against the normals."""
    samples = render.sample_surface(surface, NUM_PROBES, np.random.default_rng(0))
    near, inward = samples.points.astype(np.float64), -samples.normals
    offset = start_offset(surface)
    triangle, distance = raycast.first_hits(scene, near + offset * inward, inward)
    normals = surface_geometry.face_normals(surface.vertices, surface.faces)
    solid = triangle >= 0
    depth = np.where(solid, offset + np.where(solid, distance, 0), 0)[:, None]
    # Behind a face that is met from its front there may be air, or an overlapping part.
    unclear = solid & (np.einsum("ni,ni->n", normals[triangle], inward) <= 0)
    middle = near[unclear] + depth[unclear] / 2 * inward[unclear]
    solid[unclear] = is_inside(surface, middle)
    return near, near + np.where(solid[:, None], depth, 0) * inward


def _between_hits(solid, camera_from_object, grid):
    """Centres of voxels with the surface before and behind them, (D, H, W)."""
    resolution = grid[-1]
    row, column = np.mgrid[:resolution, :resolution].reshape(2, -1)
    front = np.stack([np.zeros_like(row), row, column], axis=1).astype(np.float64)
    rays = voxels.camera_from_voxel(front, *grid)
    rays /= -rays[:, 2:]  # so distances are depths
    vertices = camera.transform_points(solid.near, camera_from_object)
    end = 2 * -vertices[:, 2].min()  # behind the object
    rotation, shift = camera_from_object[:3, :3], camera_from_object[:3, 3]
    directions = rays @ rotation
    eye = np.broadcast_to(-shift @ rotation, rays.shape)
    _, first = raycast.first_hits(solid.scene, eye, directions)
    _, last = raycast.first_hits(solid.scene, eye + end * directions, -directions)
    layer = np.arange(resolution, dtype=np.float64)[:, None] * [[1.0, 0.0, 0.0]]
    depth = -voxels.camera_from_voxel(layer, *grid)[:, 2:]
    between = (depth > first) & (depth < end - last)
    return between.reshape((resolution,) * 3)


def _thin_voxels(solid, camera_from_object, grid):
    """Indices of the voxels in the middle of parts that are thinner than a voxel."""
    near, far = (
        voxels.voxel_from_camera(
            camera.transform_points(points, camera_from_object), *grid
        )
        for points in (solid.near, solid.far)
    )
    thin = np.abs(near - far).max(axis=1) < 1
    middle = np.round((near + far)[thin] / 2).astype(int)
    return middle[((middle >= 0) & (middle < grid[-1])).all(axis=1)]
