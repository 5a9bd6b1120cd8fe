"""True meshes in another unit or frame are found by their images."""

import json

import numpy as np
import pytest
import trimesh
from PIL import Image

from data_pipelines.building.options import Options
from data_pipelines.rgbd_folder import source
from data_pipelines.surfaces import true_meshes
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.structures import View

INTRINSICS = camera.pinhole(300, 159.5, 119.5)
BOX = trimesh.creation.box((0.1, 0.16, 0.12))
PLACE = np.array([0.05, 0.02, -0.7])


@pytest.fixture(scope="module")
def view():
    """An image, 320 x 240, of `BOX` at `PLACE`, with a hole in its depth."""
    hits = raycast.cast(BOX.vertices + PLACE, BOX.faces, INTRINSICS, (240, 320))
    alpha = np.where(hits.triangle >= 0, 255, 0).astype(np.uint8)
    depth = hits.depth.astype(np.float32)
    depth[110:120] = 0
    rgba = np.concatenate([np.full((240, 320, 3), 90, np.uint8), alpha[..., None]], 2)
    return View(rgba, depth, INTRINSICS)


def surface_at(vertices):
    mesh = trimesh.Trimesh(vertices, BOX.faces, process=False)
    return source.meshes.surface_from_mesh(mesh)


def test_the_mesh_of_the_image(view):
    true_meshes.check("a.ply", surface_at(BOX.vertices + PLACE), view)
    found = true_meshes.compare(BOX.vertices + PLACE, BOX.faces, view)
    assert found.covered == 1
    assert found.depth_difference == pytest.approx(0, abs=1e-6)


def test_a_coarse_or_partly_hidden_scan_passes(view):
    """A centimetre off, and half of the mask without a surface."""
    vertices = np.array(BOX.vertices) * (1, 0.6, 1) + PLACE + (0, -0.02, 0.01)
    true_meshes.check("a.ply", surface_at(vertices), view)


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        ((BOX.vertices + PLACE) * 1000, "seems to be in millimetres"),
        ((BOX.vertices + PLACE) * 100, "seems to be in centimetres"),
        ((BOX.vertices + PLACE) / 0.0254, "seems to be in inches"),
        ((BOX.vertices + PLACE) * (1, -1, -1), "in the OpenCV frame ..y down"),
        ((BOX.vertices + PLACE) * (1e3, -1e3, -1e3), "OpenCV frame, in millimetres"),
        ((BOX.vertices + PLACE) * (-1, 1, -1), "in the PyTorch3D frame"),
        (BOX.vertices, "in the frame of the object"),
        (BOX.vertices + PLACE + (0.3, 0, 0), "covers 0 % of the mask; expected metres"),
        (BOX.vertices + PLACE * 1.15, "m from the depth of the sensor .0.64 m."),
    ],
)
def test_meshes_elsewhere_are_named(view, moved, words):
    with pytest.raises(InputError, match=words) as error:
        true_meshes.check("a.ply", surface_at(moved), view)
    assert str(error.value).startswith("a.ply: does not fit its image")


@pytest.mark.parametrize(("unit", "built"), [(1, True), (1000, False)])
def test_a_capture_with_a_wrong_mesh_is_skipped(tmp_path, view, unit, built):
    Image.fromarray(view.rgba).save(tmp_path / "a.png")
    depth = np.round(view.depth * 1000).astype(np.uint16)
    Image.fromarray(depth).save(tmp_path / "a_depth.png")
    (tmp_path / "a_camera.json").write_text(json.dumps(INTRINSICS.tolist()))
    vertices = (BOX.vertices + PLACE) * unit
    trimesh.Trimesh(vertices, BOX.faces).export(tmp_path / "a_mesh.ply")
    (item,), _ = source.find_items(tmp_path, Options())
    if built:
        (example,) = source.make_examples(item, Options(num_points=100))
        assert len(example.surface.points) == 100
    else:
        with pytest.raises(InputError, match=r"a_mesh\.ply: .* in millimetres"):
            source.make_examples(item, Options(num_points=100))
