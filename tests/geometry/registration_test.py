"""Depth of one camera in the pixels of another."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from pixel2mesh_jax.geometry import camera, registration

DEPTH_LENS = camera.pinhole(50.0, 19.5, 15.5)
COLOR_LENS = camera.pinhole(120.0, 47.5, 35.5)
DEPTH_SHAPE, COLOR_SHAPE = (32, 40), (72, 96)
STILL = np.eye(3), np.zeros(3)


def plane_depth(lens, shape, turn=None, shift=None):
    """Of the plane x/10 + z = 1 of the depth camera, in the frame of any camera."""
    turn, shift = STILL if turn is None else (turn, shift)
    normal = turn @ (0.1, 0, 1)
    offset = 1 + normal @ shift
    rows, columns = np.indices(shape)
    x, y = (columns - lens[0, 2]) / lens[0, 0], (rows - lens[1, 2]) / lens[1, 1]
    return offset / (normal[0] * x + normal[1] * y + normal[2])


def test_the_same_camera_sees_the_same():
    depth = plane_depth(DEPTH_LENS, DEPTH_SHAPE)
    depth[5:9, 3:7] = 0
    found = registration.register(depth, DEPTH_LENS, *STILL, DEPTH_LENS, DEPTH_SHAPE)
    assert_allclose(found, depth, rtol=0.01)
    assert (found[5:9, 3:7] == 0).all()


@pytest.mark.parametrize("angle", [0.0, 4.0])
def test_a_plane_without_holes_in_finer_pixels(angle):
    turn = Rotation.from_euler("y", angle, degrees=True).as_matrix()
    shift = np.array([0.02, -0.01, 0.03])
    depth = plane_depth(DEPTH_LENS, DEPTH_SHAPE)
    found = registration.register(
        depth, DEPTH_LENS, turn, shift, COLOR_LENS, COLOR_SHAPE
    )
    expected = plane_depth(COLOR_LENS, COLOR_SHAPE, turn, shift)
    middle = (slice(18, -18), slice(24, -24))
    assert (found[middle] > 0).all()
    assert_allclose(found[middle], expected[middle], atol=3e-3)


def test_what_is_near_hides_what_is_far():
    """A post in front of a wall, from a camera beside."""
    depth = np.full(DEPTH_SHAPE, 2.0)
    depth[:, 18:22] = 0.5
    shift = np.array([0.1, 0, 0])
    found = registration.register(
        depth, DEPTH_LENS, np.eye(3), shift, DEPTH_LENS, DEPTH_SHAPE
    )
    row = found[16]
    assert_allclose(row[28:32], 0.5)  # 0.1 m to the right is 10 pixels at 0.5 m
    assert (row[:2] == 0).all()  # nobody has seen that
    assert_allclose(row[3:20], 2.0)


def test_what_is_behind_the_other_camera_is_not_seen():
    depth = np.full(DEPTH_SHAPE, 0.5)
    shift = np.array([0, 0, -1.0])
    found = registration.register(
        depth, DEPTH_LENS, np.eye(3), shift, DEPTH_LENS, DEPTH_SHAPE
    )
    assert not found.any()
