"""Planes in which an object mirrors itself, found from what one view shows of it.

Most things that people make have two equal halves. A plane of symmetry puts every
visible point where there is surface, too: never before something that is seen, never
where a ray has passed. So planes are judged by what the mirrored visible points meet in
the view volume (`frustum.py`); numpy, on the host, where nothing has to be compiled:

    misfit = mean over the points of  |distance| / 3 + (how far into free space) / 3

with distances in cells, truncated at 3; points inside of the object, as far as a
network guesses it, have to be inside on the other side too, else the plane of a flat
front would fit. All directions and some offsets are tried and the best are moved until
they fit. Of these, those that agree about where up is (things that stand have upright
planes of symmetry, and a level one if any) are moved by finer steps and returned. The
idea is that of Thrun and Wegbreit, "Shape from Symmetry" (ICCV 2005), who score
mirrored points by the free space of a scan; here a signed distance field says what is
there besides.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from pixel2mesh_jax.geometry import frustum, trilinear
from pixel2mesh_jax.geometry.frustum import TRUNCATION, ViewVolume

# Directions that are tried, 8 degrees apart, and offsets from the middle in cells.
NUM_DIRECTIONS = 300
NUM_PARTS = 10  # in which they are tried: what stays in the cache is faster
OFFSETS = np.arange(-6.0, 7.0, 2.0)
# Visible points that judge a plane, when all are tried and when the best are moved.
NUM_ROUGH, NUM_FINE = 100, 400
# Fewer visible points than this say nothing.
MIN_POINTS = 50
# Planes that are moved, and the angle in degrees between them before.
NUM_MOVED = 8
APART = 12.0
# Planes of which those that stand are chosen, and the angle between them.
NUM_FITTED = 6
DISTINCT = 20.0
# Steps of the search in cells at `ARM` cells from the middle of the object: by the
# nearest cells, then, of the planes that are returned, between cells.
ROUGH_STEPS = (1.5, 1.5, 0.75, 0.75, 0.4)
FINE_STEPS = (0.4, 0.2, 0.1)
ARM = 25.0
# Free space begins so many cells before a surface: measured depth is not exact.
FREE = 0.5
# Largest misfit of a plane that is believed. On 240 validation views F(1e-4) was 78.8 %
# without planes, 82.2 with 0.25 and 82.4 with 0.18, IoU of cells 68.5, 70.6 and 71.2.
# Fine steps make it a little smaller.
MISFIT = 0.18
ROUGH_MISFIT = 0.23
# Directions that up may have in the frame of a camera that looks down and is rolled by
# so many degrees at most.
LOOKING_DOWN = np.radians(np.arange(-10.0, 81.0, 2.0))
ROLLED = np.radians(np.arange(-20.0, 21.0, 2.0))
UPS = np.stack(
    [
        np.outer(np.cos(LOOKING_DOWN), np.sin(ROLLED)).ravel(),
        np.outer(np.cos(LOOKING_DOWN), np.cos(ROLLED)).ravel(),
        np.outer(np.sin(LOOKING_DOWN), np.ones_like(ROLLED)).ravel(),
    ]
)
# Largest angle in degrees by which a plane may lean, and from which on all is the same.
# On 120 validation views F(1e-4) was 81.8 % without this choice and 82.2 with it.
LEANING, FALLEN = 8.0, 15.0
# Misfit by which a plane has 1 / e times as much to say about where up is.
SAY = 0.05
# Least distance from the camera in cells at which a point has a place in the volume.
BEFORE_CAMERA = 1e-2
# Misfit of a point that leaves the volume: neither surface nor hidden.
OUTSIDE = 2.0


class Mirror(NamedTuple):
    """A plane of symmetry: points x of the camera frame with normal . x = offset.

    Attributes:
      normal: of unit length.
      offset: along it, in the unit of the depth map.
      misfit: see above; 0 is perfect.
    """

    normal: Float[np.ndarray, "3"]
    offset: float
    misfit: float


def mirrored(points: Float[np.ndarray, "N 3"], mirror: Mirror) -> np.ndarray:
    """Points on the other side of a plane."""
    height = points @ mirror.normal - mirror.offset
    return points - 2 * height[:, None] * mirror.normal


def find_mirrors(
    field: Float[np.ndarray, "R R L"],
    measured: Float[np.ndarray, "R R L"],
    depth: Float[np.ndarray, "R R"],
    volume: ViewVolume,
    count: int,
) -> list[Mirror]:
    """At most `count` planes of symmetry, the best first.

    Args:
      field: signed distance in cells, as far as it is known or guessed.
      measured: what the view says, see `frustum.measured_field`.
      depth: of the visible surface on every ray; 0 = missing.
      volume: where the grid stands.
      count: 0 finds none.
    """
    hit = np.argwhere(depth > 0)
    inside = np.argwhere(field < 0)
    if count < 1 or len(hit) < MIN_POINTS or not len(inside):
        return []
    # Lengths in cells, from the middle of the object: units do not matter.
    cell = float(frustum.thickness(volume, field.shape[-1]))
    cells = volume._replace(near=volume.near / cell, extent=volume.extent / cell)
    cells = ViewVolume(*(np.asarray(part, np.float32) for part in cells))
    box = frustum.points_of_index(inside.astype(np.float64), cells, *field.shape[1:])
    middle = (box.min(axis=0) + box.max(axis=0)) / 2
    layer = (depth[depth > 0] / cell - cells.near) / cells.extent * field.shape[-1]
    index = np.concatenate([hit, layer[:, None] - 0.5], axis=1)
    surface = frustum.points_of_index(index, cells, *field.shape[1:])
    scene = _Scene(field, measured, cells, middle)
    return [
        found._replace(offset=float(found.normal @ middle + found.offset) * cell)
        for found in _search(scene, surface - middle, box - middle, count)
    ]


def standing(mirrors: Sequence[Mirror]) -> list[Mirror]:
    """Planes that are upright or level, where up is what suits most of them.

    A plane that mirrors what is seen into hidden places by chance leans as it likes.
    """
    if not mirrors:
        return []
    normals = np.stack([mirror.normal for mirror in mirrors])
    along = np.abs(normals @ UPS).clip(0, 1)
    leaning = np.degrees(np.minimum(np.arcsin(along), np.arccos(along)))
    says = np.exp([-mirror.misfit / SAY for mirror in mirrors])
    up = (says @ np.minimum(leaning, FALLEN)).argmin()
    return [
        mirror
        for mirror, angle in zip(mirrors, leaning[:, up], strict=True)
        if angle < LEANING
    ]


class _Scene(NamedTuple):
    """What mirrored points are held against; lengths in cells."""

    field: np.ndarray
    measured: np.ndarray
    cells: ViewVolume
    middle: np.ndarray


class _Points(NamedTuple):
    """Points from the middle of the object, and which of them are inside of it."""

    places: np.ndarray
    solid: np.ndarray


def _search(scene, surface, inside, count):
    """At most so many planes, offsets from the middle in cells, the best first."""
    few, many = (_some(surface, inside, number) for number in (NUM_ROUGH, NUM_FINE))
    costs = np.stack([_cost(*scene[:2], solid) for solid in (False, True)])
    costs = np.pad(costs, [(0, 0), *3 * [(1, 1)]], constant_values=OUTSIDE)
    costs = costs.astype(np.float32)

    def roughly(*planes):
        return _nearest(costs, many, _index(scene, many, *planes))

    both = (scene.field + 1j * scene.measured).astype(np.complex64)

    def exactly(*planes):
        return _between(both, many, _index(scene, many, *planes))

    parts = _all_planes()
    misfits = [_nearest(costs, few, _index(scene, few, *part)) for part in parts]
    planes = map(np.concatenate, zip(*parts, strict=True))
    best = _best(*planes, np.concatenate(misfits), APART, NUM_MOVED)
    moved = _move(roughly, *best[:2], ROUGH_STEPS)[:2]
    best = _best(*moved, exactly(*moved), DISTINCT, NUM_FITTED)
    chosen = standing(_fitting(*best, ROUGH_MISFIT))[:count]
    if not chosen:
        return []
    normals, offsets, _ = map(np.stack, zip(*chosen, strict=True))
    fitting = _fitting(*_move(exactly, normals, offsets, FINE_STEPS), MISFIT)
    return sorted(fitting, key=lambda mirror: mirror.misfit)


def _fitting(normals, offsets, misfits, limit):
    """Planes whose misfit is below a limit."""
    planes = zip(normals, offsets.tolist(), misfits.tolist(), strict=True)
    return [Mirror(*plane) for plane in planes if plane[-1] < limit]


def _all_planes():
    """All directions and offsets, in parts."""
    normals = np.repeat(_hemisphere(NUM_DIRECTIONS), len(OFFSETS), axis=0)
    offsets = np.tile(OFFSETS, NUM_DIRECTIONS)
    parts = (np.split(array, NUM_PARTS) for array in (normals, offsets))
    return list(zip(*parts, strict=True))


def _best(normals, offsets, misfits, degrees, count):
    """The planes of least misfit, none nearly parallel to a better one; and misfits."""
    kept, limit = [], np.cos(np.radians(degrees))
    for row in np.argsort(misfits):
        if (np.abs(normals[kept] @ normals[row]) < limit).all():
            kept.append(row)
        if len(kept) == count:
            break
    return normals[kept], offsets[kept], misfits[kept]


def _hemisphere(count):
    """Directions that are evenly spread; a plane has no front."""
    number = np.arange(count) + 0.5
    height, angle = number / count, np.pi * (1 + np.sqrt(5)) * number
    radius = np.sqrt(1 - height**2)
    directions = [radius * np.cos(angle), radius * np.sin(angle), height]
    return np.stack(directions, axis=1).astype(np.float32)


def _some(surface, inside, count):
    """So many points of the surface and half as many of the inside."""
    counts = count, count // 2
    chosen = [
        part[np.random.default_rng(0).permutation(len(part))[np.arange(n) % len(part)]]
        for part, n in zip((surface, inside), counts, strict=True)
    ]
    return _Points(np.concatenate(chosen), np.repeat([False, True], counts))


def _move(misfit, normals, offsets, steps):
    """Planes tilted and shifted by ever smaller steps while that helps; misfits."""
    axes = np.eye(3)[np.abs(normals).argmin(axis=1)]
    first = np.cross(normals, axes)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(normals, first)

    def planes(change):
        tilt = change[:, :1] * first + change[:, 1:2] * second
        tilted = normals + tilt / ARM
        tilted /= np.linalg.norm(tilted, axis=1, keepdims=True)
        return tilted, offsets + change[:, 2]

    change = np.zeros((len(normals), 3))
    least = misfit(*planes(change))
    for size in steps:
        for move in size * np.concatenate([np.eye(3), -np.eye(3)]):
            tried = misfit(*planes(change + move))
            better = tried < least
            change[better] += move
            least = np.minimum(tried, least)
    return *planes(change), least


def _index(scene, points, normals, offsets):
    """Row, column and layer of N points mirrored in each of K planes, (K, N) each."""
    places = points.places.astype(np.float32)
    normals, offsets = normals.astype(np.float32), offsets.astype(np.float32)
    height = (2 * normals) @ places.T - 2 * offsets[:, None]
    places += scene.middle.astype(np.float32)
    x, y, z = (
        places[None, :, axis] - height * normals[:, axis, None] for axis in range(3)
    )
    z = np.minimum(z, -BEFORE_CAMERA)  # what would be behind it is outside
    shape = scene.field.shape[1:]
    return frustum.index_of_coordinates(x, y, z, scene.cells, *shape)


def _nearest(costs, points, index):
    """Mean of the nearest cells; `costs` has a border of one cell."""
    flat = points.solid.astype(np.int32)[None]
    for place, count in zip(index, costs.shape[1:], strict=True):
        nearest = (place + 1.5).astype(np.int32)
        flat = flat * count + np.minimum(np.maximum(nearest, 0), count - 1)
    return costs.reshape(-1)[flat].mean(axis=-1)


def _between(both, points, index):
    """Mean misfit between cells; `both`: distances, and what is measured times i."""
    values = trilinear.sample_on_host(both, np.stack(index))
    costs = _cost(values.real, values.imag, points.solid)
    for place, count in zip(index, both.shape, strict=True):
        costs = np.where((place >= -0.5) & (place <= count - 0.5), costs, OUTSIDE)
    return costs.mean(axis=-1)


def _cost(distance, measured, solid):
    """Misfit of points by what is where they come to lie."""
    away = np.where(solid, np.maximum(distance, 0), np.abs(distance))
    free = np.clip((measured - FREE) / (TRUNCATION - FREE), 0, 1)
    return np.minimum(away, TRUNCATION) / TRUNCATION + free
