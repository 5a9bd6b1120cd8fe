"""Solids with a formula, seen by a camera: perfect depth and the true distances."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from pixel2mesh_jax.geometry import camera, frustum
from tests.batches import make_batch

SIZE = 96  # pixels
R = 48  # rays to a side of a volume, and layers
CENTER = np.array([0.02, -0.01, -0.8])
Distance = Callable[[np.ndarray], np.ndarray]


class SolidView(NamedTuple):
    """An image of a solid, see `structures.Batch` for the arrays."""

    depth: np.ndarray
    mask: np.ndarray
    intrinsics: np.ndarray
    distance: Distance


def sphere(points):
    return np.linalg.norm(points - CENTER, axis=-1) - 0.2


def _box_axes():
    """Turned by 30 degrees around y, then by 25 around x; one axis per row."""
    a, e = np.radians([30, 25])
    turn_y = [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
    turn_x = [[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]]
    return (np.array(turn_x) @ np.array(turn_y)).T


BOX_AXES = _box_axes()


def box(points):
    """With sides along `BOX_AXES`."""
    outside = np.abs((points - CENTER) @ BOX_AXES.T) - [0.15, 0.12, 0.1]
    inside = np.minimum(outside.max(axis=-1), 0)
    return np.linalg.norm(np.maximum(outside, 0), axis=-1) + inside


def torus(points):
    """Around an axis half way between up and towards the camera."""
    axis = np.array([0, 1, 1]) / 2**0.5
    along = (points - CENTER) @ axis
    away = np.linalg.norm(points - CENTER - along[..., None] * axis, axis=-1)
    return np.hypot(away - 0.15, along) - 0.06


def see(distance: Distance) -> SolidView:
    """Follows every ray until it is within a micrometre of the surface."""
    intrinsics = camera.r2n2_intrinsics(SIZE)
    rays = camera.pixel_rays((SIZE, SIZE), intrinsics).astype(np.float64)
    length = np.linalg.norm(rays, axis=-1)
    depth = np.full((SIZE, SIZE), 0.3)
    for _ in range(200):
        depth += distance(rays * depth[..., None]) / length
    hit = np.abs(distance(rays * depth[..., None])) < 1e-6
    depth = np.where(hit, depth, 0).astype(np.float32)
    return SolidView(depth, hit.astype(np.float32), intrinsics, distance)


def batch_of(view, **changes):
    """A batch of one view: grey before white."""
    rgb = np.full((1, SIZE, SIZE, 3), 0.5, np.float32)
    arrays = {
        "rgb": rgb * view.mask[..., None] + 1 - view.mask[..., None],
        "depth": view.depth[None],
        "mask": view.mask[None],
        "intrinsics": view.intrinsics[None],
    }
    return make_batch(0, 1)._replace(**{**arrays, **changes})


SOLIDS = {"sphere": sphere, "box": box, "torus": torus}


def whole_volume(view):
    """The volume of a view, long enough for all of the solid."""
    volume = frustum.view_volume(view.depth, view.mask, view.intrinsics)
    return volume._replace(extent=np.float32(1.5) * volume.extent)


def parts_of(view):
    """Volume, true distances in cells, and what the view says."""
    volume = whole_volume(view)
    rgb = np.repeat(view.mask[..., None], 3, axis=-1)
    seen = jax.jit(frustum.look, static_argnums=(5, 6))(
        rgb, view.depth, view.mask, view.intrinsics, volume, R, R
    )
    cosine, measured = frustum.measured_field(seen, volume, R)
    cell = float(frustum.thickness(volume, R))
    true = view.distance(frustum.cell_points(volume, R, R)) / cell
    return (
        volume,
        true,
        np.asarray(measured),
        np.asarray(seen.depth),
        np.asarray(cosine),
    )
