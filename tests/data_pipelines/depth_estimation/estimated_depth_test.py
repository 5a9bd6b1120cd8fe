"""Estimated depth on its way: build command, records, batches."""

import json
import re

import numpy as np
import pytest
import tensorflow_datasets as tfds
import trimesh

from data_pipelines import build, input_pipeline
from data_pipelines.building import job
from data_pipelines.building.options import DEPTHS, REPORT_NAME, VERSION
from data_pipelines.depth_estimation import estimators
from data_pipelines.streaming import datasets
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import depth
from tests import networks

SIZE = 137
COLORS = np.linspace(0, 255, 32).reshape(8, 4).astype(np.uint8)


def write_objects(folder):
    for i in range(3):
        path = folder / "train" / "box" / f"{i}.ply"
        path.parent.mkdir(parents=True, exist_ok=True)
        mesh = trimesh.creation.box((1, 0.6 + 0.2 * i, 0.8))
        mesh.visual.vertex_colors = np.concatenate(
            [COLORS[:, :3], np.full((8, 1), 255, np.uint8)], axis=1
        )
        mesh.export(path)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_objects(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    return networks.write_network(folder / "model-small.onnx", (256, 256), kernel=5)


def run(source, data_dir, *arguments):
    few = ("--views", "2", "--num_points", "50")
    folders = ("--source", str(source), "--data_dir", str(data_dir))
    return build.main(["mesh_folder", *folders, *few, *arguments])


@pytest.fixture(scope="module")
def data(source, network, tmp_path_factory):
    """The same objects with rendered, estimated and both kinds of depth."""
    root = tmp_path_factory.mktemp("data")
    for kind in DEPTHS:
        named = () if kind == "rendered" else ("--estimator", f"onnx:{network}")
        arguments = ("--depth", kind, *named, "--workers", "1")
        assert run(source, root / kind, *arguments) == 0
    return root


def records(folder):
    builder = tfds.builder_from_directory(folder / "mesh_folder" / VERSION)
    found = builder.as_data_source(split="train")
    return sorted(found, key=lambda record: (record["object_id"], record["view"]))


def batch(data, kind, image_size=SIZE, **options):
    batches = input_pipeline.eval_batches(
        "mesh_folder",
        data / kind,
        split="train",
        batch_size=6,
        image_size=image_size,
        **options,
    )
    return next(batches)


def test_records_hold_what_was_asked_for(data, network):
    estimator = estimators.load_estimator(f"onnx:{network}", threads=1)
    rendered, estimated, both = (records(data / kind) for kind in DEPTHS)
    assert len(rendered) == len(estimated) == len(both) == 6
    for plain, guessed, double in zip(rendered, estimated, both, strict=True):
        assert "estimated" not in plain
        np.testing.assert_array_equal(plain["depth"], double["depth"])
        assert not guessed["depth"].any()
        np.testing.assert_array_equal(guessed["estimated"], double["estimated"])
        expected = estimators.estimate_depth(double["rgba"], estimator)
        assert double["estimated"].dtype == np.float16
        np.testing.assert_allclose(double["estimated"], expected, atol=1e-3)
        outside = double["rgba"][..., 3] < 128
        assert not double["estimated"][outside].any()
        assert np.ptp(double["estimated"][~outside]) == 1


def test_what_the_datasets_say_of_themselves(data):
    infos = [datasets.dataset_info("mesh_folder", data / kind) for kind in DEPTHS]
    assert [info.has_depth for info in infos] == [True, False, True]
    assert [info.has_estimated for info in infos] == [False, True, True]
    for info in infos:
        datasets.check_has(info, ["depth", "colors"])


@pytest.mark.parametrize(
    ("kind", "asked", "chosen"),
    [
        ("rendered", "auto", "rendered"),
        ("estimated", "auto", "estimated"),
        ("both", "auto", "rendered"),
        ("both", "rendered", "rendered"),
        ("both", "estimated", "estimated"),
        ("rendered", "estimated", "has no estimated depth, .*; it has: rendered"),
        ("estimated", "rendered", "has no rendered depth, .*; it has: estimated"),
        ("both", "guessed", "'guessed'; valid: auto, rendered, estimated"),
    ],
)
def test_choice_of_depth(data, kind, asked, chosen):
    info = datasets.dataset_info("mesh_folder", data / kind)
    if chosen in DEPTHS:
        assert datasets.choose_depth(info, asked) == chosen
    else:
        with pytest.raises(InputError, match=chosen) as caught:
            datasets.choose_depth(info, asked)
        assert "\n" not in str(caught.value)
        with pytest.raises(InputError, match=chosen):
            batch(data, kind, depth_source=asked)


def test_estimated_depth_enters_through_the_same_channel(data):
    """`Batch.depth` is the map of geometry/depth.py; `disparity` gives it back."""
    rendered, estimated = batch(data, "rendered"), batch(data, "estimated")
    both = batch(data, "both", depth_source="estimated")
    np.testing.assert_array_equal(both.depth, estimated.depth)
    np.testing.assert_array_equal(batch(data, "both").depth, rendered.depth)
    assert not np.array_equal(rendered.depth, estimated.depth)
    by_id = {(r["object_id"].decode(), r["view"]): r for r in records(data / "both")}
    order = input_pipeline.example_ids("mesh_folder", data / "both", split="train")
    for metres, mask, name in zip(both.depth, both.mask, order, strict=True):
        relative = by_id[name]["estimated"].astype(np.float32)
        expected = depth.depth_from_relative(relative, mask)
        np.testing.assert_allclose(metres, expected, rtol=1e-5)
        np.testing.assert_allclose(depth.disparity(metres, mask), relative, atol=1e-5)


def test_training_batches_flip_and_resize_estimated_depth_with_the_mask(data):
    batches = input_pipeline.train_batches(
        "mesh_folder",
        data / "both",
        batch_size=6,
        image_size=64,
        num_points=20,
        seed=0,
        flip=True,
        depth_source="estimated",
    )
    found = next(batches)
    seen = found.depth > 0
    assert seen.any(axis=(1, 2)).all()
    assert ((found.mask >= 0.5) == seen).mean() > 0.995
    assert found.depth[seen].min() >= depth.NEAREST - 1e-5
    assert found.depth[seen].max() <= depth.FARTHEST + 1e-5


def test_workers_do_not_change_the_shards(data, source, network, tmp_path):
    arguments = ("--depth", "both", "--estimator", f"onnx:{network}", "--workers", "2")
    assert run(source, tmp_path, *arguments) == 0

    def shards(root):
        folder = root / "mesh_folder" / VERSION
        return {path.name: path.read_bytes() for path in folder.glob("*.array_record*")}

    assert shards(tmp_path) == shards(data / "both")


def test_a_network_of_other_content_is_another_choice(source, tmp_path, capsys):
    path = networks.write_network(tmp_path / "model-small.onnx")
    arguments = ("--depth", "both", "--estimator", f"onnx:{path}", "--workers", "1")
    line = ["mesh_folder", "--source", str(source), "--data_dir", str(tmp_path / "d")]
    first = job.parse([*line, *arguments])
    assert run(source, tmp_path / "d", *arguments) == 0
    assert run(source, tmp_path / "d", *arguments) == 0
    assert "is complete, nothing to do" in capsys.readouterr().err
    networks.write_network(path, offset=0.5)
    second = job.parse([*line, *arguments])
    assert second.cache != first.cache
    assert run(source, tmp_path / "d", *arguments) == 2
    message = " ".join(capsys.readouterr().err.split())
    assert f"estimator_stamp {first.options.estimator_stamp} instead of" in message
    assert second.options.estimator_stamp in message


def test_the_report_names_the_network(data, network):
    report = data / "both" / "mesh_folder" / VERSION / REPORT_NAME
    options = json.loads(report.read_text())["options"]
    assert options["depth"] == "both"
    assert options["estimator"] == f"onnx:midas_v21_small:{network}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--depth", "both"), "--depth both needs --estimator onnx:<file>"),
        (("--depth", "guessed"), "choose from 'rendered', 'estimated', 'both'"),
        (
            ("--depth", "both", "--estimator", "midas"),
            "'midas'; valid: none, onnx:<file>",
        ),
        (
            ("--depth", "both", "--estimator", "onnx:absent.onnx"),
            "no such file .*absent.onnx; expected onnx:<file> or onnx:<recipe>:<file>",
        ),
        (
            ("--estimator", "transformers:Intel/dpt-hybrid-midas"),
            "--estimator needs --depth estimated or --depth both",
        ),
    ],
)
def test_arguments_that_do_not_fit(source, tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        run(source, tmp_path, *arguments)
    text = capsys.readouterr().err
    assert len(text.strip().splitlines()) == 1
    assert text.startswith("error: ")
    assert re.search(message, text), text


def test_a_damaged_network_stops_a_build_before_it_starts(source, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    (tmp_path / "model-small.onnx").write_bytes(b"nothing")
    name = f"onnx:{tmp_path / 'model-small.onnx'}"
    assert run(source, tmp_path / "d", "--depth", "both", "--estimator", name) == 2
    assert "error: " in (text := capsys.readouterr().err)
    assert "not a usable ONNX file" in " ".join(text.split())
    assert not (tmp_path / "d" / ".cache").exists()
