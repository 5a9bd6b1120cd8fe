"""Trainings that went on from each other are one curve."""

import json

import numpy as np
from PIL import Image

from benchmarks import learning_curves
from pixel2mesh_jax.training import scalars


def test_steps_are_counted_on():
    first = {"loss": (np.array([1, 5]), np.array([9.0, 7.0]))}
    second = {
        "loss": (np.array([2]), np.array([6.0])),
        "val/chamfer": (np.array([3]), np.array([0.5])),
    }
    joined, ends = learning_curves.join([first, second], first_step=10)
    assert joined["loss"][0].tolist() == [11, 15, 17]
    assert joined["loss"][1].tolist() == [9.0, 7.0, 6.0]
    assert joined["val/chamfer"][0].tolist() == [18]
    assert ends == [15, 18]


def test_runs_become_an_image(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        rows = [{"step": step, "loss": 10.0 / step} for step in (1, 2, 3)]
        rows.append({"step": 3, "val/chamfer": 1e-3, "val/f_score_1e-4": 0.5})
        text = "\n".join(json.dumps(row) for row in rows)
        (tmp_path / name / scalars.FILE_NAME).write_text(text)
    runs = [str(tmp_path / name) for name in ("a", "b")]
    out = tmp_path / "curves.png"
    assert learning_curves.main([*runs, "--output", str(out)]) == 0
    with Image.open(out) as image:
        assert image.width == 3 * 340
