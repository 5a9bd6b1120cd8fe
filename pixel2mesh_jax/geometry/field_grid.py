"""A field on a fine grid, coarse to fine: only blocks near the surface are looked at.

    blocks of 8^3 nodes -> those near the surface, as blocks of 2^3 -> nodes

A block is asked at its middle. It is left out where the distance there is larger than
the diagonal of the block: a signed distance has its sign everywhere in it, and keeps
half a diagonal from 0. So the surface is that of the whole grid, to the bit. Networks
are not exact: wherever the surface reaches the border of what was looked at, the blocks
beyond are looked at too, until it does not.

Everything is on the host; `ask` may be a network.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from pixel2mesh_jax.geometry import cube

# Positions in the cube to signed distances in its sides.
Ask = Callable[[Float[np.ndarray, "N 3"]], Float[np.ndarray, " N"]]

# A diagonal is at most this part of the distance at which the field is truncated, or
# nothing could be left out.
OF_TRUNCATION = 0.6
# Nodes per side of a block over those of the blocks it is divided into.
DIVISION = 4


def whole(ask: Ask, resolution: int) -> Float[np.ndarray, "R R R"]:
    """The field at all nodes (row, column, layer), see `cube.nodes`."""
    index = _inner(np.zeros((1, 3), int), resolution)
    return ask(cube.nodes(index, resolution)).reshape((resolution,) * 3)


def coarse_to_fine(
    ask: Ask, resolution: int, truncation: float
) -> Float[np.ndarray, "R R R"]:
    """The field near its surface; elsewhere what the middles of the blocks say.

    Args:
      ask: see `Ask`.
      resolution: nodes per side.
      truncation: distance, in sides of the cube, from which all are the same.
    """
    sizes = _block_sizes(OF_TRUNCATION * truncation * resolution / 3**0.5)
    if not sizes:
        return whole(ask, resolution)
    blocks = -(-resolution // sizes[0])
    field = np.zeros((blocks * sizes[0],) * 3, np.float32)
    near = _inner(np.zeros((1, 3), int), blocks)
    for size, last in zip(sizes, [None, *sizes], strict=False):
        near = near if last is None else _inner(near, last // size)
        near = near[_coarse(ask, field, near, size, resolution)]
    size = sizes[-1]
    done = np.zeros([n // size for n in field.shape], bool)
    while len(near):
        done[tuple(near.T)] = True
        nodes = _inner(near, size)
        field[tuple(nodes.T)] = _ask_at(ask, nodes, resolution)
        near = np.argwhere(_touched(field, size) & ~done)
    return field[:resolution, :resolution, :resolution]


def _block_sizes(largest: float) -> list[int]:
    """Nodes per side of the blocks, from the largest power of 2 down to 2 or more."""
    size = 2 ** int(np.log2(max(largest, 1)))
    sizes = []
    while size > 1:
        sizes.append(size)
        size //= DIVISION
    return sizes


def _inner(blocks, count) -> Int[np.ndarray, "N 3"]:
    """Indices of the count^3 parts of each block."""
    steps = np.stack(np.indices((count,) * 3), axis=-1).reshape(-1, 3)
    return (blocks[:, None] * count + steps[None]).reshape(-1, 3)


def _coarse(ask, field, blocks, size, resolution) -> Bool[np.ndarray, " N"]:
    """Fills blocks with what their middles say; which of them are near the surface."""
    values = _ask_at(ask, size * blocks + (size - 1) / 2, resolution)
    view = field.reshape([part for n in field.shape for part in (n // size, size)])
    rows, columns, layers = blocks.T
    view[rows, :, columns, :, layers, :] = values[:, None, None, None]
    return np.abs(values) <= size * 3**0.5 / resolution


def _ask_at(ask, index, resolution) -> Float[np.ndarray, " N"]:
    return ask(cube.nodes(index, resolution))


def _touched(field, size) -> Bool[np.ndarray, "B B B"]:
    """Blocks with a node whose sign is not that of the next node in another block."""
    inside = field < 0
    touched = np.zeros([n // size for n in field.shape], bool)
    for axis in range(3):
        signs = np.moveaxis(inside, axis, 0)
        marks = np.moveaxis(touched, axis, 0)
        changes = signs[size - 1 : -1 : size] != signs[size::size]
        count, side = len(changes), marks.shape[1]
        change = changes.reshape(count, side, size, side, size).any(axis=(2, 4))
        marks[:-1] |= change
        marks[1:] |= change
    return touched
