"""What a network has to say about the view volume of an image: signed distances.

Per object, the distance to the visible surface (`solids.py`) on a grid in the object
frame; per view, looked up at the cells of `geometry/frustum.py`, in cells of that view,
truncated, as int8. Where the object is thinner than a cell it is made a cell thick, or
no cell would be inside: sheets have no inside at all. The colours of the far side are
those that a camera behind the object sees on the same rays.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8, UInt8
from scipy import ndimage
from scipy.spatial import cKDTree

from data_pipelines.surfaces import render, solids
from pixel2mesh_jax.geometry import frustum
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.structures import View, VolumeTarget

# Side of a cell of the grid of an object, metres; a view has cells of 5 to 12 mm.
SPACING = 0.005
# How far around the object the grid reaches, and to which distance it is exact.
BAND = 0.04
# Every so manieth grid point is looked at first.
COARSE = 2
# int8 per cell of distance.
STEPS_PER_CELL = 127 / frustum.TRUNCATION


class DistanceGrid(NamedTuple):
    """Distance to an object in its frame, metres.

    Attributes:
      origin: position of the first grid point.
      distances: negative inside, exact up to `BAND`.
      thickness: of the object at the nearest point of its surface; 0 for a sheet.
    """

    origin: Float[np.ndarray, "3"]
    distances: Float[np.ndarray, "X Y Z"]
    thickness: Float[np.ndarray, "X Y Z"]


def make_grid(solid: solids.Solid) -> DistanceGrid:
    """Looks up the distances; exactly near the surface, by interpolation elsewhere."""
    used = solid.surface.vertices[np.unique(solid.surface.faces)]
    low, high = used.min(axis=0) - BAND, used.max(axis=0) + BAND
    blocks = np.ceil((high - low) / (COARSE * SPACING)).astype(int) + 1
    coarse_points = low + COARSE * SPACING * _indices(blocks)
    coarse, _, nearest = solids.nearest_on_surface(solid.surface, coarse_points)
    winding = solids.winding_number(solid.surface, coarse_points)
    shape = COARSE * (blocks - 1) + 1
    zoom = [_finer(values.reshape(blocks)) for values in (coarse, winding)]
    distances, winding = (values.ravel() for values in zoom)
    points = low + SPACING * _indices(shape)
    slack = COARSE * SPACING * 3**0.5
    near = np.flatnonzero(distances < BAND + slack / 2)
    exact, _, nearest = solids.nearest_on_surface(solid.surface, points[near])
    distances[near] = exact
    close = near[exact < slack]
    winding[close] = solids.winding_number(solid.surface, points[close])
    thickness = np.full(len(points), BAND)
    thickness[near] = _thickness(solid, nearest)
    distances = np.where(winding > solids.INSIDE, -distances, distances)
    return DistanceGrid(
        low,
        distances.reshape(shape).astype(np.float32),
        thickness.reshape(shape).astype(np.float32),
    )


def target(
    solid: solids.Solid,
    grid: DistanceGrid,
    view: View,
    camera_from_object: Float[np.ndarray, "4 4"],
    resolution: int,
) -> VolumeTarget:
    """The distances and the colours of the far side in the volume of a view.

    Args:
      solid: see `solids.make_solid`.
      grid: of the same object.
      view: where the volume stands depends on its depth and mask.
      camera_from_object: rigid transform from the frame of the solid.
      resolution: rays per side, and layers.
    """
    mask = view.rgba[..., 3].astype(np.float32) / 255
    volume = frustum.view_volume(view.depth, mask, view.intrinsics)
    distances = distances_in_cells(grid, volume, camera_from_object, resolution)
    return VolumeTarget(
        placement=frustum.pack(volume).astype(np.float32),
        distances=encode(distances),
        far_colors=_far_colors(solid, volume, camera_from_object, resolution),
    )


def distances_in_cells(
    grid: DistanceGrid,
    volume: frustum.ViewVolume,
    camera_from_object: Float[np.ndarray, "4 4"],
    resolution: int,
) -> Float[np.ndarray, "R R R"]:
    """Signed distances at the cells of a volume, in cells of the volume."""
    index = _grid_index(grid, volume, camera_from_object, resolution)
    last = np.array(grid.distances.shape, np.float32)[:, None] - 1
    known = np.flatnonzero(((index >= 0) & (index <= last)).all(axis=0))
    cell = float(frustum.thickness(volume, resolution))
    found = np.full(resolution**3, frustum.TRUNCATION, np.float32)
    found[known] = _sample(grid.distances, index[:, known]) / cell
    near = known[np.abs(found[known]) < 1]
    thick = _sample(grid.thickness, index[:, near]) / cell
    found[near] -= np.clip(1 - thick, 0, 1) / 2
    return found.reshape((resolution,) * 3)


def encode(distances: Float[np.ndarray, "*shape"]) -> Int8[np.ndarray, "*shape"]:
    """Distances in cells, truncated, as whole numbers."""
    limit = frustum.TRUNCATION
    return np.round(np.clip(distances, -limit, limit) * STEPS_PER_CELL).astype(np.int8)


def _far_colors(
    solid, volume, camera_from_object, resolution
) -> UInt8[np.ndarray, "R R 3"]:
    """What the rays would see if they came from behind; 0 where there is nothing."""
    rays = _rays(volume, resolution)
    rotation, shift = camera_from_object[:3, :3], camera_from_object[:3, 3]
    directions = rays @ rotation
    end = 2 * (volume.near + volume.extent)
    origins = -shift @ rotation + end * directions
    triangle, distance = raycast.first_hits(solid.scene, origins, -directions)
    hit = triangle >= 0
    places = origins[hit] - distance[hit, None] * directions[hit]
    corners = solid.surface.vertices[solid.surface.faces[triangle[hit]]]
    weights = solids.barycentric(corners, places)
    colors = np.zeros((len(rays), 3), np.uint8)
    colors[hit] = render.colors_at(solid.surface, triangle[hit], weights)
    return colors.reshape(resolution, resolution, 3)


def _indices(shape):
    """All grid indices, (N, 3), the last one fastest."""
    return np.stack(np.indices(shape), axis=-1).reshape(-1, 3)


def _finer(values):
    """Interpolates a grid to `COARSE` times as many points per side."""
    shape = [COARSE * (count - 1) + 1 for count in values.shape]
    places = np.indices(shape).reshape(3, -1) / COARSE
    return ndimage.map_coordinates(values, places, order=1)


def _thickness(solid, points):
    """Thickness of the object at points of its surface, of the nearest probe."""
    thickness = np.linalg.norm(solid.near - solid.far, axis=1)
    return thickness[cKDTree(solid.near).query(points)[1]]


def _grid_index(grid, volume, camera_from_object, resolution):
    """Where the cells lie in the grid of the object, (3, R * R * R)."""
    rotation, shift = camera_from_object[:3, :3], camera_from_object[:3, 3]
    eye = (-shift @ rotation - grid.origin) / SPACING
    directions = _rays(volume, resolution) @ rotation / SPACING
    depths = frustum.layer_depths(volume, resolution)
    index = directions.T[:, :, None] * depths + eye[:, None, None]
    return index.astype(np.float32).reshape(3, -1)


def _rays(volume, resolution):
    """Rays of a volume in row order, camera frame, z = -1; (R * R, 3)."""
    tangents = frustum.ray_tangents(volume, resolution).reshape(-1, 2)
    return np.concatenate([tangents, -np.ones_like(tangents[:, :1])], axis=1)


def _sample(values, index):
    return ndimage.map_coordinates(values, index, order=1, mode="nearest")
