"""The build command: complete, resumable, deterministic, honest about what it skips."""

import contextlib
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds
import trimesh

from data_pipelines import build
from data_pipelines.building import cache
from data_pipelines.building.job import parse
from data_pipelines.building.options import (
    REPORT_NAME,
    SPLIT_SHARES,
    SPLITS,
    VERSION,
    Item,
    Options,
    split_of,
)
from data_pipelines.building.results import BuildResult
from data_pipelines.mesh_folder import mesh_folder_dataset_builder
from data_pipelines.mesh_folder import source as mesh_folder
from pixel2mesh_jax import file_locks
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from tests.networks import write_network

FAST = ("--views", "2", "--num_points", "100", "--workers", "1")


def write_box(path, extents=(1, 0.6, 0.8), color=(200, 40, 90, 255)):
    path.parent.mkdir(parents=True, exist_ok=True)
    mesh = trimesh.creation.box(extents)
    mesh.visual.vertex_colors = np.tile(color, (8, 1)).astype(np.uint8)
    mesh.export(path)


@pytest.fixture
def source(tmp_path):
    """Two categories in two splits, and two files that are of no use."""
    folder = tmp_path / "source"
    for i, name in enumerate(("a.glb", "b.obj", "c.ply")):
        write_box(folder / "train" / "chair" / name, (1, 1, 1 + i))
    write_box(folder / "test" / "table" / "d.stl")
    (folder / "train" / "chair" / "broken.glb").write_text("not a mesh")
    (folder / "train" / "chair" / "readme.txt").write_text("ignored")
    return folder


def run(name, data_dir, *arguments):
    return build.main([name, "--data_dir", str(data_dir), *FAST, *arguments])


def shards(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.array_record*")}


def examples(folder, split):
    builder = tfds.builder_from_directory(folder)
    records = builder.as_data_source(split=split)
    return sorted(records, key=lambda record: (record["object_id"], record["view"]))


def test_records_follow_the_schema(source, tmp_path):
    assert run("mesh_folder", tmp_path / "data", "--source", str(source)) == 0
    folder = tmp_path / "data" / "mesh_folder" / VERSION
    info = tfds.builder_from_directory(folder).info
    offers = dict.fromkeys(("has_depth", "has_points", "has_colors"), True)
    assert info.metadata == offers | {"image_size": 137, "max_points": 100}
    assert info.features["category"].names == ["chair", "table"]
    assert info.splits["train"].num_examples == 6
    assert info.splits["test"].num_examples == 2
    record = examples(folder, "test")[1]
    assert record["rgba"].shape == (137, 137, 4)
    assert record["rgba"].dtype == record["colors"].dtype == np.uint8
    assert record["depth"].shape == (137, 137)
    assert record["depth"].dtype == record["points"].dtype == np.float32
    assert record["points"].shape == record["normals"].shape == (100, 3)
    assert record["normals"].dtype == np.float16
    np.testing.assert_array_equal(record["intrinsics"], camera.r2n2_intrinsics(137))
    assert record["category"] == 1
    assert record["object_id"] == b"table/d.stl"
    assert record["view"] == 1


def test_records_agree_with_themselves(source, tmp_path):
    """Points project into the mask of their view and stand behind its depth."""
    run("mesh_folder", tmp_path / "data", "--source", str(source))
    folder = tmp_path / "data" / "mesh_folder" / VERSION
    for record in examples(folder, "train"):
        pixels = np.round(camera.project(record["points"], record["intrinsics"]))
        u, v = pixels.astype(int).T
        assert (record["rgba"][v, u, 3] > 0).mean() > 0.97
        depth = record["depth"][v, u]
        behind = -record["points"][:, 2] - depth
        # half a pixel is far in depth on a side that is seen at a grazing angle
        assert (behind[depth > 0] > -0.02).mean() > 0.9
        assert np.ptp(record["points"], axis=0).max() < camera.P2M_SCALE


def test_broken_files_are_reported_and_skipped(source, tmp_path, capsys):
    assert run("mesh_folder", tmp_path / "data", "--source", str(source)) == 0
    text = " ".join(capsys.readouterr().err.split())
    assert "skipped chair/broken.glb:" in text
    assert "1 objects skipped" in text
    assert "not used: 1 .txt" in text
    folder = tmp_path / "data" / "mesh_folder" / VERSION
    report = json.loads((folder / REPORT_NAME).read_text())
    assert report["objects"] == {"train": 3, "val": 0, "test": 1}
    assert report["views"] == {"train": 6, "val": 0, "test": 2}
    (skipped,) = report["skipped"]
    assert skipped["object"] == "chair/broken.glb"
    assert "cannot be read" in skipped["reason"]
    assert report["ignored_files"] == {".txt": 1}


def test_failures_of_any_kind_do_not_stop_a_build(tmp_path):
    items = [Item("train", "chair", name) for name in ("good", "bad", "worse")]

    def make(item, options):
        if item.object_id == "bad":
            raise InputError("no good")
        if item.object_id == "worse":
            raise ZeroDivisionError("in\nthe reader")
        return []

    results = list(cache.build_missing(tmp_path, items, make, Options(), workers=1))
    assert results == [
        BuildResult("train", "good"),
        BuildResult("train", "bad", failure="no good"),
        BuildResult("train", "worse", failure="ZeroDivisionError: in the reader"),
    ]
    assert cache.path_of(tmp_path, items[0]).exists()
    assert not cache.path_of(tmp_path, items[1]).exists()


def test_warnings_survive_a_restart(tmp_path):
    items = [Item("train", "chair", name) for name in ("odd", "bad")]
    reader = logging.getLogger("pixel2mesh_jax.io.some_reader")

    def make(item, options):
        for _ in range(2):
            reader.warning("%s is odd", item.object_id)
        if item.object_id == "bad":
            raise InputError("no good")
        return []

    arguments = (tmp_path, items, make, Options(), 1)
    expected = {
        BuildResult("train", "odd", warnings=("odd is odd",)),
        BuildResult("train", "bad", warnings=("bad is odd",), failure="no good"),
    }
    assert set(cache.build_missing(*arguments)) == expected
    assert set(cache.build_missing(*arguments)) == expected


@pytest.mark.slow
def test_the_number_of_workers_does_not_change_the_shards(source, tmp_path):
    """With all that records may hold, also what neural networks say."""
    network = write_network(tmp_path / "model-small.onnx")
    options = ("--voxels", "16", "--num_queries", "50", "--depth", "both")
    options += ("--estimator", f"onnx:{network}", "--source", str(source), "--workers")
    assert run("mesh_folder", tmp_path / "one", *options, "1") == 0
    assert run("mesh_folder", tmp_path / "four", *options, "4") == 0
    one, four = (
        shards(tmp_path / name / "mesh_folder" / VERSION) for name in ("one", "four")
    )
    assert len(one) == 2
    assert one == four
    record = examples(tmp_path / "one" / "mesh_folder" / VERSION, "test")[0]
    assert record["estimated"].any()
    assert record["voxels"].any()
    assert (record["query_distances"] < 0).any()


def test_seed_changes_the_views(source, tmp_path):
    for seed in ("0", "1"):
        data_dir = tmp_path / seed
        run("mesh_folder", data_dir, "--source", str(source), "--seed", seed)
    first, second = (
        examples(tmp_path / seed / "mesh_folder" / VERSION, "test")[0]["points"]
        for seed in ("0", "1")
    )
    assert np.abs(first - second).max() > 0.01


def test_complete_data_is_left_alone(source, tmp_path, capsys):
    arguments = ("--source", str(source))
    run("mesh_folder", tmp_path / "data", *arguments)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mesh_folder"]
    before = shards(tmp_path / "data" / "mesh_folder" / VERSION)
    capsys.readouterr()
    assert run("mesh_folder", tmp_path / "data", *arguments) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert shards(tmp_path / "data" / "mesh_folder" / VERSION) == before
    assert run("mesh_folder", tmp_path / "data", *arguments, "--size", "224") == 2
    assert "built with size 137 instead of 224" in capsys.readouterr().err


def test_the_unfinished_work_of_others_is_left_alone(source, tmp_path):
    parent = tmp_path / "data" / "mesh_folder"
    other = parent / f"incomplete.ABC123_{VERSION}"
    other.mkdir(parents=True)
    (other / "shard").write_text("of another build")
    assert run("mesh_folder", tmp_path / "data", "--source", str(source)) == 0
    assert (other / "shard").read_text() == "of another build"
    assert {path.name for path in parent.iterdir()} == {VERSION, other.name}


@pytest.mark.parametrize("change", ["added", "removed", "changed"])
def test_a_source_that_has_changed_is_noticed(source, tmp_path, capsys, change):
    arguments = ("mesh_folder", tmp_path / "data", "--source", str(source))
    assert run(*arguments) == 0
    category = source / "train" / "chair"
    if change == "added":
        write_box(category / "new.glb")
    elif change == "removed":
        (category / "b.obj").unlink()
    else:
        write_box(category / "a.glb", (3, 1, 1))
    name = {"added": "new.glb", "removed": "b.obj", "changed": "a.glb"}[change]
    capsys.readouterr()
    assert run(*arguments) == 2
    text = capsys.readouterr().err
    assert f"since then: 1 {change} (train/chair/{name}). Delete it" in text


def test_a_source_that_is_gone_is_no_reason_to_complain(source, tmp_path, capsys):
    arguments = ("mesh_folder", tmp_path / "data", "--source", str(source))
    assert run(*arguments) == 0
    source.rename(tmp_path / "elsewhere")
    capsys.readouterr()
    assert run(*arguments) == 0
    assert "not compared" in capsys.readouterr().err


def test_a_second_build_of_the_same_folder_is_refused(source, tmp_path, capsys):
    data_dir = tmp_path / "data"
    job = parse(["mesh_folder", "--data_dir", str(data_dir), "--source", str(source)])
    with file_locks.hold(job.lock, "data", "wait"):
        assert run("mesh_folder", data_dir, "--source", str(source)) == 2
        text = capsys.readouterr().err
        assert f"being written by another build (process {os.getpid()})" in text
        other = ("--train=0", "--val=0", "--test=1")
        assert run("procedural_shapes", data_dir, *other) == 0  # another data set
    assert run("mesh_folder", data_dir, "--source", str(source)) == 0
    assert not (data_dir / ".cache").exists()


def test_shards_are_on_the_disk_before_they_have_their_name(
    source, tmp_path, monkeypatch
):
    events, fsync, rename = [], os.fsync, os.rename

    def note_fsync(descriptor):
        events.append(pathlib.Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        return fsync(descriptor)

    def note_rename(old, new):
        events.append(f"rename to {new}")
        return rename(old, new)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", note_rename)
    assert run("mesh_folder", tmp_path / "data", "--source", str(source)) == 0
    folder = tmp_path / "data" / "mesh_folder" / VERSION
    renamed = events.index(f"rename to {folder}")
    assert {path.name for path in folder.iterdir()} <= set(events[:renamed])
    assert "mesh_folder" in events[renamed:]  # the name is on the disk too


def test_builders_alone_say_which_command_builds(tmp_path):
    builder = mesh_folder_dataset_builder.Builder(data_dir=str(tmp_path))
    with pytest.raises(
        InputError, match=r"python -m data_pipelines\.build mesh_folder"
    ):
        builder.download_and_prepare()


def test_finished_objects_are_not_built_again(source, tmp_path, monkeypatch):
    items, _ = mesh_folder.find_items(source, Options())
    options = Options(views=1, num_points=10)
    folder = tmp_path / "cache"
    list(
        cache.build_missing(
            folder, items, mesh_folder.make_examples, options, workers=1
        )
    )
    asked = []

    def make(item, options):
        asked.append(item.object_id)
        raise InputError("asked")

    list(cache.build_missing(folder, items, make, options, workers=1))
    assert asked == ["chair/broken.glb"]
    write_box(source / "train" / "chair" / "a.glb", (3, 1, 1))
    items, _ = mesh_folder.find_items(source, Options())
    list(cache.build_missing(folder, items, make, options, workers=1))
    assert "chair/a.glb" in asked  # it has changed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mesh_folder", "--source", "{tmp}/nowhere"], "no such folder"),
        (["mesh_folder", "--source", "{tmp}/empty"], "no mesh files; expected"),
        (["mesh_folder", "--source", "{tmp}/mixed"], "folders chair stand beside"),
        (["mesh_folder", "--source", "{tmp}/broken"], "none of the objects"),
        (["p2m_shapenet", "--source", "{tmp}/empty"], "no samples; expected"),
        (["procedural_shapes", "--train=0", "--val=0", "--test=0"], "nothing to build"),
    ],
)
def test_bad_input_is_one_line_and_code_2(tmp_path, capsys, arguments, message):
    (tmp_path / "empty" / "chair").mkdir(parents=True)
    write_box(tmp_path / "mixed" / "train" / "chair" / "a.glb")
    write_box(tmp_path / "mixed" / "chair" / "a.glb")
    (tmp_path / "broken" / "chair").mkdir(parents=True)
    (tmp_path / "broken" / "chair" / "a.glb").write_text("")
    arguments = [argument.format(tmp=tmp_path) for argument in arguments]
    code = build.main([*arguments, "--data_dir", str(tmp_path / "d"), "--workers", "1"])
    assert code == 2
    *_, last = capsys.readouterr().err.strip().splitlines()
    assert last.startswith("error: ")
    assert message in last


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unknown"],
        ["mesh_folder", "--data_dir", "x"],
        ["mesh_folder", "--data_dir", "x", "--source", "y", "--views", "0"],
        ["mesh_folder", "--data_dir", "x", "--source", "y", "--size", "100"],
        ["mesh_folder", "--data_dir", "x", "--source", "y", "--up", "x"],
        ["procedural_shapes", "--data_dir", "x", "--train", "-1"],
    ],
)
def test_bad_command_line_is_one_line_and_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as end:
        build.main(arguments)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")


def test_hash_split_is_stable_and_has_the_right_shares():
    splits = [split_of(f"chair/{i}.glb") for i in range(2000)]
    shares = [splits.count(split) / 2000 for split in SPLITS]
    np.testing.assert_allclose(shares, SPLIT_SHARES, atol=0.03)
    assert split_of("chair/a.glb") == "train"


@pytest.fixture
def start_build(tmp_path, repository):
    """Starts builds of one source as processes; none outlives the test."""
    source = tmp_path / "source"
    for i in range(40):
        write_box(source / "chair" / f"{i:02d}.glb", (1, 1, 1 + i / 10))
    command = [sys.executable, "-m", "data_pipelines.build", "mesh_folder"]
    command += ["--source", str(source), "--workers", "2", "--data_dir"]
    environment = os.environ | {"PYTHONPATH": str(repository)}
    started = []

    def start(data_dir):
        build_process = subprocess.Popen(
            [*command, str(data_dir)], env=environment, stderr=subprocess.DEVNULL
        )
        started.append(build_process)
        return build_process

    yield start
    for build_process in started:
        build_process.kill()
        build_process.wait()


@pytest.mark.slow
def test_killed_build_goes_on_where_it_stopped(tmp_path, start_build):
    killed = start_build(tmp_path / "killed")
    finished = tmp_path / "killed" / ".cache"
    while len(list(finished.glob("*/*.npz"))) < 5:
        assert killed.poll() is None
        time.sleep(0.05)
    workers = children(killed.pid)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_until_gone(workers)
    before = write_times(finished.glob("*/*.npz"))
    assert 5 <= len(before) < 40
    resumed = start_build(tmp_path / "killed")
    while resumed.poll() is None:
        assert write_times(before).items() <= before.items()
        time.sleep(0.05)
    assert resumed.returncode == 0
    assert start_build(tmp_path / "whole").wait() == 0
    resumed_shards, whole_shards = (
        shards(tmp_path / name / "mesh_folder" / VERSION)
        for name in ("killed", "whole")
    )
    assert resumed_shards == whole_shards


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_build_killed_at_random_moments_ends_with_the_same_bytes(
    tmp_path, start_build, seed
):
    """kill -9 of the build, ten times, its workers orphaned, begun again at once."""
    began = time.monotonic()
    assert start_build(tmp_path / "whole").wait() == 0
    whole = time.monotonic() - began
    rng = np.random.default_rng(seed)
    for _ in range(10):
        killed = start_build(tmp_path / "killed")
        with contextlib.suppress(subprocess.TimeoutExpired):
            killed.wait(rng.uniform(0, whole))
        killed.kill()
        killed.wait()
    assert start_build(tmp_path / "killed").wait() == 0
    resumed, expected = (
        files(tmp_path / name / "mesh_folder" / VERSION) for name in ("killed", "whole")
    )
    assert resumed == expected
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["mesh_folder"]


def files(folder):
    """Everything of a data set."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_of_two_builds_at_once_one_is_refused(tmp_path, start_build):
    first = start_build(tmp_path / "data")
    while not list((tmp_path / "data").glob(".cache/*/*.npz")):
        assert first.poll() is None
        time.sleep(0.05)
    assert start_build(tmp_path / "data").wait() == 2
    assert first.wait() == 0
    assert start_build(tmp_path / "data").wait() == 0  # complete, nothing to do


def write_times(paths):
    """When each file was last written; a finished build removes its cache."""
    times = {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            times[path] = path.stat().st_mtime_ns
    return times


def children(pid):
    """Processes started by a process (Linux), without the resource tracker."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def wait_until_gone(processes, seconds=20):
    deadline = time.monotonic() + seconds
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < deadline, "workers outlive the build"
        time.sleep(0.1)
