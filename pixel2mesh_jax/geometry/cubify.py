"""Occupied voxels to the mesh of their outer faces, in arrays of fixed size.

Every voxel (d, r, c) is a cube whose corners are points of a lattice with one more
point per axis. A face stands between an occupied and an empty voxel; it is two
triangles, counter-clockwise seen from outside. All is found by comparing an occupancy
with itself, shifted, and by counting along its rows: it is compiled and runs for a
batch by `jax.vmap`. Nothing is differentiated: the positions are constants.

Faces meet only at lattice points. Corners of one face lie at 18 offsets, 6 along the
axes and 12 along diagonals; triangles have edges at 14 of them, as both faces across
the first axis are divided along the same diagonal, and both across the last. So a row
of the table of neighbours has 14 places, and a graph convolution is a gather.

Arrays end in padding. Padded faces are (0, 0, 0), which have no area and are never
drawn; padded vertices stand where the first one does and are nobody's neighbours.

Source: Mesh R-CNN (Gkioxari et al., ICCV 2019), section 3.1; faces are divided along
the diagonals of PyTorch3D's `cubify`, numbered in another order.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry.rank_select import rank, select
from pixel2mesh_jax.structures import Array, PaddedMesh

# Where lattice point i stands, in voxels whose centres are at whole numbers:
# "center" surrounds each centre with its cube, "topleft" begins the cube there, as
# Mesh R-CNN does (the default of PyTorch3D).
ALIGNMENTS = {"center": -0.5, "topleft": 0.0}
# How often the threshold of a sample may rise, by this share of the way to its largest
# probability each time; 0.75^24 = 0.1 % of the way is left.
MAX_RISES, RISE = 24, 0.25
# Change of a field per cell below which it does not say where its zero is.
MIN_SLOPE = 0.1

_D, _R, _C = np.eye(3, dtype=int)
_O = np.zeros(3, int)
# Corners of a face beside its lattice point, counter-clockwise seen from outside, by
# direction: -d, +d, -r, +r, -c, +c. The diagonal joins the first and the third.
CORNERS = np.array(
    [
        [_O, _R, _R + _C, _C],
        [_O, _C, _R + _C, _R],
        [_O, _C, _D + _C, _D],
        [_D, _D + _C, _C, _O],
        [_R, _O, _D, _D + _R],
        [_R, _D + _R, _D, _O],
    ]
)
DIAGONALS = CORNERS[:, 2] - CORNERS[:, 0]
# Edges that begin at a lattice point; each of them ends at another one.
EDGES = np.concatenate([np.eye(3, dtype=int), DIAGONALS[[0, 2, 3, 4]]])
NUM_NEIGHBORS = 2 * len(EDGES)


class Capacity(NamedTuple):
    """Sizes of the arrays; what an occupancy needs beyond them raises its threshold.

    Attributes:
      vertices: of one mesh.
      faces: triangles of one mesh, an even number.
    """

    vertices: int
    faces: int


# By voxels per side. The true occupancies of 79 objects need at most 11,500 triangles
# at 48 and 2,696 at 24, 95 % of them 9,761 and 2,392.
CAPACITIES = {48: Capacity(6_144, 12_288), 24: Capacity(2_048, 4_096)}


def default_capacity(resolution: int) -> Capacity:
    """The measured one, or room for the faces of the grid when all is occupied."""
    if resolution in CAPACITIES:
        return CAPACITIES[resolution]
    quads = 6 * resolution**2
    return Capacity(vertices=quads + 2, faces=2 * quads)


def check_capacity(capacity: Capacity, shape: tuple[int, int, int]) -> None:
    """Raises InputError if not even the mesh of an empty prediction fits."""
    vertices, quads = (int(count) for count in _needs(fallback_cube(shape)))
    if capacity.vertices < vertices or capacity.faces < 2 * quads:
        raise InputError(
            f"Room for {capacity.vertices} vertices and {capacity.faces} faces; a grid "
            f"of {shape} voxels needs at least {vertices} and {2 * quads}, those of "
            "the cube that stands for an empty prediction."
        )


def cubify(
    probabilities: Float[Array, "D H W"],
    threshold: float,
    capacity: Capacity,
    alignment: str = "center",
) -> PaddedMesh:
    """The mesh of all voxels whose probability is at least the threshold.

    Where that takes more faces or vertices than there is room for, the threshold of
    the sample rises until it fits. Where nothing is occupied, or nothing but too much,
    the mesh is the published cube in the middle of the grid, and `is_found` is 0.

    Args:
      probabilities: of being occupied.
      threshold: Mesh R-CNN uses 0.2.
      capacity: static.
      alignment: one of `ALIGNMENTS`.

    Returns:
      A mesh whose vertices are positions (d, r, c) in voxels.
    """
    probabilities = jax.lax.stop_gradient(jnp.asarray(probabilities))
    occupied, rises = _fitting(probabilities, threshold, capacity)
    is_found = jnp.any(occupied)
    occupied = jnp.where(is_found, occupied, fallback_cube(occupied.shape))
    mesh = mesh_of_occupancy(occupied, capacity, alignment)
    return mesh._replace(is_found=is_found.astype(jnp.float32), num_rises=rises)


def fallback_cube(shape: tuple[int, int, int]) -> Bool[Array, "D H W"]:
    """From a quarter to three quarters of every axis (Mesh R-CNN, `VoxMeshHead`)."""
    grid = np.ogrid[tuple(slice(size) for size in shape)]
    inside = [
        (place >= size // 4) & (place < size - size // 4)
        for place, size in zip(grid, shape, strict=True)
    ]
    return jnp.asarray(inside[0] & inside[1] & inside[2])


def mesh_of_occupancy(
    occupied: Bool[Array, "D H W"], capacity: Capacity, alignment: str = "center"
) -> PaddedMesh:
    """The mesh of all occupied voxels, which has to fit; see `cubify`."""
    padded = jnp.pad(occupied, 1)
    used = _mixed(padded, (0, 1, 2))
    lattice = used.shape
    number = rank(used)
    _, point, vertex_mask = select([used], capacity.vertices)
    neighbors, neighbor_mask = _neighbors(padded, point, vertex_mask, number)
    start = ALIGNMENTS[alignment]
    place = jnp.stack(jnp.unravel_index(point, lattice), axis=1) + start
    place = jnp.where(vertex_mask[:, None], place, place[:1]).astype(jnp.float32)
    return PaddedMesh(
        vertices=place,
        faces=_triangles(padded, number, capacity.faces),
        neighbors=neighbors,
        neighbor_mask=neighbor_mask.astype(jnp.float32),
        vertex_mask=vertex_mask.astype(jnp.float32),
        is_found=jnp.ones((), jnp.float32),
        num_rises=jnp.zeros((), jnp.int32),
    )


def steps_to_zero(
    field: Float[Array, "D H W"], vertices: Float[Array, "V 3"]
) -> Float[Array, "V 3"]:
    """One step of Newton from each vertex towards where a field of distances is 0.

    The field around a lattice point is the plane through its eight cells; outside
    of the grid it is that at its border. A constant, as the vertices are.

    Args:
      field: at the middles of the cells.
      vertices: (d, r, c) of lattice points, aligned as "center".

    Returns:
      Steps in cells, at most one half along each axis: no vertex meets another.
    """
    padded = jnp.pad(jax.lax.stop_gradient(field), 1, mode="edge")
    value = _over_pairs(padded, None)
    slopes = [_over_pairs(padded, axis) for axis in range(3)]
    point = jnp.round(vertices - ALIGNMENTS["center"]).astype(jnp.int32)
    at = tuple(point.T)
    slope = jnp.stack([x[at] for x in slopes], axis=-1)
    squared = jnp.sum(slope**2, axis=-1, keepdims=True)
    step = -value[at][:, None] * slope / jnp.maximum(squared, MIN_SLOPE**2)
    return jnp.clip(step, -0.5, 0.5)


def _over_pairs(padded, slope_axis):
    """Means of neighbouring cells along all axes; along one of them the difference."""
    for axis in range(3):
        before = jax.lax.slice_in_dim(padded, 0, -1, axis=axis)
        after = jax.lax.slice_in_dim(padded, 1, None, axis=axis)
        difference = axis == slope_axis
        padded = after - before if difference else (after + before) / 2
    return padded


def _fitting(probabilities, threshold, capacity):
    """The occupancy above the lowest threshold that fits, and how often it rose.

    Empty if none of them fits, as where too many probabilities are exactly 1.
    """
    largest = jnp.max(probabilities)

    def too_much(state):
        threshold, rises = state
        vertices, quads = _needs(probabilities >= threshold)
        fits = (vertices <= capacity.vertices) & (2 * quads <= capacity.faces)
        return ~fits & (rises < MAX_RISES)

    def rise(state):
        threshold, rises = state
        return threshold + RISE * (largest - threshold), rises + 1

    start = jnp.asarray(threshold, probabilities.dtype), jnp.zeros((), jnp.int32)
    threshold, rises = jax.lax.while_loop(too_much, rise, start)
    return (probabilities >= threshold) & (rises < MAX_RISES), rises


def _needs(occupied):
    """Numbers of vertices and of faces of voxels."""
    padded = jnp.pad(occupied, 1)
    quads = sum(jnp.sum(_mixed(padded, (axis,))) for axis in range(3))
    return jnp.sum(_mixed(padded, (0, 1, 2))), quads


def _mixed(padded, axes):
    """Whether the voxels around something are neither all occupied nor all empty.

    Around a lattice point lie two voxels along each of three axes, around an edge two
    along each of the axes across it, and a face has one on either side. The result
    covers the lattice: an edge or face belongs to the point where it begins.
    """
    some = every = padded
    for axis in range(3):
        after = [slice(None)] * 3
        after[axis] = slice(1, None)
        before = [slice(None)] * 3
        before[axis] = slice(None, -1)
        after, before = tuple(after), tuple(before)
        if axis in axes:
            some, every = some[before] | some[after], every[before] & every[after]
        else:
            some, every = some[after], every[after]
    return some & ~every


def _faces_by_direction(padded):
    """Six masks over the lattice: whether a face of that direction begins there."""
    behind = padded[1:, 1:, 1:]
    faces = []
    for axis in range(3):
        mixed = _mixed(padded, (axis,))
        faces += [mixed & behind, mixed & ~behind]
    return faces


def _triangles(padded, number, capacity):
    """(F, 3) vertex numbers, padded with zeros."""
    faces = _faces_by_direction(padded)
    direction, point, is_face = select(faces, capacity // 2)
    corners = _flat(CORNERS, number.shape)[direction] + point[:, None]
    corners = jnp.where(is_face[:, None], number.ravel()[corners], 0)
    return corners[:, np.array([[0, 1, 2], [0, 2, 3]])].reshape(-1, 3)


def _neighbors(padded, point, vertex_mask, number):
    """(V, 14) vertex numbers, and whether they are neighbours."""
    number, columns = number.ravel(), []
    steps = _flat(EDGES, padded[1:, 1:, 1:].shape)
    for edge, step in zip(_edges(padded), steps, strict=True):
        for begin, other in ((point, point + step), (point - step, point - step)):
            # Before the first point of the lattice nothing begins.
            exists = edge.ravel().at[begin].get(mode="clip") & (begin >= 0)
            columns.append((number.at[other].get(mode="clip"), exists & vertex_mask))
    neighbors, mask = (jnp.stack(x, axis=1) for x in zip(*columns, strict=True))
    return jnp.where(mask, neighbors, 0), mask


def _edges(padded):
    """Seven masks over the lattice: whether an edge of `EDGES` begins there."""
    axes = [_mixed(padded, tuple({0, 1, 2} - {axis})) for axis in range(3)]
    faces = _faces_by_direction(padded)
    # A face has no neighbours beyond the last points of the lattice: nothing wraps.
    begins = [
        jnp.roll(face, corners[0], axis=(0, 1, 2))
        for face, corners in zip(faces, CORNERS, strict=True)
    ]
    diagonals = [begins[0] | begins[1], begins[2], begins[3], begins[4] | begins[5]]
    return axes + diagonals


def _flat(offsets, shape):
    """Offsets (..., 3) in a lattice as offsets in its flat array."""
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    return jnp.asarray(offsets @ strides, jnp.int32)
