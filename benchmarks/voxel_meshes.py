"""Meshes of voxels: made (cubify), and their neighbours added up.

Floor of cubify: 8 x 48^3 probabilities are 3.5 MB, read once.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.programs import check_equal, compile_program, with_gradient
from benchmarks.timing import Case
from pixel2mesh_jax.geometry import cubify, graph

BATCH, RESOLUTION, THRESHOLD = 8, 48, 0.5
PER_SECOND = 20  # batches: 50 ms for one
SMALL, CHANNELS = 24, 64  # of the refinement, as in the variant `tiny`


def cases() -> Iterator[Case]:
    """Against numpy on the host, and against jraph.GraphNetwork."""
    yield _cubify()
    yield _aggregation()


def _cubify():
    grids = balls(BATCH, RESOLUTION)
    capacity = cubify.CAPACITIES[RESOLUTION]
    make = jax.vmap(lambda grid: cubify.cubify(grid, THRESHOLD, capacity))
    ours = compile_program(make, jnp.asarray(grids))

    def other():
        return [_cubify_by_numpy(grid >= THRESHOLD) for grid in grids]

    def check():
        found = ours.run()
        for row, corners in enumerate(other()):
            faces = np.asarray(found.faces[row])
            faces = faces[faces.any(axis=1)]
            mine = np.asarray(found.vertices[row])[faces] + 0.5
            assert len(mine) == 2 * len(corners)
            np.testing.assert_array_equal(
                np.unique(mine.reshape(-1, 3), axis=0),
                np.unique(corners.reshape(-1, 3), axis=0),
            )

    return Case(
        f"cubify {RESOLUTION}^3, batch {BATCH}",
        ours.run,
        other,
        "numpy, one by one",
        check,
        per_second_goal=PER_SECOND,
        note=f"temporaries {ours.temporary:.1f} MB",
    )


def _aggregation():
    grids = balls(4, SMALL)
    capacity = cubify.CAPACITIES[SMALL]
    mesh = jax.vmap(lambda grid: cubify.cubify(grid, THRESHOLD, capacity))(grids)
    levels = jax.vmap(graph.padded_graph)(mesh)
    shape = (len(grids), capacity.vertices, 1, CHANNELS)
    nodes, cotangent = jax.random.normal(jax.random.key(0), (2, *shape))

    def program(aggregate):
        run = jax.vmap(lambda level, x: aggregate(level, x, "sum"))
        return compile_program(
            with_gradient(lambda x: run(levels, x)), cotangent, nodes
        )

    ours = program(graph.aggregate)
    other = program(graph.aggregate_by_network)
    return Case(
        f"aggregate 4 meshes of {capacity.vertices} x {CHANNELS}",
        ours.run,
        other.run,
        "jraph.GraphNetwork",
        check_equal(ours.run, other.run),
    )


def balls(count, resolution):
    """Grids of two overlapping balls, as large as objects are."""
    place = np.stack(np.mgrid[(slice(resolution),) * 3], axis=-1) / resolution
    grids = []
    for middle in np.random.default_rng(0).uniform(0.35, 0.65, (count, 2, 3)):
        distance = np.linalg.norm(place[..., None, :] - middle, axis=-1).min(axis=-1)
        grids.append(distance < 0.25)
    return np.stack(grids).astype(np.float32)


def _cubify_by_numpy(occupied):
    """Corners (Q, 4, 3) of the outer faces and the numbers of their vertices."""
    padded = np.pad(occupied, 1)
    corners = []
    for axis in range(3):
        for behind in (False, True):
            shifted = np.roll(padded, 1, axis)
            beside = padded & ~shifted if behind else shifted & ~padded
            place = np.argwhere(beside) - 1
            corners.append(place[:, None] + cubify.CORNERS[2 * axis + (not behind)])
    corners = np.concatenate(corners)
    np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    return corners
