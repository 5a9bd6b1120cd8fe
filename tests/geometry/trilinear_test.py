"""Sampling of grids."""

import jax
import numpy as np
from jax.test_util import check_grads
from scipy import ndimage

from pixel2mesh_jax.geometry import trilinear

SHAPE = (4, 5, 3)


def sampled(grid, cells):
    return trilinear.sample(grid, trilinear.corners(cells, grid.shape[:3]))


def test_values_are_those_of_scipy_inside_and_clamped_outside():
    rng = np.random.default_rng(0)
    grid = rng.normal(size=(*SHAPE, 2)).astype(np.float32)
    cells = rng.uniform(-1, 5, (200, 3)).astype(np.float32)
    found = sampled(grid, cells)
    for channel in range(2):
        expected = ndimage.map_coordinates(
            grid[..., channel], cells.T, order=1, mode="nearest"
        )
        np.testing.assert_allclose(found[:, channel], expected, atol=1e-5)


def test_whole_positions_give_the_cells():
    grid = np.arange(60, dtype=np.float32).reshape(*SHAPE, 1)
    index = np.argwhere(np.ones(SHAPE)).astype(np.float32)
    np.testing.assert_array_equal(sampled(grid, index), grid.reshape(-1, 1))


def test_gradients(x64):
    rng = np.random.default_rng(0)
    grid = rng.normal(size=(*SHAPE, 2))
    cells = rng.uniform(0.1, 1.9, (6, 3))
    check_grads(jax.jit(sampled), (grid, cells), order=1, modes=["rev"])
