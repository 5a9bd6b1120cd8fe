"""The hidden side from the visible one: a field completed by planes of symmetry.

    mirrors = find_mirrors(field, measured, depth, volume, 3)     # symmetry.py
    field = complete(field, measured, depth, cosine, volume, mirrors)

What the view knows, free space and the visible surface, is known of the mirrored cells
too; there it counts far more than what a network guesses. What the view knows by itself
stays as it is.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from pixel2mesh_jax.geometry import frustum, isosurface
from pixel2mesh_jax.geometry.frustum import ViewVolume
from pixel2mesh_jax.geometry.symmetry import Mirror, mirrored

# How much a guess counts where what is seen counts 1, on either side of the plane.
GUESS = 0.05
# How much what was mirrored counts when it is mirrored once more, in another plane.
HANDED_ON = 0.8
# Stands in for points behind the camera, which have no place in a volume; times near.
ELSEWHERE = np.array([0.0, 0.0, -1.0])


def complete(
    field: Float[np.ndarray, "R R L"],
    measured: Float[np.ndarray, "R R L"],
    depth: Float[np.ndarray, "R R"],
    cosine: Float[np.ndarray, "R R"],
    volume: ViewVolume,
    mirrors: Sequence[Mirror],
) -> Float[np.ndarray, "R R L"]:
    """A field whose hidden cells are told what their mirrored cells know.

    Args:
      field: signed distance in cells, see `isosurface.carve_and_stamp`.
      measured: what the view says, see `frustum.measured_field`.
      depth: of the visible surface on every ray; 0 = missing.
      cosine: of that surface to the rays.
      volume: where the grid stands.
      mirrors: planes, the most reliable first; without one nothing changes.
    """
    if not mirrors:
        return field
    own = known(measured, depth, cosine, volume)
    hidden = own < 1
    if not hidden.any():
        return field
    shape = field.shape[1:]
    cells = np.argwhere(hidden).astype(np.float64)
    points = frustum.points_of_index(cells, volume, *shape)
    result, trust = field.astype(np.float32), own.astype(np.float32)
    for mirror in mirrors:
        there = mirrored(points, mirror)
        says, trusted, told = _told(result, trust, there, volume)
        weight, other = trust[hidden] + GUESS, trusted + GUESS * told
        mixed = (weight * result[hidden] + other * says) / (weight + other)
        trust[hidden] = np.maximum(trust[hidden], HANDED_ON * trusted)
        result[hidden] = own[hidden] * field[hidden] + (1 - own[hidden]) * mixed
    return result


def _told(field, trust, points, volume):
    """Distances at points, how well they are known, and 1 where anything is said.

    Beside the volume and before it things are as at its border, where an image that
    cuts the object knows nothing. What is behind it or behind the camera is not known.
    """
    last = np.array(field.shape) - 1
    ahead = points[:, 2] < 0
    points = np.where(ahead[:, None], points, ELSEWHERE * volume.near)
    index = frustum.index_of_points(points, volume, *field.shape[1:])
    told = (index[:, 2] <= last[2]) & ahead
    index = np.clip(index, 0, last).T
    with ThreadPoolExecutor(2) as pool:  # scipy lets other threads run
        says, trusted = pool.map(lambda grid: _between(grid, index), (field, trust))
    return says, trusted * told, told


def known(
    measured: Float[np.ndarray, "R R L"],
    depth: Float[np.ndarray, "R R"],
    cosine: Float[np.ndarray, "R R"],
    volume: ViewVolume,
) -> Float[np.ndarray, "R R L"]:
    """1 in free space and at the visible surface, 0 in what it hides."""
    below = isosurface.cells_behind(depth, volume, measured.shape[-1])
    near = 1 - isosurface.deep(below * cosine[..., None])
    near = np.where(depth[..., None] > 0, near, 0)
    return np.where(measured > 0, 1, near)


def _between(grid, index):
    """Values between cells."""
    return ndimage.map_coordinates(grid, index, order=1, prefilter=False)
