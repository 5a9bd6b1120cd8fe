"""Whole programs as a user starts them: kill -9, devices, bad input."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.networks import write_network
from tests.training.programs import (
    REPOSITORY,
    SMALL,
    TIMEOUT,
    build_data,
    command,
    environment,
    losses_of,
    model,
    start,
    state_of,
    train_flags,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The embedded data set, one object per category and split."""
    folder = tmp_path_factory.mktemp("data")
    build_data(folder)
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """An uninterrupted run of ten steps on one device."""
    workdir = tmp_path_factory.mktemp("trained")
    done = model(*train_flags(workdir, data))
    assert done.returncode == 0, done.stderr
    return workdir


def wait_for_checkpoint(program, path):
    deadline = time.monotonic() + TIMEOUT
    while not path.is_dir():
        assert program.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_and_restarted_equals_uninterrupted(trained, data, tmp_path):
    flags = train_flags(tmp_path, data)
    program = subprocess.Popen(
        command("pixel2mesh_jax.main", "--config", "configs/rgbd.py:tiny", *flags),
        cwd=REPOSITORY,
        env=environment(),
    )
    try:
        wait_for_checkpoint(program, tmp_path / "checkpoints" / "4")
    finally:
        program.kill()
        program.wait()
    resumed = model(*flags)
    assert resumed.returncode == 0, resumed.stderr
    assert "Resuming after step" in resumed.stdout
    assert losses_of(tmp_path) == losses_of(trained)
    compare = np.testing.assert_array_equal
    jax.tree.map(compare, state_of(tmp_path), state_of(trained))


@pytest.mark.slow
def test_a_disk_that_takes_no_more_is_said_and_the_same_command_goes_on(
    data, trained, tmp_path
):
    """A limit on the size of files stands for the size of the disk."""
    flags = train_flags(tmp_path, data)
    full = subprocess.run(
        command("pixel2mesh_jax.main", "--config", "configs/rgbd.py:tiny", *flags),
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1)),
    )
    assert full.returncode == 2, full.stderr
    (line,) = re.findall("^error: .*", full.stderr, re.MULTILINE)
    assert "File too large: checkpoints cannot be written to" in line
    assert "Traceback" not in full.stderr  # from threads of Orbax and tensorstore
    resumed = model(*flags)
    assert resumed.returncode == 0, resumed.stderr
    assert losses_of(tmp_path) == losses_of(trained)


# Python runs it at its start: every look at the time is two days off, back or forth.
JUMPING_CLOCK = """
import itertools, time
true, far = time.time, itertools.cycle((172_800, -172_800))
time.time = lambda: true() + next(far)
"""


@pytest.mark.slow
def test_after_a_clock_that_jumped_the_same_command_goes_on(data, trained, tmp_path):
    """Orbax may stop to wait for a checkpoint when two days pass at once."""
    clock, workdir = tmp_path / "clock", tmp_path / "run"
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(JUMPING_CLOCK)
    flags, usual = train_flags(workdir, data), environment()
    found = os.pathsep.join([str(clock), usual.get("PYTHONPATH", "")])
    subprocess.run(
        command("pixel2mesh_jax.main", "--config", "configs/rgbd.py:tiny", *flags),
        cwd=REPOSITORY,
        env=usual | {"PYTHONPATH": found},
        capture_output=True,
        check=False,
    )
    assert workdir.is_dir()
    done = model(*flags)
    assert done.returncode == 0, done.stderr
    assert losses_of(workdir) == losses_of(trained)
    jax.tree.map(np.testing.assert_array_equal, state_of(workdir), state_of(trained))


def test_eight_devices_give_the_losses_of_one(trained, data, tmp_path):
    done = model(*train_flags(tmp_path, data), num_devices=8)
    assert done.returncode == 0, done.stderr
    assert "8 x cpu" in done.stdout
    np.testing.assert_allclose(losses_of(tmp_path), losses_of(trained), rtol=1e-5)


@pytest.fixture(scope="module")
def evaluation(trained, data):
    """What the evaluation of `trained` printed."""
    done = model(*train_flags(trained, data), "--mode", "eval")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_evaluation_writes_tables_metrics_and_report(trained, evaluation):
    assert "mean over categories" in evaluation
    metrics = json.loads((trained / "metrics.json").read_text())
    assert set(metrics["protocols"]) == {"pixel2mesh", "surface"}
    assert metrics["num_samples"] == 10
    assert (metrics["dataset"], metrics["split"]) == ("procedural_shapes", "test")
    assert "<html" in (trained / "report.html").read_text()
    assert (trained / "metrics.md").read_text().startswith("## pixel2mesh\n")
    assert (trained / "metrics.csv").read_text().startswith("protocol,group,")


@pytest.mark.usefixtures("evaluation")
def test_runs_are_compared_on_the_same_views(trained, tmp_path):
    other, output = tmp_path / "other", tmp_path / "output"
    shutil.copytree(trained, other)
    arguments = (trained, other, "--output", output, "--views", 2)
    done = start("pixel2mesh_jax.compare", *arguments)
    assert done.returncode == 0, done.stderr
    assert "other" in done.stdout
    page = (output / "comparison.html").read_text()
    # Image and depth; truth and two runs, from two sides.
    assert page.count("<img ") == 2 * (2 + 2 * 3)


def test_exported_views_become_closed_meshes(trained, data, tmp_path):
    views, meshes = tmp_path / "views", tmp_path / "meshes"
    options = ("--data_dir", data, "--count", 2, "--output", views)
    exported = start("data_pipelines.export", "procedural_shapes", *options)
    assert exported.returncode == 0, exported.stderr
    flags = ("--input", views, "--output", meshes, "--format", "ply", "--stages")
    done = model(
        "--workdir", trained, "--mode", "reconstruct", *SMALL, *flags, num_devices=1
    )
    assert done.returncode == 0, done.stderr
    written = sorted(path for path in meshes.glob("*.ply") if "stage" not in path.name)
    assert len(written) == 2
    for path in written:
        mesh = trimesh.load_mesh(path, process=False)
        assert len(mesh.vertices) == 2466
        assert mesh.is_watertight
        assert mesh.volume > 0
    assert len(list(meshes.glob("*_stage?.ply"))) == 6
    assert len(list(meshes.glob("*_preview.png"))) == 2


def test_a_plain_photo_drives_a_model_that_wants_depth(trained, tmp_path):
    """Depth is estimated, the mesh keeps Pixel2Mesh's unit, one line warns."""
    network = write_network(tmp_path / "model-small.onnx", kernel=5)
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 200, (64, 64, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    done = model(
        *("--workdir", trained, "--mode", "reconstruct", *SMALL),
        *("--input", tmp_path / "photo.png", "--output", tmp_path / "out"),
        *("--estimate_depth", f"onnx:{network}"),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "photo.obj").is_file()
    (warning,) = done.stderr.strip().splitlines()
    assert re.search(
        r"photo\.png.* no transparency.*--matting|photo\.png.*background.*--matting",
        warning,
    )


WARNING = re.compile(r"W\d{4} ")  # of absl


def bad_image(folder):
    (folder / "text.png").write_text("not an image")
    Image.fromarray(np.zeros((1, 1, 4), np.uint8)).save(folder / "dot.png")
    Image.fromarray(np.full((64, 64, 4), 200, np.uint8)).save(folder / "good.png")
    np.save(folder / "other_size.npy", np.ones((32, 64), np.float32))
    np.save(folder / "dot.npy", np.ones((1, 1), np.float32))
    np.save(folder / "nan.npy", np.full((64, 64), np.nan, np.float32))


BAD_INPUT = {
    "missing file": (("--input", "absent.png"), "absent.png"),
    "text renamed": (("--input", "text.png"), "text.png"),
    "one pixel": (("--input", "dot.png", "--depth", "dot.npy"), "1x1"),
    "depth of another size": (
        ("--input", "good.png", "--depth", "other_size.npy"),
        "64x64.*64x32|64x32.*64x64|32",
    ),
    "depth with NaN": (("--input", "good.png", "--depth", "nan.npy"), "(?i)nan"),
    "no such depth network": (
        ("--input", "good.png", "--estimate_depth", "onnx:absent.onnx"),
        "no such file .*absent.onnx; expected onnx:<file> or onnx:<recipe>:<file>",
    ),
    "estimated metres": (
        (
            *("--input", "good.png", "--estimate_depth", "onnx:absent.onnx"),
            "--config.model.depth_encoding=metric",
        ),
        "--config.model.depth_encoding=metric cannot be set here",
    ),
    "unknown protocol": (
        ("--mode", "eval", "--config.eval.protocol=pixel2mesh,iou"),
        "'iou'.*mesh_rcnn",
    ),
    "unknown field": (("--config.batchsize=3",), "batch_size"),
    "unknown nested field": (("--config.loss.chamfr=3",), "chamfr"),
    "no such config": (("--config", "configs/absent.py"), "absent.py"),
    "unknown variant": (("--config", "configs/rgbd.py:huge"), "'tiny' or none"),
    "unknown mode": (("--mode", "paint"), "train"),
    "other model": (
        ("--input", "good.png", "--config.model.hidden_features=9"),
        "--config.model.hidden_features=9 cannot be set here: .* trained with 8",
    ),
}


@pytest.fixture(scope="module")
def refusals(trained, tmp_path_factory):
    """Exit code and messages of the program for each case of bad input."""
    folder = tmp_path_factory.mktemp("bad")
    bad_image(folder)
    paths = {path.name: str(path) for path in folder.iterdir()}
    every = ("--config", "configs/rgbd.py:tiny", "--mode", "reconstruct")
    every += ("--workdir", str(trained), "--output", str(folder / "out"), *SMALL)
    starts = [
        [*every, *(paths.get(argument, argument) for argument in arguments)]
        for arguments, _ in BAD_INPUT.values()
    ]
    done = subprocess.run(
        command("tests.training.forked_programs"),
        cwd=REPOSITORY,
        env=environment(),
        input=json.dumps(starts),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    )
    return dict(zip(BAD_INPUT, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line_and_exit_code_2(case, refusals):
    code, _, errors = refusals[case]
    assert code == 2, errors
    assert "Traceback" not in errors
    _, message = BAD_INPUT[case]
    assert re.search(message, errors, re.DOTALL), errors
    said = errors.strip().splitlines()
    first, *rest = [line for line in said if not WARNING.match(line)]
    assert first.startswith("error: ")
    assert all(line.startswith("  ") for line in rest)


def test_reconstruction_and_training_loop_do_not_need_tensorflow():
    program = (
        "import sys; from pixel2mesh_jax import main; "
        "from pixel2mesh_jax.inference import reconstruct; "
        "from data_pipelines.depth_estimation import estimators; "
        "from pixel2mesh_jax.training import loop; "
        "sys.exit('tensorflow' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False)
    assert run.returncode == 0
