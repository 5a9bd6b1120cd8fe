"""From the command line to shards with voxels and signed distances."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data_pipelines import build
from data_pipelines.building import job
from data_pipelines.building.options import REPORT_NAME, VERSION, Options
from data_pipelines.procedural_shapes import source as procedural_shapes
from data_pipelines.surfaces import solids
from pixel2mesh_jax.geometry import camera, voxels

OPTIONS = Options(
    views=2, num_points=300, objects=(1, 0, 0), voxels=24, num_queries=500
)


def test_nothing_is_added_unless_asked():
    item = procedural_shapes.find_items(OPTIONS)[0]
    plain = OPTIONS._replace(voxels=0, num_queries=0)
    for example in procedural_shapes.make_examples(item, plain):
        assert example.voxels is None
        assert example.field is None


def test_views_show_one_solid():
    """Queries and voxels of both cameras, back in the object frame, are the same."""
    item = procedural_shapes.find_items(OPTIONS)[0]
    first, second = procedural_shapes.make_examples(item, OPTIONS)
    np.testing.assert_array_equal(first.field.distances, second.field.distances)
    for example in (first, second):
        field, surface = example.field, example.surface
        assert (field.distances < 0).any()
        nearest = np.linalg.norm(field.points[:, None] - surface.points, axis=2).min(1)
        assert (field.distances < nearest + 1e-6).all()
        index = np.argwhere(example.voxels).astype(np.float64)
        centers = voxels.camera_from_voxel(
            index, example.view.intrinsics, (137, 137), OPTIONS.voxels
        )
        pixels = np.round(camera.project(centers, example.view.intrinsics)).astype(int)
        near = np.linalg.norm(centers[:, None] - surface.points, axis=2).min(1)
        assert len(pixels) > 20
        assert near.max() < camera.P2M_SCALE / 4


def test_shards(tmp_path):
    arguments = "--train=0 --val=0 --test=1 --views=1 --num_points=100 --workers=1"
    arguments += f" --voxels=16 --num_queries=50 --data_dir={tmp_path}"
    assert build.main(["procedural_shapes", *arguments.split()]) == 0
    builder = tfds.builder_from_directory(tmp_path / "procedural_shapes" / VERSION)
    for record in builder.as_data_source(split="test"):
        assert record["voxels"].shape == (16, 16, 16)
        assert 0 < record["voxels"].mean() < 0.5
        assert record["query_points"].shape == (50, 3)
        assert record["query_colors"].shape == (50, 3)
        assert (record["query_distances"] > 0).any()


def test_the_mixture_of_queries_is_recorded_and_another_one_refused(tmp_path, capfd):
    arguments = "procedural_shapes --train=0 --val=0 --test=1 --views=1 --num_points=9"
    arguments += f" --workers=1 --num_queries=20 --data_dir={tmp_path}"
    half = [*arguments.split(), "--uniform_queries=0.5"]
    assert build.main(half) == 0
    builder = tfds.builder_from_directory(tmp_path / "procedural_shapes" / VERSION)
    assert builder.info.metadata["uniform_queries"] == 0.5
    assert build.main(half) == 0  # complete
    assert build.main(arguments.split()) == 2
    said = capfd.readouterr().err
    assert "was built with uniform_queries 0.5 instead of 0.047" in said


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--num_queries=9 --uniform_queries=1.5", "'1.5' is not a number from 0 to 1"),
        ("--num_queries=9 --uniform_queries=half", "'half' is not a number"),
        ("--uniform_queries=0.5", "a share of --num_queries N, which is 0"),
    ],
)
def test_a_mixture_of_no_use_is_refused(flags, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        job.parse(["procedural_shapes", "--data_dir=d", *flags.split()])
    assert message in capsys.readouterr().err


def test_data_built_before_there_was_a_choice_has_the_usual_mixture(tmp_path):
    arguments = ["procedural_shapes", f"--data_dir={tmp_path}", "--num_queries=9"]
    wanted = job.parse(arguments)
    wanted.shards.mkdir(parents=True)
    options = wanted.options._asdict()
    del options["uniform_queries"]
    report = json.dumps({"source": None, "options": options})
    (wanted.shards / REPORT_NAME).write_text(report)
    (wanted.shards / "dataset_info.json").write_text("{}")
    assert build.main(arguments) == 0
    assert build.main([*arguments, "--uniform_queries=0.2"]) == 2


@pytest.mark.parametrize("count", ["1", "-2", "48.0"])
def test_grid_needs_two_ends(count, capsys):
    with pytest.raises(SystemExit):
        job.parse(["procedural_shapes", "--data_dir=x", f"--voxels={count}"])
    assert "at least 2" in capsys.readouterr().err


def test_solids_are_made_only_where_voxels_are_asked_for(monkeypatch):
    def refuse(oriented):
        raise AssertionError(oriented)

    monkeypatch.setattr(solids, "make_solid", refuse)
    item = procedural_shapes.find_items(OPTIONS)[0]
    assert procedural_shapes.make_examples(item, OPTIONS._replace(voxels=0))
