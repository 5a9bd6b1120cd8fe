"""The hidden side from the visible one: a field completed by planes of symmetry.

    mirrors = find_mirrors(field, measured, depth, volume, 3)     # symmetry.py
    field = complete(field, measured, depth, cosine, volume, mirrors)

What the view knows, free space and the visible surface, is known of the mirrored cells
too; there it counts far more than what a network guesses. What the view knows by itself
stays as it is.
"""

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float

from pixel2mesh_jax.geometry import frustum, isosurface, trilinear
from pixel2mesh_jax.geometry.frustum import ViewVolume
from pixel2mesh_jax.geometry.symmetry import Mirror, mirrored

# How much a guess counts where what is seen counts 1, on either side of the plane.
GUESS = 0.05
# How much what was mirrored counts when it is mirrored once more, in another plane.
HANDED_ON = 0.8
# Threads, each with its share of the cells.
WORKERS = 2


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
    hidden = np.flatnonzero(own < 1)
    if not len(hidden):
        return field
    volume = ViewVolume(*(np.asarray(part, np.float32) for part in volume))
    places = _places(hidden, field.shape, volume)
    # Distances and, as the imaginary part, how well they are known.
    both = (field + 1j * own).astype(np.complex64)
    flat = both.reshape(-1)
    guess, share = flat[hidden].real, flat[hidden].imag
    with ThreadPoolExecutor(WORKERS) as pool:  # numpy lets other threads run
        for mirror in mirrors:
            tell = functools.partial(_told, both, mirror, volume)
            parts = pool.map(tell, np.array_split(places, WORKERS, axis=1))
            there, told = map(np.concatenate, zip(*parts, strict=True))
            here = flat[hidden]
            weight = here.imag + GUESS
            other = there.imag + GUESS * told.astype(np.float32)
            mixed = (weight * here.real + other * there.real) / (weight + other)
            here.real = share * guess + (1 - share) * mixed
            here.imag = np.maximum(here.imag, HANDED_ON * there.imag)
            flat[hidden] = here
    return both.real.copy()


def _places(numbers, shape, volume):
    """Coordinates (3, N) of cells that are counted row by row."""
    cells = np.stack(np.unravel_index(numbers, shape), axis=1).astype(np.float32)
    return np.ascontiguousarray(frustum.points_of_index(cells, volume, *shape[1:]).T)


def _told(both, mirror, volume, places):
    """What mirrored places know, see `complete`; and 1 where anything is said.

    Beside the volume and before it things are as at its border, where an image that
    cuts the object knows nothing. What is behind it or behind the camera is not known.
    """
    single = mirror._replace(normal=mirror.normal.astype(np.float32))
    x, y, z = mirrored(places.T, single).T
    ahead = z < 0
    depth = np.where(ahead, -z, volume.near)  # behind it nothing has a place
    index = frustum.index_of_coordinates(x, y, -depth, volume, *both.shape[1:])
    told = (index[2] <= both.shape[2] - 1) & ahead
    there = trilinear.sample_on_host(both, np.stack(index))
    there.imag *= told
    return there, told


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
