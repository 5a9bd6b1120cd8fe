import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import trimesh
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import score_tables
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.report import curves, gallery, page
from pixel2mesh_jax.structures import HostMesh

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def make_sample(name="shape <1>", depth=True, colors=False):
    """Spheres, coarse to fine, in place of a prediction."""
    spheres = [
        trimesh.creation.icosphere(subdivisions=i, radius=0.2) for i in (1, 2, 3)
    ]
    vertices = tuple(sphere.vertices - [0, 0, 0.8] for sphere in spheres)
    points, face = trimesh.sample.sample_surface(spheres[-1], 1000, seed=0)
    return gallery.ReportSample(
        name=name,
        category="chair",
        rgb=np.full((32, 32, 3), 0.7, np.float32),
        depth=np.full((32, 32), 0.7 if depth else 0, np.float32),
        intrinsics=camera.r2n2_intrinsics(32),
        stages=tuple(
            HostMesh(row, np.asarray(sphere.faces), paint(row) if colors else None)
            for row, sphere in zip(vertices, spheres, strict=True)
        ),
        true_points=points - [0, 0, 0.8],
        true_normals=spheres[-1].face_normals[face],
        true_colors=np.full((1000, 3), 0.5) if colors else None,
    )


def paint(vertices):
    return np.full((len(vertices), 3), 0.5)


def make_metrics():
    scores = {"chamfer": 0.00123, "f_score_1e-4": 0.5, "f_score_2e-4": 0.75}
    worse = {"chamfer": 0.00492, "f_score_1e-4": 0.1, "f_score_2e-4": 0.2}
    return {
        "protocols": {"pixel2mesh": score_tables.average([("chair", scores)])},
        "baselines": {
            "template": {"pixel2mesh": score_tables.average([("chair", worse)])}
        },
        "num_samples": 1,
    }


@pytest.fixture(autouse=True)
def small_images(monkeypatch):
    monkeypatch.setattr(gallery, "TILE", 64)


@pytest.fixture
def scalars_path(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = [
        {"step": step, "train/loss": 1 / (step + 1), "train/edge": 0.1, "note": "x"}
        for step in range(0, 100, 10)
    ]
    rows += [{"step": 50, "val/loss": 0.2}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 1')
    return path


@pytest.fixture
def report(tmp_path, scalars_path):
    path = tmp_path / "report.html"
    page.write_report(
        path,
        title="A <run>",
        samples=[make_sample(), make_sample("plain", depth=False, colors=True)],
        scalars_path=scalars_path,
        metrics=make_metrics(),
        config_text="seed: 1",
        command="python -m pixel2mesh_jax.main --config x",
    )
    return path


def test_page_is_complete_and_self_contained(report):
    text = report.read_text(encoding="utf-8")
    assert len(text) < 5_000_000
    own = re.sub(r'srcdoc="[^"]*"', "", text)
    assert not re.search(r'(src|href)="(?!data:|#)', own)
    assert "<link" not in own
    assert "<title>A &lt;run&gt;</title>" in own
    assert "shape &lt;1&gt;" in own
    assert own.count("<img ") == (2 + 6 + 3) + (1 + 6 + 3)
    for expected in ("1.230", "50.00", "75.00", "4.920", "seed: 1", "<svg"):
        assert expected in own


def test_page_without_run(tmp_path):
    page.write_report(tmp_path / "a.html", title="Only images", samples=[])
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Metrics" not in text
    assert "Training" not in text


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_page_opens_in_a_browser(report, tmp_path):
    """The image of the page is not blank and shows the samples."""
    shot = tmp_path / "shot.png"
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        "--disable-background-networking --disable-component-update --disable-sync "
        "--hide-scrollbars --window-size=1300,1500 --virtual-time-budget=2000"
    ).split()
    subprocess.run(
        [
            CHROMIUM,
            *flags,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--screenshot={shot}",
            report.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    with Image.open(shot) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert pixels.shape[:2] == (1500, 1300)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100


def test_read_scalars(scalars_path):
    scalars = curves.read_scalars(scalars_path)
    assert set(scalars) == {"train/loss", "train/edge", "val/loss"}
    steps, values = scalars["train/loss"]
    np.testing.assert_array_equal(steps, np.arange(0, 100, 10))
    np.testing.assert_allclose(values, 1 / (steps + 1))


def test_resumed_runs_overwrite_the_steps_that_they_repeat(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "a": 1}\n{"step": 2, "a": 2}\n{"step": 2, "a": 3}\n')
    steps, values = curves.read_scalars(path)["a"]
    assert steps.tolist() == [1, 2]
    assert values.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [("nonsense\n{}\n", "line 1: not JSON"), ('{"a": 1}\n', "line 1: expected")],
)
def test_scalars_that_cannot_be_read(tmp_path, content, message):
    path = tmp_path / "metrics.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        curves.read_scalars(path)
    with pytest.raises(InputError, match="no such file"):
        curves.read_scalars(tmp_path / "absent.jsonl")


def test_long_curves_stay_small():
    steps = np.arange(100_000)
    svg = curves.curves_svg({"loss": (steps, np.exp(-steps / 1e4))})
    assert len(svg) < 60_000
    assert svg.startswith("<svg")
    assert "currentColor" in svg


def test_every_scalar_has_a_panel():
    curve = (np.arange(5), np.arange(5.0))
    svg = curves.curves_svg(dict.fromkeys(("loss", "loss/edge", "val/x"), curve))
    assert svg.count('id="axes_') == 3
    for name in ("loss", "loss/edge", "val/x"):
        assert f">{name}</text>" in svg
