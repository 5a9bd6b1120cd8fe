"""Depth maps of another camera than the image's."""

import json
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import cameras, captures, depth_cameras
from pixel2mesh_jax.io.in_memory import InMemory

LENS = cameras.of_numbers((50.0, 50.0, 19.5, 15.5))
TURN = Rotation.from_euler("xyz", [1, 2, 3], degrees=True).as_matrix()
SHIFT = [0.015, 0.0, 0.001]
MATRIX = np.eye(4)
MATRIX[:3, :3], MATRIX[:3, 3] = TURN, SHIFT


@pytest.mark.parametrize(
    "content",
    [
        MATRIX.tolist(),
        MATRIX[:3].tolist(),
        {"rotation": TURN.T.ravel().tolist(), "translation": SHIFT},  # RealSense
        {"rotation": TURN.tolist(), "translation": SHIFT},
    ],
)
def test_transforms_in_all_forms(tmp_path, content):
    path = tmp_path / "to_color.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    for given in (path, str(path), content):
        found = depth_cameras.depth_camera(LENS, given)
        assert_allclose(found.turn, TURN, atol=1e-12)
        assert_allclose(found.shift, SHIFT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([[1, 2], [3, 4]], "expected a 4x4 or 3x4 matrix"),
        ({"rotation": [1, 0, 0]}, "expected a 4x4"),
        ("text", "expected a 4x4"),
        ((2 * np.eye(4)).tolist(), "not a rotation"),
        (np.diag([1, 1, -1, 1]).tolist(), "mirrors"),
        ([[1, 0, 0, 15], [0, 1, 0, 0], [0, 0, 1, 1]], "15 m apart; is the"),
    ],
)
def test_what_is_no_rigid_transform_is_named(tmp_path, content, message):
    path = tmp_path / "to_color.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        depth_cameras.depth_camera(LENS, path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        depth_cameras.depth_camera(LENS, tmp_path / "absent.json")
    (tmp_path / "bad.json").write_text("[[", encoding="utf-8")
    with pytest.raises(InputError, match="not JSON"):
        depth_cameras.depth_camera(LENS, tmp_path / "bad.json")
    with pytest.raises(InputError, match="--depth_intrinsics"):
        depth_cameras.depth_camera(None, MATRIX)
    assert depth_cameras.depth_camera(None, None) is None


def image(shape=(72, 96)):
    rgba = np.full((*shape, 4), 90, np.uint8)
    rgba[..., 3] = 0
    rgba[26:46, 36:60, 3] = 255
    return InMemory("image", rgba)


def test_depth_arrives_in_the_pixels_of_the_image():
    """A camera 2 cm to the left with coarser pixels; all is 0.8 m away."""
    shift = np.eye(4)
    shift[0, 3] = 0.02
    camera = depth_cameras.depth_camera(LENS, shift)
    depth = InMemory("depth", np.full((32, 40), 800, np.uint16))
    lens = np.array([[120.0, 0, 47.5], [0, 120, 35.5], [0, 0, 1]])
    found = captures.load_capture(image(), depth, lens, depth_camera=camera)
    assert found.view.depth.shape == (72, 96)
    assert_allclose(found.view.depth[26:46, 36:60], 0.8)
    assert (found.view.depth[:26] == 0).all()
    with pytest.raises(InputError, match="needs the intrinsics of the image"):
        captures.load_capture(image(), depth, depth_camera=camera)


def test_a_depth_map_of_something_else_is_named():
    aside = depth_cameras.depth_camera(LENS, np.diag([-1.0, 1, -1, 1]))  # looks back
    depth = InMemory("depth", np.full((32, 40), 800, np.uint16))
    lens = np.array([[120.0, 0, 47.5], [0, 120, 35.5], [0, 0, 1]])
    with pytest.raises(InputError, match="nothing of this depth map is inside"):
        captures.load_capture(image(), depth, lens, depth_camera=aside)
