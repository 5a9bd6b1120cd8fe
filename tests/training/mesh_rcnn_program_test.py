"""Mesh R-CNN as a user runs it: data with voxels, training, all that reads a run."""

import json
import shutil

import pytest
import trimesh

from tests.training import programs

pytestmark = pytest.mark.slow
CONFIG = "configs/rgbd_mesh_rcnn.py:tiny"
RESOLUTION = 8
SMALL = (
    "--config.image_size=32",
    "--config.num_points=100",
    "--config.batch_size=4",
    "--config.num_steps=2",
    "--config.checkpoint_every=2",
    "--config.eval_every=0",
    "--config.model.encoder_width=0.05",
    f"--config.model.resolution={RESOLUTION}",
    "--config.model.max_vertices=400",
    "--config.model.max_faces=800",
    "--config.model.voxel_features=8",
    "--config.model.hidden_features=8",
)


def succeed(module, *arguments):
    quick = programs.environment(JAX_DISABLE_MOST_OPTIMIZATIONS="1")  # to compile
    (done,) = programs.start_together([quick], module, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    few = ("--train=1", "--val=1", "--test=1", "--views=1", "--num_points=300")
    where = (f"--voxels={RESOLUTION}", "--data_dir", folder)
    succeed("data_pipelines.build", "procedural_shapes", *few, *where)
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    where = ("--workdir", workdir, f"--config.data_dir={data}")
    succeed("pixel2mesh_jax.main", "--config", CONFIG, *where, *SMALL)
    return workdir


def test_a_run_is_evaluated_and_compared(trained, tmp_path):
    """The settings are those of the run; the protocol is given anew."""
    anew = "--config.eval.protocol=mesh_rcnn,occupancy"
    said = succeed("pixel2mesh_jax.main", "--mode", "eval", "--workdir", trained, anew)
    assert "mean over categories" in said
    metrics = json.loads((trained / "metrics.json").read_text())
    assert set(metrics["protocols"]) == {"mesh_rcnn", "occupancy"}
    assert metrics["num_samples"] == 10
    page = (trained / "report.html").read_text()
    for remark, count in metrics["remarks"].items():
        assert f"Of {count} of 10 samples: {remark}." in page
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    succeed("pixel2mesh_jax.compare", trained, other, "--output", tmp_path / "out")
    assert (tmp_path / "out" / "comparison.html").is_file()


def test_views_become_closed_meshes(trained, data, tmp_path):
    views, output = tmp_path / "views", tmp_path / "out"
    few = ("--count", 2, "--output", views, "--data_dir", data)
    succeed("data_pipelines.export", "procedural_shapes", *few)
    where = ("--workdir", trained, "--input", views, "--output", output)
    succeed("pixel2mesh_jax.main", "--mode", "reconstruct", *where, "--format", "ply")
    meshes = [trimesh.load_mesh(path) for path in output.glob("*.ply")]
    assert len(meshes) == 2
    assert all(mesh.is_watertight for mesh in meshes)
