"""`load` a model, call it, get a mesh."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial import cKDTree

import pixel2mesh_jax
from pixel2mesh_jax import InputError, load, model
from pixel2mesh_jax.geometry import camera, distortion
from pixel2mesh_jax.geometry.distortion import Distortion
from pixel2mesh_jax.inference.predict import METRIC_FRAME
from pixel2mesh_jax.io import undistort

CAMERA = (245.0, 245.0, 111.5, 111.5)  # examples/taxi_camera.json


@pytest.fixture(scope="module")
def shipped():
    return load()


@pytest.fixture(scope="module")
def taxi():
    """Paths of image, depth and camera."""
    folder = pathlib.Path(__file__).resolve().parents[1] / "examples"
    return [
        folder / name for name in ("taxi.png", "taxi_depth.png", "taxi_camera.json")
    ]


@pytest.fixture(scope="module")
def from_paths(shipped, taxi):
    return shipped(*taxi)


def test_a_mesh_with_colours_normals_and_metres(from_paths):
    mesh = from_paths.mesh
    assert isinstance(mesh, trimesh.Trimesh)
    assert mesh.is_watertight
    assert from_paths.is_watertight
    assert from_paths.volume == pytest.approx(mesh.volume, rel=1e-3)
    assert from_paths.frame == METRIC_FRAME
    assert from_paths.scale_is_metric
    assert from_paths.seconds > 0
    assert 0.5 < from_paths.distance < 1
    assert len(np.unique(mesh.visual.vertex_colors, axis=0)) > 100
    outward = mesh.triangles_center - mesh.center_mass
    assert (np.sum(outward * mesh.face_normals, axis=1) > 0).mean() > 0.5


def test_arrays_images_and_numbers_give_the_same_mesh(shipped, taxi, from_paths):
    opened, depth = Image.open(taxi[0]), np.asarray(Image.open(taxi[1]))
    for image, distances in ((opened, depth), (np.asarray(opened), depth * 1e-3)):
        found = shipped(image, distances, CAMERA)
        np.testing.assert_allclose(
            found.mesh.vertices, from_paths.mesh.vertices, atol=1e-6
        )
    lens = [[245, 0, 111.5], [0, 245, 111.5], [0, 0, 1]]
    found = shipped(image, depth, lens, depth_unit="mm")
    np.testing.assert_array_equal(found.mesh.faces, from_paths.mesh.faces)


def test_lists_in_lists_out(shipped, taxi, from_paths):
    found = shipped([taxi[0]] * 2, [taxi[1], None], CAMERA)
    assert [result.scale_is_metric for result in found] == [True, False]
    np.testing.assert_array_equal(found[0].mesh.faces, from_paths.mesh.faces)
    assert shipped([]) == []


@pytest.mark.parametrize(
    ("intrinsics", "cameras"),
    [
        (CAMERA, [CAMERA] * 2),
        (list(CAMERA), [list(CAMERA)] * 2),
        (np.eye(3).tolist(), [np.eye(3).tolist()] * 2),
        ("a.json", ["a.json"] * 2),
        (["a.json", None], ["a.json", None]),
        ([CAMERA, np.eye(3)], [CAMERA, np.eye(3)]),
        (None, [None, None]),
    ],
)
def test_one_camera_serves_all_images(intrinsics, cameras):
    found = model._cameras(intrinsics, 2)
    assert [str(camera) for camera in found] == [str(camera) for camera in cameras]


def test_a_distorted_image_gives_the_mesh_of_the_straight_one(
    shipped, taxi, from_paths, tmp_path
):
    """The inverse model says where an ideal camera sees what the lens shows."""
    terms = [-0.5, 0.1, 2e-3, -1e-3, 0.0]
    lens = Distortion((-0.5, 0.1, 0.0), (2e-3, -1e-3))
    image, depth = (np.asarray(Image.open(path)) for path in taxi[:2])
    matrix = camera.pinhole(*CAMERA[::2], CAMERA[3])
    places = distortion.sources(matrix, depth.shape, lens)
    bent = undistort.image(image, places), undistort.nearest(depth, places)
    path = tmp_path / "camera.json"
    content = dict(zip(("fx", "fy", "ppx", "ppy"), CAMERA, strict=True))
    content |= {"model": "inverse_brown_conrady", "coeffs": terms}
    path.write_text(json.dumps(content), encoding="utf-8")
    vertices = from_paths.mesh.vertices
    errors = [
        cKDTree(shipped(*bent, known).mesh.vertices).query(vertices)[0].mean()
        for known in (path, CAMERA)
    ]
    assert errors[0] < 2e-3  # metres; the taxi is 0.57 m large
    assert errors[1] > 2 * errors[0]  # if nothing is undone


@pytest.mark.parametrize("suffix", ["glb", "ply", "obj"])
def test_saved_meshes_are_what_is_shown(from_paths, tmp_path, suffix):
    path = from_paths.save(tmp_path / "new" / f"taxi.{suffix}")
    mesh = trimesh.load_mesh(path, process=False)
    assert len(mesh.faces) == len(from_paths.mesh.faces)
    with pytest.raises(InputError, match="known types are"):
        from_paths.save(tmp_path / "taxi.xyz")


def test_doubtful_metres_are_warnings(shipped, taxi, caplog):
    shipped(taxi[0], taxi[1])
    assert "no camera beside the image" in caplog.text
    assert "Give the intrinsics" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": np.ones((5, 7))}, "depth: expected the size of .*taxi.png, 224x224"),
        ({"depth": [1, 2]}, "depth: expected a depth map"),
        ({"intrinsics": (1, 2)}, "intrinsics: expected four numbers|expected a 3x3"),
        ({"intrinsics": "none.json"}, "no such file"),
        ({"mask": np.zeros((224, 224))}, "mask: the mask is empty"),
        ({"fit": "often"}, "unknown fit 'often'; valid: auto"),
        ({"depth_unit": "miles"}, "miles"),
        ({"matting": "scissors"}, "scissors"),
        ({"image": "none.png"}, "no such file"),
        ({"image": ["a.png", "b.png"], "depth": "d.png"}, "expected a list of 2"),
        ({"image": ["a.png"], "mask": ["d.png"] * 3}, "expected a list of 1.* got 3"),
    ],
)
def test_unusable_input_is_named(shipped, taxi, arguments, message):
    with pytest.raises(InputError, match=message):
        shipped(**{"image": taxi[0], **arguments})


def test_models_are_listed_where_there_is_none_of_the_name():
    with pytest.raises(InputError, match=r"No model 'resnet'.*rgbd_sdf"):
        load("resnet")


def test_the_hidden_side_is_completed_by_symmetry_unless_told_otherwise(
    taxi, from_paths
):
    assert 1 <= from_paths.mirrors <= 3
    as_guessed = load(mirrors=0)(*taxi)
    assert as_guessed.mirrors == 0
    assert as_guessed.is_watertight
    with pytest.raises(InputError, match=r"model.mirrors is -2; expected 0"):
        load(mirrors=-2)


def test_neither_tensorflow_nor_a_config_is_imported(repository):
    code = (
        "import sys, json; import pixel2mesh_jax; early = set(sys.modules);"
        "pixel2mesh_jax.load();"
        "print(json.dumps(['jax' in early, [n for n in sys.modules if n.split('.')[0]"
        " in ('tensorflow', 'tensorflow_datasets', 'configs', 'data_pipelines')]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=repository,
    )
    assert json.loads(done.stdout) == [False, []]


def test_what_is_public():
    for name in pixel2mesh_jax.__all__:
        assert getattr(pixel2mesh_jax, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pixel2mesh_jax.nothing
    assert repr(model.Model).startswith("<class")


def test_a_stage_is_saved_by_its_number(from_paths, tmp_path):
    """The weights that ship have one."""
    saved = from_paths.save(tmp_path / "first.ply", stage=1)
    assert len(trimesh.load_mesh(saved).faces) == len(from_paths.mesh.faces)
    for stage in (0, 2):
        with pytest.raises(InputError, match=f"stage is {stage}; expected 1 to 1"):
            from_paths.save(tmp_path / "none.ply", stage=stage)


def test_evidence_is_the_image_and_its_depth(from_paths, shipped, taxi):
    image = np.asarray(Image.open(taxi[0]))
    depth = np.asarray(Image.open(taxi[1])) * np.float32(1e-3)
    seen = from_paths.evidence
    assert np.array_equal(seen.image[..., 3], image[..., 3])
    found = seen.depth > 0
    np.testing.assert_allclose(seen.depth[found], depth[found], rtol=1e-5)
    assert shipped(taxi[0]).evidence.depth is None


def test_matting_may_be_a_function(shipped):
    left = np.zeros((40, 40), np.uint8)
    left[10:30, 5:20] = 255
    result = shipped(np.full((40, 40, 3), 90, np.uint8), matting=lambda rgb: left)
    assert np.array_equal(result.evidence.image[..., 3], left)
