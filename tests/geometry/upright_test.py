"""Up from the ground or from the box of the object, its sides along the axes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from pixel2mesh_jax.geometry import camera, upright

SIDES = np.array([0.5, 0.2, 0.3])


def box_seen(elevation, turn, sides=SIDES):
    """Corners of a box in the frame of a level camera; and up there."""
    corners = np.stack(np.meshgrid(*([-0.5, 0.5],) * 3), axis=-1).reshape(-1, 3) * sides
    view = Rotation.from_euler("x", elevation, degrees=True)
    turned = Rotation.from_euler("y", turn, degrees=True).apply(corners)
    return view.apply(turned) + np.array([0.1, 0, -0.8]), view.apply([0.0, 1.0, 0.0])


def ground(elevation, size=48):
    """Depth of a plane seen from above it, and the lens."""
    lens = camera.pinhole(60.0, (size - 1) / 2, (size - 1) / 2)
    _, up = box_seen(elevation, 0)
    rows, columns = np.indices((size, size))
    rays = np.stack([(columns - lens[0, 2]) / 60, -(rows - lens[1, 2]) / 60], axis=-1)
    slope = rays @ up[:2] - up[2]  # of one metre along the optical axis
    depth = np.where(slope < -0.1, -0.4 / np.minimum(slope, -0.1), 0)
    return depth.astype(np.float32), lens, up


@pytest.mark.parametrize("elevation", [0, 28, 60])
@pytest.mark.parametrize("turn", [0, 24, 66])
def test_a_box_is_put_on_its_side(elevation, turn):
    points, _ = box_seen(elevation, turn)
    turn_back = upright.rotation(points)
    assert_allclose(turn_back @ turn_back.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn_back) == pytest.approx(1)
    found = np.ptp(points @ turn_back.T, axis=0)
    expected = (0.5, 0.2, 0.3) if turn < 45 else (0.3, 0.2, 0.5)
    assert_allclose(found, expected, atol=0.02)


def test_up_that_is_known_is_kept():
    """Of a plate on edge, which by itself looks as if it lay."""
    points, up = box_seen(30, 10, sides=np.array([0.4, 0.5, 0.02]))
    turned = upright.rotation(points, up)
    assert_allclose(turned @ up, [0, 1, 0], atol=1e-12)
    assert np.ptp(points @ turned.T, axis=0)[1] == pytest.approx(0.5)


@pytest.mark.parametrize("elevation", [20, 45, 70])
def test_the_ground_says_where_up_is(elevation):
    depth, lens, up = ground(elevation)
    assert_allclose(upright.ground_up(depth, lens), up, atol=1e-3)


def test_a_wall_is_no_ground():
    lens = camera.pinhole(60.0, 23.5, 23.5)
    assert upright.ground_up(np.ones((48, 48), np.float32), lens) is None
    assert upright.ground_up(np.zeros((48, 48), np.float32), lens) is None
