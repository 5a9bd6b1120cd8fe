"""Images of surfaces that are known only by points: every point is a small disc.

Lit as in mesh_images.py, so that a true surface can stand beside a predicted mesh.
"""

import numpy as np
from jaxtyping import Float, UInt8
from scipy.spatial import cKDTree

from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.rendering import mesh_images

# Rays per pixel side.
SUPERSAMPLE = 2
# Radius of a splat over the median distance of neighbouring points.
SPLAT_RADIUS = 2.8
# Splats blend with the nearest one if they lie behind it by at most this part of the
# radius.
SPLAT_THICKNESS = 0.5


def points_image(
    points: Float[np.ndarray, "N 3"],
    normals: Float[np.ndarray, "N 3"],
    viewpoint: mesh_images.ImageCamera,
    colors: Float[np.ndarray, "N 3"] | None = None,
) -> UInt8[np.ndarray, "S S 3"]:
    """Image of a surface known by points, lit as `mesh_images.mesh_image`.

    Args:
      points: camera frame of the input, metres.
      normals: unit; of either sign, since only faces towards the camera are seen.
      viewpoint: from where.
      colors: sRGB in [0, 1] per point; clay if None.
    """
    moved = camera.transform_points(np.asarray(points, np.float64), viewpoint.transform)
    turned = np.asarray(normals, np.float64) @ viewpoint.transform[:3, :3].T
    turned = np.where(
        np.sum(turned * moved, axis=1, keepdims=True) > 0, -turned, turned
    )
    paint = np.broadcast_to(mesh_images.CLAY, moved.shape) if colors is None else colors
    paint = np.asarray(paint, np.float64)
    return mesh_images.develop(_splat(moved, turned, paint, viewpoint), viewpoint.size)


def _splat(points, normals, colors, viewpoint):
    """Fragments of discs; where the nearest ones overlap they are averaged."""
    size = viewpoint.size * SUPERSAMPLE
    intrinsics = camera.resize_intrinsics(
        viewpoint.intrinsics, SUPERSAMPLE, SUPERSAMPLE
    ).astype(np.float64)
    radius = SPLAT_RADIUS * _spacing(points)
    number, where, depth, weight = _disc_fragments(
        points, normals, radius, intrinsics, size
    )
    nearest = np.full(size * size, np.inf)
    np.minimum.at(nearest, where, depth)
    front = depth <= nearest[where] + SPLAT_THICKNESS * radius
    number, where, weight = number[front], where[front], weight[front]

    def blend(values):
        return _weighted_mean(values[number], weight, where, size)[covered]

    covered = np.isfinite(nearest).reshape(size, size)
    nearest = np.where(np.isfinite(nearest), nearest, 0).reshape(size, size)
    return mesh_images.Fragments(covered, nearest, blend(normals), blend(colors))


def _disc_fragments(points, normals, radius, intrinsics, size):
    """Point number, flat pixel, depth and weight of every ray that hits a disc.

    A disc lies around its point, across its normal. The ray r (scaled to z = -1) meets
    its plane at depth (p . n) / (r . n).
    """
    extent = int(np.ceil(radius * intrinsics[0, 0] / (-points[:, 2]).min())) + 1
    offsets = np.mgrid[-extent : extent + 1, -extent : extent + 1].reshape(2, -1)
    nearest = np.round(camera.project(points, intrinsics)).astype(int)
    columns, rows = (nearest.T[:, :, None] + offsets[::-1, None]).reshape(2, -1)
    number = np.repeat(np.arange(len(points)), offsets.shape[1])
    inside = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    number, columns, rows = number[inside], columns[inside], rows[inside]
    rays = camera.pixel_rays((size, size), intrinsics)[rows, columns]
    facing = np.minimum(np.sum(rays * normals[number], axis=1), -1e-6)
    depth = np.sum(points * normals, axis=1)[number] / facing
    squared = np.sum((rays * depth[:, None] - points[number]) ** 2, axis=1)
    hit = squared <= radius**2
    weight = np.exp(-2 * squared[hit] / radius**2)
    return number[hit], (rows * size + columns)[hit], depth[hit], weight


def _weighted_mean(values, weight, where, size):
    total = np.bincount(where, weight, size * size)
    sums = [
        np.bincount(where, weight * values[:, channel], size * size)
        for channel in range(values.shape[1])
    ]
    mean = np.stack(sums, axis=-1) / np.maximum(total, 1e-12)[:, None]
    return mean.reshape(size, size, -1)


def _spacing(points):
    """Median distance to the nearest other point, metres."""
    distances, _ = cKDTree(points).query(points, k=2)
    return float(np.median(distances[:, 1]))
