"""Points and true distances as grids."""

import numpy as np
import pytest

from data_pipelines.surfaces.volumes import encode
from pixel2mesh_jax.geometry import cube, frustum, point_grid
from tests.views_of_solids import SOLIDS, see

R = 5


def by_loops(positions, colors, weights):
    """Density and mean colour, one point at a time."""
    count, total = np.zeros((R,) * 3), np.zeros((R, R, R, 3))
    for position, color, weight in zip(positions, colors, weights, strict=True):
        cell = tuple(int(np.floor((x + 0.5) * R)) for x in position)
        if weight and all(0 <= i < R for i in cell):
            count[cell] += 1
            total[cell] += color
    mean = total / np.maximum(count, 1)[..., None]
    return np.concatenate([count[..., None] / max(count.max(), 1), mean], axis=-1)


def test_density_and_colour_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    positions = rng.uniform(-0.6, 0.6, (300, 3)).astype(np.float32)
    colors = rng.random((300, 3), dtype=np.float32)
    weights = (rng.random(300) < 0.7).astype(np.float32)
    found = point_grid.colored_density(positions, colors, weights, R)
    expected = by_loops(positions, colors, weights)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_order_of_the_points_does_not_matter():
    rng = np.random.default_rng(1)
    positions = rng.uniform(-0.5, 0.5, (60, 3)).astype(np.float32)
    colors, order = rng.random((60, 3), dtype=np.float32), rng.permutation(60)
    ones = np.ones(60, np.float32)
    found = [
        point_grid.colored_density(positions[rows], colors[rows], ones, R)
        for rows in (slice(None), order)
    ]
    np.testing.assert_allclose(*found, atol=1e-6)


def test_a_grid_without_points_is_empty():
    nowhere = np.full((4, 3), 2, np.float32)
    found = point_grid.colored_density(nowhere, nowhere, np.ones(4, np.float32), R)
    np.testing.assert_array_equal(found, 0)


def test_visible_points_lie_on_the_solid():
    view = see(SOLIDS["box"])
    rgb = np.repeat(view.mask[..., None], 3, axis=-1)
    points, _, seen = point_grid.visible_points(
        rgb, view.depth, view.mask, view.intrinsics
    )
    away = view.distance(np.asarray(points, np.float64))[np.asarray(seen) > 0]
    assert len(away) > 100
    assert np.abs(away).max() < 1e-5


@pytest.mark.parametrize("name", SOLIDS)
def test_true_distances_of_a_record_in_the_cube(name):
    view = see(SOLIDS[name])
    volume = frustum.view_volume(view.depth, view.mask, view.intrinsics)
    volume = volume._replace(extent=np.float32(1.5) * volume.extent)  # all of it
    cells = frustum.cell_points(volume, 64, 64)
    cell = float(frustum.thickness(volume, 64))
    stored = encode(view.distance(cells.astype(np.float64)) / cell)
    where = cube.of_view(view.depth, view.mask, view.intrinsics)
    found = point_grid.true_distances(stored, frustum.pack(volume), where, 16)
    axis = np.arange(16) / 15 - 0.5
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    points = cube.outside(nodes.reshape(-1, 3), where)
    side = float(where.side)
    true = view.distance(points.astype(np.float64)).reshape((16,) * 3) / side
    near = np.abs(true) < 0.8 * frustum.TRUNCATION * cell / side
    error = np.abs(np.asarray(found) - true)[near]
    # Of the record; at the edges of a box it interpolates a kink.
    assert np.quantile(error, 0.95) < 0.1 * cell / side
    assert error.max() < 1.5 * cell / side
    same = np.sign(found) == np.sign(true)
    assert same[np.abs(true) > cell / side].all()
