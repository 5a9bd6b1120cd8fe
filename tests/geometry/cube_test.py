"""The cube around what a view shows."""

import numpy as np
import pytest

from pixel2mesh_jax.geometry import cube
from tests.views_of_solids import SOLIDS, see


@pytest.mark.parametrize("name", SOLIDS)
def test_the_cube_of_a_view_holds_the_solid_and_little_more(name):
    view = see(SOLIDS[name])
    where = cube.of_view(view.depth, view.mask, view.intrinsics)
    index = np.stack(np.indices((40,) * 3), axis=-1).reshape(-1, 3)
    points = cube.outside(cube.nodes(index, 40), where)
    inside = view.distance(points.astype(np.float64)) < 0
    share = np.abs(cube.nodes(index, 40)[inside])
    assert share.max() < 0.5
    assert share.max() > 0.3
    # Nothing of the solid is beyond the faces.
    face = points[(np.abs(cube.nodes(index, 40)) > 0.48).any(axis=1)]
    assert view.distance(face.astype(np.float64)).min() > 0


def test_positions_and_points_are_inverse():
    rng = np.random.default_rng(0)
    where = cube.Cube(rng.normal(size=(2, 3)), np.array([0.3, 2.0]))
    points = rng.normal(size=(2, 7, 3))
    positions = cube.inside(points, where)
    np.testing.assert_allclose(cube.outside(positions, where), points)
    np.testing.assert_allclose(
        positions[1, 3], (points[1, 3] - where.center[1]) / where.side[1]
    )


def test_a_depth_map_in_other_units_gives_the_same_cube_in_those():
    view = see(SOLIDS["sphere"])
    one = cube.of_view(view.depth, view.mask, view.intrinsics)
    thousand = cube.of_view(1000 * view.depth, view.mask, view.intrinsics)
    np.testing.assert_allclose(thousand.center, 1000 * one.center, rtol=1e-5)
    np.testing.assert_allclose(thousand.side, 1000 * one.side, rtol=1e-5)


def test_without_depth_it_is_large_and_at_the_usual_distance():
    view = see(SOLIDS["sphere"])
    where = cube.of_view(0 * view.depth, view.mask, view.intrinsics)
    assert where.side == np.float32(cube.BLIND_SIDE)
    assert where.center[2] == np.float32(-cube.TYPICAL_DEPTH)


def test_nothing_at_all_has_a_finite_cube():
    nothing = np.zeros((2, 8, 8), np.float32)
    lens = np.tile(np.eye(3, dtype=np.float32), (2, 1, 1))
    where = cube.of_view(nothing, nothing, lens)
    assert np.isfinite(where.center).all()
    assert (where.side > 0).all()
    point = cube.of_cloud(np.ones((1, 3), np.float32))
    np.testing.assert_array_equal(point.center, 1)
    assert point.side == np.float32(cube.MIN_SIDE)


def test_nodes_run_down_right_and_away():
    index = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [3, 3, 3]])
    nodes = cube.nodes(index, 4)
    first = np.array([-0.375, 0.375, 0.375], np.float32)
    np.testing.assert_array_equal(nodes[0], first)
    np.testing.assert_array_equal(nodes[1] - first, [0, -0.25, 0])
    np.testing.assert_array_equal(nodes[2] - first, [0.25, 0, 0])
    np.testing.assert_array_equal(nodes[3] - first, [0, 0, -0.25])
    np.testing.assert_array_equal(nodes[4], -first)
