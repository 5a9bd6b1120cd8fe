"""Captures of distorting lenses come out as an ideal camera would have taken them."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from pixel2mesh_jax import InputError
from pixel2mesh_jax.geometry import camera, distortion
from pixel2mesh_jax.geometry.distortion import Distortion
from pixel2mesh_jax.io import cameras, captures, depth_cameras, exif, undistort
from pixel2mesh_jax.io.in_memory import InMemory

SHAPE = 96, 128
LENS = camera.pinhole(90.0, 60.0, 50.0)
BARREL = Distortion((-0.3, 0.1, 0.0), (2e-3, -1e-3))
CUSHION = Distortion((0.25, 0.0, 0.0), (0.0, 1e-3))
INVERSE = BARREL._replace(model="inverse")
CENTER, RADIUS, DISTANCE = np.array([0.35, 0.25]), 0.16, 1.0


def ideal_points(lens):
    """Where an ideal camera sees what each pixel of the lens shows; x right, y down."""
    rows, columns = np.indices(SHAPE)
    middle, focal = LENS[:2, 2], LENS[[0, 1], [0, 1]]
    shown = (np.stack([columns, rows], axis=-1) - middle) / focal
    if lens is None:
        return shown
    if lens.model == "inverse":
        return distortion.bend(shown, lens)
    found = shown  # invert by fixed point, which the program does not do here
    for _ in range(60):
        found = found + shown - distortion.bend(found, lens)
    return found


def scene(lens):
    """A disc before a transparent ground, its colours and depth by position."""
    x, y = np.moveaxis(ideal_points(lens), -1, 0)
    inside = np.hypot(x - CENTER[0], y - CENTER[1]) < RADIUS
    rgba = np.zeros((*SHAPE, 4), np.uint8)
    rgba[..., 0] = np.clip(128 + 150 * x, 0, 255)
    rgba[..., 2] = np.clip(128 + 150 * y, 0, 255)
    rgba[..., 3] = 255 * inside
    depth = (DISTANCE + 0.5 * x).astype(np.float32)
    return rgba, depth


def known(lens):
    return cameras.Camera(LENS, distortion=lens)


def outline_error(rgba, ideal):
    """Part of the pixels that are on the object in one image only."""
    return ((rgba[..., 3] >= 128) != (ideal[..., 3] >= 128)).mean()


@pytest.mark.parametrize("lens", [BARREL, CUSHION, INVERSE])
def test_a_distorted_capture_comes_back(lens):
    ideal, depth = scene(None)
    rgba, bent_depth = scene(lens)
    assert (rgba[..., 3] != ideal[..., 3]).sum() > 60  # it is another image
    capture = captures.load_capture(
        InMemory("image", rgba), InMemory("depth", bent_depth), known(lens)
    )
    view = capture.view
    assert capture.undone == lens
    assert outline_error(view.rgba, ideal) < 3e-3
    both = (view.rgba[..., 3] == 255) & (ideal[..., 3] == 255)
    assert_allclose(view.rgba[both].astype(int), ideal[both].astype(int), atol=2)
    assert_allclose(view.depth[both], depth[both], atol=6e-3)  # a pixel is 0.0055
    assert_allclose(view.intrinsics, LENS)


@pytest.mark.parametrize("tag", [3, 6, 7])
def test_a_turned_image_is_undone_as_it_is_stored(tmp_path, tag):
    rgba, _ = scene(BARREL)
    tags = Image.Exif()
    tags[0x0112] = tag
    Image.fromarray(rgba).save(tmp_path / "a.png", exif=tags)
    view = captures.load_capture(tmp_path / "a.png", None, known(BARREL)).view
    wanted = exif.turn_image(scene(None)[0], tag)
    assert outline_error(view.rgba, wanted) < 3e-3


def test_a_camera_of_the_image_held_upright(tmp_path):
    rgba, _ = scene(BARREL)
    tags = Image.Exif()
    tags[0x0112] = 6
    stored = exif.unturn_image(rgba, 6)
    Image.fromarray(stored).save(tmp_path / "a.png", exif=tags)
    lens = known(BARREL)._replace(size=SHAPE[::-1])
    view = captures.load_capture(tmp_path / "a.png", None, lens).view
    assert outline_error(view.rgba, scene(None)[0]) < 3e-3


def test_masks_are_not_blended_and_white_grounds_stay_white():
    rgba, _ = scene(CUSHION)
    labels = np.where(rgba[..., 3] > 0, 7, 2).astype(np.uint8)
    flat = rgba.copy()
    flat[rgba[..., 3] == 0] = 255
    flat[..., 3] = 255
    ideal = scene(None)[0]
    image, mask = InMemory("image", flat[..., :3]), InMemory("mask", labels)
    for options in ({"mask_path": mask, "label": 7}, {}):
        view = captures.load_capture(image, None, known(CUSHION), **options).view
        assert set(np.unique(view.rgba[..., 3])) <= {0, 255}
        assert outline_error(view.rgba, ideal) < 6e-3  # blended with white at the edge


def test_what_the_lens_does_not_show_is_missing():
    """Of a pincushion the corners are beyond the image."""
    rgba, depth = scene(CUSHION)
    rgba[..., 3] = 255
    rgba[..., 1] = 100
    view = captures.load_capture(
        InMemory("image", rgba),
        InMemory("depth", depth),
        known(CUSHION),
        InMemory("mask", np.full(SHAPE, 255, np.uint8)),
    ).view
    holes = undistort.holes(distortion.sources(LENS, SHAPE, CUSHION))
    assert holes[0, 0]
    assert 0.02 < holes.mean() < 0.3
    assert not view.rgba[holes, 3].any()
    assert not view.depth[holes].any()
    assert (view.rgba[~holes, 1] == 100).all()


def test_the_lens_of_another_depth_camera_is_undone_too():
    _, ideal = scene(None)
    _, bent = scene(BARREL)
    straight = cameras.Camera(LENS)
    found = [
        depth_cameras.DepthCamera(lens, np.eye(3), np.zeros(3)).registered(
            depth, LENS, SHAPE, "depth"
        )
        for lens, depth in ((straight, ideal), (known(BARREL), bent))
    ]
    both = (found[0] > 0) & (found[1] > 0)
    assert both.mean() > 0.8
    assert_allclose(found[0][both], found[1][both], atol=0.012)


@pytest.mark.parametrize("model", ["brown", "inverse", "modified"])
@pytest.mark.parametrize("size", [1e300, -1e300, -40.0])
def test_terms_of_no_lens_are_a_message(model, size):
    lens = Distortion((size, 0.0, size), (0.0, 0.0), (1.0, -size), model)
    rgba, depth = scene(None)
    with pytest.raises(InputError, match="image: "):
        captures.load_capture(
            InMemory("image", rgba), InMemory("depth", depth), known(lens)
        )


FILES = {
    "OpenCV": {"camera_matrix": LENS.tolist(), "dist_coeffs": [-0.3, 0.1, 2e-3, -1e-3]},
    "ROS": {
        "K": LENS.ravel().tolist(),
        "distortion_model": "plumb_bob",
        "D": [-0.3, 0.1, 2e-3, -1e-3, 0.0],
    },
    "RealSense": {
        **{"fx": 90, "fy": 90, "ppx": 60, "ppy": 50},
        "model": "distortion.inverse_brown_conrady",
        "coeffs": [-0.3, 0.1, 2e-3, -1e-3, 0.0],
    },
    "RealSense by number": {
        **{"fx": 90, "fy": 90, "ppx": 60, "ppy": 50},
        "model": 1,
        "coeffs": [-0.3, 0.1, 2e-3, -1e-3, 0.0],
    },
    "nerfstudio": {
        **{"fl_x": 90, "fl_y": 90, "cx": 60.5, "cy": 50.5, "camera_model": "OPENCV"},
        **{"k1": -0.3, "k2": 0.1, "p1": 2e-3, "p2": -1e-3},
    },
}
MODELS = {"RealSense": "inverse", "RealSense by number": "modified"}


@pytest.mark.parametrize("name", FILES)
def test_what_files_state(tmp_path, name):
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(FILES[name]))
    found = cameras.load_camera(path)
    assert_allclose(found.matrix, LENS)
    lens = found.distortion
    assert lens.radial[:2] == (-0.3, 0.1)
    assert lens.tangential == (2e-3, -1e-3)
    assert lens.model == MODELS.get(name, "brown")
    assert not any(lens.radial[2:])
    assert not any(lens.denominator)


def test_eight_numbers_are_a_rational_model(tmp_path):
    path = tmp_path / "camera.json"
    terms = [0.4, -0.2, 1e-3, -2e-3, 0.05, 0.35, -0.1, 0.02]
    path.write_text(json.dumps(FILES["ROS"] | {"D": terms}))
    lens = Distortion((0.4, -0.2, 0.05), (1e-3, -2e-3), (0.35, -0.1, 0.02))
    assert cameras.load_camera(path).distortion == lens


@pytest.mark.parametrize(
    ("model", "terms", "lens"),
    [
        ("SIMPLE_RADIAL 128 96 90 60.5 50.5", "0.1", Distortion((0.1,))),
        ("RADIAL 128 96 90 60.5 50.5", "0.1 0.2", Distortion((0.1, 0.2))),
        ("OPENCV 128 96 90 90 60.5 50.5", "-0.3 0.1 0.002 -0.001", BARREL),
        (
            "FULL_OPENCV 128 96 90 90 60.5 50.5",
            "0.4 -0.2 0.001 -0.002 0.05 0.35 -0.1 0.02",
            Distortion((0.4, -0.2, 0.05), (1e-3, -2e-3), (0.35, -0.1, 0.02)),
        ),
        ("PINHOLE 128 96 90 90 60.5 50.5", "", None),
        ("SIMPLE_RADIAL 128 96 90 60.5 50.5", "0", None),
    ],
)
def test_what_colmap_states(tmp_path, model, terms, lens):
    path = tmp_path / "cameras.txt"
    path.write_text(f"# comment\n1 {model} {terms}\n")
    found = cameras.load_camera(path)
    assert_allclose(found.matrix, LENS)
    assert found.distortion == lens


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.txt",
            "1 OPENCV_FISHEYE 128 96 90 90 60 50 0 0 0 0",
            "'OPENCV_FISHEYE' is a",
        ),
        ("a.txt", "1 FOV 128 96 90 90 60 50 0.9", "'FOV' is a fisheye"),
        ("a.json", FILES["ROS"] | {"distortion_model": "equidistant"}, "'equidistant'"),
        ("a.json", FILES["RealSense"] | {"model": 5}, "'kannala_brandt4'"),
        ("a.json", FILES["RealSense"] | {"model": "distortion.ftheta"}, "is a fisheye"),
        ("a.json", FILES["nerfstudio"] | {"camera_model": "OPENCV_FISHEYE"}, "fisheye"),
        ("a.json", FILES["nerfstudio"] | {"is_fisheye": True}, "fisheye"),
        ("a.json", FILES["ROS"] | {"D": [0.1] * 12}, "12 numbers of distortion; exp"),
        ("a.json", FILES["ROS"] | {"D": [1e999, 0, 0, 0]}, "is inf, not finite"),
        ("a.txt", "1 RADIAL 128 96 90 60 50 0.1", "RADIAL has 2"),
    ],
)
def test_what_is_not_undone_is_refused_by_name(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        cameras.load_camera(path)
    assert str(path) in str(caught.value)
