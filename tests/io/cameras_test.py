"""Every camera format that is read, as its program writes it."""

import json

import numpy as np
import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import cameras, limits

MATRIX = np.array([[500.0, 0, 300], [0, 510, 250], [0, 0, 1]])
ROWS = MATRIX.ravel().tolist()
FIELDS = {"fx": 500.0, "fy": 510.0, "cx": 300.0, "cy": 250.0}
SIZE = {"width": 640, "height": 480}

JSON_FILES = {
    "matrix": MATRIX.tolist(),
    "plain": {"intrinsics": MATRIX.tolist()},
    "plain, nine numbers": {"intrinsics": ROWS},
    "plain, four numbers": {"intrinsics": [500, 510, 300, 250]},
    "plain, fields": {"intrinsics": FIELDS | SIZE},
    "fields": FIELDS | SIZE,
    "Open3D": {"intrinsic_matrix": MATRIX.T.ravel().tolist(), **SIZE},
    "Open3D, with a pose": {
        "class_name": "PinholeCameraParameters",
        "extrinsic": np.eye(4).ravel().tolist(),
        "intrinsic": {"intrinsic_matrix": MATRIX.T.ravel().tolist(), **SIZE},
    },
    "RealSense": {
        "fx": 500,
        "fy": 510,
        "ppx": 300,
        "ppy": 250,
        "coeffs": [0] * 5,
        **SIZE,
    },
    "ROS": {"K": ROWS, "D": [0.0] * 5, **SIZE},
    "BOP": {"cam_K": ROWS, "depth_scale": 1.0},
    "BOP, one scene": {"3": {"cam_K": ROWS}, "7": {"cam_K": ROWS}},
    "nerfstudio": {
        "fl_x": 500,
        "fl_y": 510,
        "cx": 300.5,
        "cy": 250.5,
        "w": 640,
        "h": 480,
    },
}
ROS_YAML = """
image_width: 640
image_height: 480
camera_name: head
camera_matrix:
  rows: 3
  cols: 3
  data: [500, 0, 300, 0, 510, 250, 0, 0, 1]
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
"""
TEXT_FILES = {
    "intrinsics.txt": "500 0 300\n0 510 250\n0 0 1\n",
    "intrinsic_color.txt": "500 0 300 0\n0 510 250 0\n0 0 1 0\n0 0 0 1\n",
    "four.txt": "500, 510, 300, 250",
    "cameras.txt": "# Camera list\n1 PINHOLE 640 480 500 510 300.5 250.5\n",
    "info.yaml": ROS_YAML,
    "info.yml": "k: [500, 0, 300, 0, 510, 250, 0, 0, 1]\nwidth: 640\nheight: 480\n",
}


@pytest.mark.parametrize("name", JSON_FILES)
def test_json(tmp_path, name):
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(JSON_FILES[name]))
    found = cameras.load_camera(path)
    np.testing.assert_allclose(found.matrix, MATRIX)
    assert found.size in (None, (640, 480))
    np.testing.assert_allclose(found.for_image(640, 480), MATRIX)


@pytest.mark.parametrize("name", TEXT_FILES)
def test_text_and_yaml(tmp_path, name):
    (tmp_path / name).write_text(TEXT_FILES[name])
    np.testing.assert_allclose(cameras.load_camera(tmp_path / name).matrix, MATRIX)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_of_windows(tmp_path, encoding):
    text = json.dumps(JSON_FILES["plain"], indent=1).replace("\n", "\r\n")
    (tmp_path / "camera.json").write_bytes(text.encode(encoding))
    np.testing.assert_allclose(
        cameras.load_camera(tmp_path / "camera.json").matrix, MATRIX
    )


def test_a_comma_in_the_path_is_no_list(tmp_path):
    path = tmp_path / "1,2,3,4.json"
    path.write_text(json.dumps(JSON_FILES["plain"]))
    np.testing.assert_allclose(cameras.load_camera(path).matrix, MATRIX)


def test_one_camera_per_image(tmp_path):
    path = tmp_path / "scene_camera.json"
    other = (MATRIX * [[2, 1, 1]]).ravel().tolist()
    path.write_text(json.dumps({"3": {"cam_K": other}, "7": {"cam_K": ROWS}}))
    np.testing.assert_allclose(
        cameras.load_camera(path, "rgb/000007.png").matrix, MATRIX
    )
    with pytest.raises(InputError, match="2 cameras, none named as the image '9'"):
        cameras.load_camera(path, "9.png")


def test_a_field_of_view_stands_for_a_focal_length(tmp_path):
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": np.pi / 2, "w": 640, "h": 480}))
    expected = camera.pinhole(320.0, 319.5, 239.5)
    np.testing.assert_allclose(cameras.load_camera(path).matrix, expected)


def test_intrinsics_are_those_of_the_image_at_its_size():
    found = cameras.Camera(MATRIX, (640, 480))
    half = camera.resize_intrinsics(MATRIX, 0.5, 0.5)
    np.testing.assert_allclose(found.for_image(320, 240), half)
    for width, height in ((480, 640), (640, 640)):
        with pytest.raises(InputError, match=f"640x480, but .*{width}x{height} pixels"):
            found.for_image(width, height)


def test_intrinsics_in_parts_of_the_image(tmp_path):
    path = tmp_path / "camera.json"
    normalized = np.diag([1 / 640, 1 / 480, 1]) @ MATRIX
    path.write_text(json.dumps({"intrinsics": normalized.tolist()}))
    found = cameras.load_camera(path)
    assert found.normalized
    np.testing.assert_allclose(found.for_image(640, 480), MATRIX)


def test_a_focal_length_that_no_lens_has():
    found = cameras.load_camera("4,4,112,112")
    with pytest.raises(
        InputError, match="focal length of 4 pixels for an image of 224"
    ):
        found.for_image(224, 224)


@pytest.mark.parametrize(
    ("content", "metres"),
    [
        ({"depth_scale": 0.1}, 1e-4),
        ({"depth_scale": 0.1, "depth_unit": "0.1 mm"}, 1e-4),
        ({"depth_unit": "millimetre along the optical axis"}, 1e-3),
        ({"depth_unit": "arbitrary"}, None),
        ({"depth_unit_scale_factor": 0.001}, 1e-3),
        ({}, None),
    ],
)
def test_the_unit_of_depth_beside_intrinsics(tmp_path, content, metres):
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(JSON_FILES["plain"] | content))
    assert cameras.load_camera(path).depth_unit == metres


def test_contradictory_units(tmp_path):
    path = tmp_path / "camera.json"
    content = JSON_FILES["plain"] | {"depth_scale": 1000, "depth_unit": "m"}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="contradicts depth_scale"):
        cameras.load_camera(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", '{"intrinsics": ' + "9" * 5000 + "}", "JSON|expected"),
        ("a.json", '{"intrinsics": [1e400, 1, 1, 1]}', "3x3 matrix of numbers"),
        ("a.json", '{"fx": {}, "fy": 1, "cx": 1, "cy": 1}', "fx is {}, not a number"),
        ("a.json", '{"fx": "wide", "fy": 1, "cx": 1, "cy": 1}', "fx is 'wide', not a"),
        ("a.json", '{"K": ["a", 0, 0, 0, 1, 0, 0, 0, 1]}', "the matrix is .* numbers"),
        ("a.json", '{"intrinsics": [[1, 0], [0]]}', "the matrix is .* not numbers"),
        ("a.json", '{"intrinsic_matrix": [1, 2]}', "has 2 numbers, not 9"),
        ("a.json", '{"camera_angle_x": "wide", "w": 9, "h": 9}', "camera_angle_x is"),
        ("a.json", f'{{"K": {ROWS}, "depth_scale": "mm"}}', "depth_scale is 'mm'"),
        ("a.json", f'{{"K": {ROWS}, "D": [1, 2, "x", 4]}}', "term of the distortion"),
        ("a.json", f'{{"K": {ROWS}, "width": "w", "height": 2}}', "width is 'w'"),
        ("cameras.txt", "1 PINHOLE twelve 12 5 5 6 6", "WIDTH is 'twelve', not a num"),
        (
            "cameras.txt",
            "1 PINHOLE 12 12 5 5 6",
            "3 parameters; PINHOLE has at least",
        ),
        ("a.json", '{"camera_matrix": {"rows": 3}}', "not a camera"),
        ("a.json", '{"intrinsics": {"intrinsics": {}}}', "expected the key"),
        ("a.json", "3", "expected a 3x3 matrix"),
        ("a.json", "\0\1\2", "not a JSON file"),
        ("a.json", b"\xff\xfe\xff", "not a text file"),
        ("a.yaml", "a: [1, 2", "not a YAML file"),
        ("a.yaml", "!!python/object/apply:os.system ['true']", "not a YAML file"),
        ("a.txt", "1 2 3", "expected 4, 9 or 16 numbers"),
        ("cameras.txt", "1 FISHEYE 640 480 500 510 300 250", "is a fisheye"),
        ("cameras.txt", "1 NOVEL 640 480 500 510 300 250", "of the models"),
        ("a.json", '{"intrinsics": [[-5, 0, 1], [0, 5, 1], [0, 0, 1]]}', "positive fx"),
        ("a.json", '{"fx": 5, "fy": 5, "cx": 2, "cy": 2, "w": 0, "h": 0}', "0x0"),
    ],
)
def test_files_that_are_no_camera(tmp_path, name, content, message):
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        cameras.load_camera(tmp_path / name)
    assert name in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert "Error" not in str(caught.value)


def test_large_files_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_CAMERA_BYTES", 10)
    (tmp_path / "a.json").write_text(json.dumps(JSON_FILES["plain"]))
    with pytest.raises(InputError, match="expected at most"):
        cameras.load_camera(tmp_path / "a.json")
