"""The Mesh R-CNN method: what it says of meshes that are not simply of its voxels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import cubify
from pixel2mesh_jax.methods import mesh_rcnn
from pixel2mesh_jax.structures import VoxelMeshOutputs
from tests.batches import make_batch

SIDE = 8
# Room for the block of 4 voxels a side that stands for an empty prediction.
CAPACITY = cubify.Capacity(vertices=120, faces=240)


def network(*grids):
    """A network whose voxels have these probabilities."""
    probabilities = jnp.asarray(np.stack(grids), jnp.float32)
    mesh = jax.vmap(lambda grid: cubify.cubify(grid, 0.2, CAPACITY))(probabilities)
    found = VoxelMeshOutputs(probabilities, mesh, (mesh.vertices,))
    return lambda entry, batch: found


def block(side, probability=0.9):
    grid = np.zeros((SIDE,) * 3)
    grid[:side, :side, :side] = probability
    return grid


def remarks(*grids):
    found = mesh_rcnn.extract(network(*grids), make_batch(0, len(grids)))
    return [reconstruction.remarks for reconstruction in found]


def test_a_raised_threshold_and_an_empty_prediction_are_said():
    large = np.where(block(3) > 0, 0.9, block(SIDE, 0.3))  # the outer ones do not fit
    assert remarks(block(3), large, block(0)) == [
        (),
        (mesh_rcnn.RAISED,),
        (mesh_rcnn.EMPTY,),
    ]


@pytest.mark.parametrize("grid", [block(3), block(0)])
def test_meshes_are_those_of_the_voxels(grid):
    (found,) = mesh_rcnn.extract(network(grid), make_batch(0, 1))
    side = 3 if grid.any() else SIDE // 2
    extent = np.ptp(found.mesh.vertices, axis=0)
    np.testing.assert_array_equal(extent, [side] * 3)
