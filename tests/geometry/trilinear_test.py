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


def test_on_the_host_two_grids_at_once_are_those_of_scipy():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, *SHAPE)).astype(np.float32)
    cells = rng.uniform(-1, 5, (3, 20, 10)).astype(np.float32)
    found = trilinear.sample_on_host(first + 1j * second, cells)
    for values, grid in ((found.real, first), (found.imag, second)):
        expected = ndimage.map_coordinates(grid, cells, order=1, mode="nearest")
        np.testing.assert_allclose(values, expected, atol=1e-5)


def test_on_the_host_an_axis_may_have_one_cell():
    grid = np.arange(6.0).reshape(2, 1, 3)
    cells = np.array([[0.5, 1], [0, 0.7], [1, 2.5]])
    np.testing.assert_allclose(trilinear.sample_on_host(grid, cells), [2.5, 5])


def test_whole_positions_give_the_cells():
    grid = np.arange(60, dtype=np.float32).reshape(*SHAPE, 1)
    index = np.argwhere(np.ones(SHAPE)).astype(np.float32)
    np.testing.assert_array_equal(sampled(grid, index), grid.reshape(-1, 1))


def test_gradients(x64):
    rng = np.random.default_rng(0)
    grid = rng.normal(size=(*SHAPE, 2))
    cells = rng.uniform(0.1, 1.9, (6, 3))
    check_grads(jax.jit(sampled), (grid, cells), order=1, modes=["rev"])
