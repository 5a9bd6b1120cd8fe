"""What an implicit model is given in three dimensions: cube and grid of every view.

name              grid (index x, y, z)                             needs
none              none                                             colour alone
occupancy         cells that hold visible points                   depth
density           how many                                         depth
colored_density   how many, and their mean colour                  depth
true_occupancy    nodes inside of the true shape                   depth, true distances
true_distances    true signed distances at the nodes               depth, true distances
cloud_density     how many points of a cloud                       points
cloud             how many, and their mean colour                  points, colours

Those with the truth say how good a model can become that is told everything (seed 004,
table 1); a photo has none.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import cube, point_grid
from pixel2mesh_jax.structures import Array, Batch

Given = tuple[cube.Cube, Float[Array, "B V V V C"] | None]


class Grid(NamedTuple):
    """A kind of grid.

    Attributes:
      make: (batch, cells or nodes per side, points of a cloud) -> cube and grid.
      input: what a config has to list among its inputs beside "rgb"; "" for nothing.
      fields: of `Batch` that it needs beside those of an image.
    """

    make: Callable[[Batch, int, int], Given]
    input: str = ""
    fields: tuple[str, ...] = ()


def _nothing(batch: Batch, resolution: int, count: int) -> Given:
    """A cube that is large enough for wherever the object may be."""
    blind = jnp.zeros_like(batch.mask)
    return cube.of_view(blind, batch.mask, batch.intrinsics), None


def _visible(batch: Batch, resolution: int, count: int) -> Given:
    where = cube.of_view(batch.depth, batch.mask, batch.intrinsics)
    points, colors, seen = jax.vmap(point_grid.visible_points)(
        batch.rgb, batch.depth, batch.mask, batch.intrinsics
    )
    return where, _density(points, colors, seen, where, resolution)


def _cloud(batch: Batch, resolution: int, count: int) -> Given:
    """Of the first points; those of records are in random order."""
    points, colors = batch.points[:, :count], batch.colors[:, :count]
    where = cube.of_cloud(points)
    there = jnp.ones_like(points[..., 0])
    return where, _density(points, colors, there, where, resolution)


def _true(batch: Batch, resolution: int, count: int) -> Given:
    if batch.distances is None or batch.placement is None:
        raise InputError(
            "This model was trained with the true shape as its input, to see what is "
            "possible; it needs a data set with signed distances (--volume N of the "
            "build) and cannot be used on images."
        )
    where = cube.of_view(batch.depth, batch.mask, batch.intrinsics)
    look_up = functools.partial(point_grid.true_distances, resolution=resolution)
    distances = jax.vmap(look_up)(batch.distances, batch.placement, where)
    return where, distances[..., None]


def _density(points, colors, weights, where, resolution):
    make = functools.partial(point_grid.colored_density, resolution=resolution)
    return jax.vmap(make)(cube.inside(points, where), colors, weights)


def _only(make: Callable, change: Callable) -> Callable:
    """The same cube with another grid."""

    def changed(batch, resolution, count):
        where, grid = make(batch, resolution, count)
        return where, change(grid)

    return changed


def _first(grid):
    return grid[..., :1]


def _some(grid):
    return (grid[..., :1] > 0).astype(grid.dtype)


def _negative(grid):
    return (grid < 0).astype(grid.dtype)


_TRUTH = ("placement", "distances")
GRIDS = {
    "none": Grid(_nothing),
    "occupancy": Grid(_only(_visible, _some), "depth"),
    "density": Grid(_only(_visible, _first), "depth"),
    "colored_density": Grid(_visible, "depth"),
    "true_occupancy": Grid(_only(_true, _negative), "depth", _TRUTH),
    "true_distances": Grid(_true, "depth", _TRUTH),
    "cloud_density": Grid(_only(_cloud, _first), "points", ("points", "colors")),
    "cloud": Grid(_cloud, "points", ("points", "colors")),
}
