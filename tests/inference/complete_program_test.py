"""The command line from a cloud to a mesh, in this process, by an untrained network."""

import json
import sys

import numpy as np
import pytest
import trimesh
from absl.testing import flagsaver
from PIL import Image

from configs import implicit
from pixel2mesh_jax import main as program
from pixel2mesh_jax.errors import InputError
from tests import untrained_runs
from tests.inference.complete_test import write_cloud
from tests.methods.houses import HOUSE

RESOLUTION = 16  # nodes per side


def save_run(folder, variant):
    config = implicit.get_config(f"{variant},tiny")
    config.model.update(HOUSE["implicit"][1])
    config.image_size = 32
    config.extract.resolution, config.extract.chunk = RESOLUTION, 512
    untrained_runs.save(folder, config)
    return folder


@pytest.fixture(scope="module")
def of_cloud(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("run"), "sparse_cloud,no_image")


@pytest.fixture
def call(of_cloud, monkeypatch):
    def call(source, output, *flags):
        files = (f"--workdir={of_cloud}", f"--input={source}", f"--output={output}")
        command = ["main.py", "--mode=reconstruct", *files, *flags]
        monkeypatch.setattr(sys, "argv", command)  # ml_collections looks there
        with flagsaver.flagsaver():
            program.FLAGS(program.with_config_of_run(command))
            program.main(["main.py"])

    return call


def write_ball(path):
    points = np.random.default_rng(0).normal(size=(300, 3))
    points *= 0.2 / np.linalg.norm(points, axis=1, keepdims=True)
    colors = np.full((300, 3), 128)
    return write_cloud(path, points - [0, 0, 0.8], colors)


def test_a_cloud_becomes_a_closed_mesh(call, tmp_path, capsys):
    cloud = write_ball(tmp_path / "ball.ply")
    call(cloud, tmp_path / "out", "--format=ply")
    assert "Wrote 1 completed clouds" in capsys.readouterr().out
    mesh = trimesh.load_mesh(tmp_path / "out" / "ball.ply")
    assert mesh.is_watertight
    assert json.loads((tmp_path / "out" / "ball.json").read_text())["points"] == 300


# ml_collections loads the file of a config as Python did before 3.12.
@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
def test_a_setting_of_the_run_may_be_given_anew(call, tmp_path):
    cloud, folders = write_ball(tmp_path / "ball.ply"), ("a", "b")
    for folder, resolution in zip(folders, (RESOLUTION, 2 * RESOLUTION), strict=True):
        anew = f"--config.extract.resolution={resolution}"
        call(cloud, tmp_path / folder, anew)
    coarse, fine = (trimesh.load_mesh(tmp_path / x / "ball.obj") for x in folders)
    assert len(fine.faces) > 2 * len(coarse.faces)


def test_a_image_is_no_cloud(call, tmp_path):
    image = tmp_path / "photo.png"
    Image.new("RGBA", (8, 8)).save(image)
    with pytest.raises(InputError, match="completes point clouds"):
        call(image, tmp_path / "out")
