"""True solids for IoU: many places, and whether they lie inside.

Two truths of different sharpness. Voxels of a view volume follow Mesh R-CNN: whatever
touches a voxel fills it, so a perfect mesh of a thin object is far from 1. Cells of the
volume around an object are finer, and inside where their middles are.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int8

from pixel2mesh_jax.evaluation import metrics
from pixel2mesh_jax.geometry import frustum, voxels


class Occupancy(NamedTuple):
    """The inside of a shape, looked at in many places.

    Attributes:
      places: positions, metres, camera frame.
      inside: whether they lie inside.
      volumes: that they stand for, in any unit.
    """

    places: Float[np.ndarray, "Q 3"]
    inside: Bool[np.ndarray, " Q"]
    volumes: Float[np.ndarray, " Q"]

    def iou(self, vertices: Float[np.ndarray, "V 3"], faces) -> float:
        """Overlap with the inside of a closed mesh, see `metrics.is_inside`."""
        found = metrics.is_inside(self.places, vertices, faces)
        return metrics.intersection_over_union(found, self.inside, self.volumes)


def of_voxels(
    occupied: Bool[np.ndarray, "R R R"],
    intrinsics: Float[np.ndarray, "3 3"],
    image_shape: tuple[int, int],
) -> Occupancy:
    """The centres of the voxels of a view volume, see `geometry/voxels.py`.

    A voxel spans equal steps in inverse depth and in pixels, so its volume grows with
    the fourth power of its depth. Parts that are thinner than a voxel are one thick.
    """
    index = np.stack(np.indices(occupied.shape), axis=-1).reshape(-1, 3)
    places = voxels.camera_from_voxel(
        index.astype(np.float64),
        np.asarray(intrinsics, np.float64),
        image_shape,
        len(occupied),
    )
    return Occupancy(places, occupied.ravel(), places[:, 2] ** 4)


def of_distances(
    distances: Int8[np.ndarray, "R R L"], placement: Float[np.ndarray, "5"]
) -> Occupancy:
    """The middles of the cells of the volume around an object, `geometry/frustum.py`.

    A cell is as deep as any other and widens with its depth, so its volume grows with
    the square of it. A sheet without an inside is one cell thick, as it is stored.
    """
    volume = frustum.unpack(np.asarray(placement, np.float64))
    rays, _, layers = distances.shape
    places = frustum.cell_points(volume, rays, layers).reshape(-1, 3)
    return Occupancy(places, distances.ravel() < 0, places[:, 2] ** 2)
