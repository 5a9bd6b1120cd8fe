"""The first command of a stranger: images to closed, coloured, metric meshes."""

import pathlib

import numpy as np
import pytest
import trimesh
from PIL import Image

from pixel2mesh_jax.inference import reconstruct
from pixel2mesh_jax.inference.predict import METRIC_FRAME
from pixel2mesh_jax.io import cameras
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.training import run_folder
from pixel2mesh_jax.weights import release

EXAMPLES = ("bench", "gelatin_box", "taxi")
MAX_BYTES = 15_000_000


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    examples = pathlib.Path(__file__).resolve().parents[1] / "examples"
    run = run_folder.load_released(release.DEFAULT)
    return reconstruct.reconstruct(
        run.extract,
        examples,
        tmp_path_factory.mktemp("out"),
        image_size=run.config.image_size,
        inputs=run.config.inputs,
        optional=run.method.optional,
        file_format="ply",
    )


def test_the_file_is_small_and_has_a_card():
    path = release.path_of(release.DEFAULT)
    assert path.stat().st_size < MAX_BYTES
    card = (path.parent / "README.md").read_text()
    assert "CC-BY" in card
    assert "GPL" in card  # and that none of it was trained on


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_become_closed_coloured_meshes_in_metres(written, number):
    result = written[number]
    assert result.image.stem == EXAMPLES[number]
    assert result.frame == METRIC_FRAME
    mesh = trimesh.load_mesh(result.meshes[0], process=False)
    assert mesh.is_watertight
    assert mesh.volume > 0
    assert len(np.unique(mesh.visual.vertex_colors, axis=0)) > 100


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_visible_side_is_where_the_sensor_saw_it(written, number):
    """Median, in the frame of the image."""
    result = written[number]
    mesh = trimesh.load_mesh(result.meshes[0], process=False)
    beside = result.image.with_name(f"{result.image.stem}_depth.png")
    depth = np.asarray(Image.open(beside), np.float32) / 1000
    camera = cameras.load_camera(
        result.image.with_name(f"{result.image.stem}_camera.json")
    )
    seen = raycast.cast(
        np.asarray(mesh.vertices), np.asarray(mesh.faces), camera.matrix, depth.shape
    )
    both = (seen.depth > 0) & (depth > 0)
    assert both.sum() > 1000
    assert np.median(np.abs(seen.depth - depth)[both]) < 0.003
