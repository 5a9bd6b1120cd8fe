"""Trilinear sampling of feature grids at positions in cells.

As `interpolate.py` does for maps, whose weighted sums and gradients serve here as well.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Inexact

from pixel2mesh_jax.geometry import interpolate
from pixel2mesh_jax.geometry.interpolate import Corners
from pixel2mesh_jax.structures import Array

# The corners of a cell: 0 the lower, 1 the upper cell along each axis.
STEPS = np.stack(np.indices((2, 2, 2)), axis=-1).reshape(-1, 3)


def corners(cells: Float[Array, "N 3"], shape: tuple[int, int, int]) -> Corners:
    """The eight cells around positions (i, j, k), clamped to the border cells.

    Args:
      cells: positions; cell middles are whole numbers.
      shape: of the grid.

    Returns:
      Rows of the flat grid, the last index fastest, and how much each counts.
    """
    last = np.array(shape) - 1
    cells = jnp.clip(cells, 0, jnp.asarray(last, cells.dtype)[None])
    low = jnp.floor(cells)
    fraction = cells - low
    first = low.astype(jnp.int32)
    second = jnp.minimum(first + 1, last[None])
    rows, weights = [], []
    for step in STEPS:
        i, j, k = (jnp.where(step[None], second, first)[:, axis] for axis in range(3))
        rows.append((i * shape[1] + j) * shape[2] + k)
        share = jnp.where(step[None], fraction, 1 - fraction)
        weights.append(share[:, 0] * share[:, 1] * share[:, 2])
    return Corners(jnp.stack(rows, axis=1), jnp.stack(weights, axis=1))


def sample(grid: Float[Array, "X Y Z C"], at: Corners) -> Float[Array, "N C"]:
    """Values of one grid at N positions; differentiable in both."""
    grid = jnp.asarray(grid)
    return interpolate.weigh(grid.reshape(-1, grid.shape[-1]), at)


def sample_on_host(
    grid: Inexact[np.ndarray, "X Y Z"], cells: Float[np.ndarray, "axes=3 *positions"]
) -> Inexact[np.ndarray, " *positions"]:
    """The same without JAX; two grids take a quarter of the time of scipy.

    Args:
      grid: may be complex, which samples two grids at once.
      cells: positions, one row per axis; clamped to the border cells.
    """
    counts = np.expand_dims(grid.shape, tuple(range(1, cells.ndim)))
    cells = np.clip(cells, 0, (counts - 1).astype(cells.dtype))
    low = np.minimum(cells.astype(np.int32), np.maximum(counts - 2, 0))
    shares = (cells - low).astype(grid.real.dtype)
    values = grid.reshape(-1)
    strides = np.array([grid.shape[1] * grid.shape[2], grid.shape[2], 1])
    strides *= np.array(grid.shape) > 1  # a single cell has no neighbour

    def along(axis, row):
        """Interpolated along this axis and those after it."""
        if axis == len(strides):
            return values[row]
        first, second = (along(axis + 1, row + k * strides[axis]) for k in (0, 1))
        return first + shares[axis] * (second - first)

    return along(0, np.ravel_multi_index(tuple(low), grid.shape))
