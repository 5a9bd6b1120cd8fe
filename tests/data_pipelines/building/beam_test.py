"""The same command on Apache Beam: the same records, the same report."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf
import trimesh
from etils import epath
from tensorflow_datasets.core import file_adapters

from data_pipelines import build
from data_pipelines.building import shards
from data_pipelines.building.options import REPORT_NAME, VERSION

needs_beam = pytest.mark.skipif(
    importlib.util.find_spec("apache_beam") is None, reason="Apache Beam is missing"
)
ON_TWO_WORKERS = "direct_running_mode=multi_processing,direct_num_workers=2"


@pytest.fixture
def source(tmp_path):
    """Two good splits, one bad object in each, and a split without any good object."""
    folder = tmp_path / "source"
    for split, count in (("train", 5), ("val", 0), ("test", 2)):
        category = folder / split / "chair"
        category.mkdir(parents=True)
        (category / "bad.glb").write_text("not a mesh")
        for i in range(count):
            trimesh.creation.box((1, 0.6, 0.5 + i / 10)).export(category / f"{i}.glb")
    huge = trimesh.creation.box((1e7, 1e7, 1e7))
    huge.export(folder / "train" / "chair" / "huge.glb")
    return folder


@pytest.fixture
def run(source, repository):
    """Runs `python -m data_pipelines.build` on the source."""
    small = ("--views", "2", "--num_points", "50", "--num_queries", "20")

    def start(data_dir, *arguments):
        command = [sys.executable, "-m", "data_pipelines.build", "mesh_folder", *small]
        command += ["--source", str(source), "--data_dir", str(data_dir), *arguments]
        finished = subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": str(repository)},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stderr

    return start


def files(data_dir):
    folder = data_dir / "mesh_folder" / VERSION
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@needs_beam
@pytest.mark.slow
def test_beam_writes_the_same_bytes_as_one_machine(tmp_path, run):
    run(tmp_path / "here", "--workers", "1")
    text = run(tmp_path / "beam", "--beam_pipeline_options", ON_TWO_WORKERS)
    here, on_beam = files(tmp_path / "here"), files(tmp_path / "beam")
    assert here == on_beam
    assert sum("array_record" in name for name in here) == 2
    report = json.loads(on_beam[REPORT_NAME])
    assert report["objects"] == {"train": 6, "val": 0, "test": 2}
    assert report["views"] == {"train": 12, "val": 0, "test": 4}
    assert [row["object"] for row in report["skipped"]] == ["chair/bad.glb"] * 3
    assert [row["object"] for row in report["warnings"]] == ["chair/huge.glb"]
    assert text.count("skipped chair/bad.glb:") == 3
    assert "warning: chair/huge.glb:" in text


def test_without_beam_the_command_says_what_to_install(
    source, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    monkeypatch.setitem(sys.modules, "apache_beam.options.pipeline_options", None)
    arguments = ["mesh_folder", "--source", str(source), "--data_dir", str(tmp_path)]
    assert build.main([*arguments, "--beam_pipeline_options", ON_TWO_WORKERS]) == 2
    assert "pip install apache-beam" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--data_dir", "x", "--workers", "2", "--beam_pipeline_options", "a=b"],
            "direct_num_workers=N",
        ),
        (["--data_dir", "gs://bucket/data"], "is remote: give --beam_pipeline_options"),
    ],
)
def test_options_that_do_not_go_together(capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        build.main(["procedural_shapes", *arguments])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_shards_for_a_bucket_are_written_here_and_copied(tmp_path, monkeypatch):
    """array_record itself writes local files only."""
    copied = {}
    monkeypatch.setattr(
        type(epath.Path("shard")),
        "copy",
        lambda shard, place: copied.update({place: shard.read_bytes()}),
    )
    record = tf.train.Example().SerializeToString()
    writer = shards.DeterministicWriter(file_adapters.FileFormat.ARRAY_RECORD)
    writer.write("gs://bucket/shard", [(0, record)])
    writer.write(tmp_path / "shard", [(0, record)])
    assert copied == {"gs://bucket/shard": (tmp_path / "shard").read_bytes()}
