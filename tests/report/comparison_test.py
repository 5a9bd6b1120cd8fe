import re

import numpy as np
import pytest

from pixel2mesh_jax.report import comparison, gallery
from tests.evaluation.run_tables_test import make_run
from tests.report.page_test import make_sample

RUNS = [make_run("rgb <a>", 2.0), make_run("rgbd", 1.0)]


@pytest.fixture(autouse=True)
def small_images(monkeypatch):
    monkeypatch.setattr(gallery, "TILE", 64)


def bigger(sample, factor):
    """The same prediction, further from the truth."""
    middle = np.array([[0, 0, -0.8]])
    stages = tuple(
        mesh._replace(vertices=(mesh.vertices - middle) * factor + middle)
        for mesh in sample.stages
    )
    return sample._replace(stages=stages)


def write(folder, samples):
    path = folder / "comparison.html"
    comparison.write_comparison(path, RUNS, samples, "python -m pixel2mesh_jax.compare")
    return path.read_text(encoding="utf-8")


def test_page_is_complete_and_self_contained(tmp_path):
    views = [make_sample("test 1"), make_sample("test 2", depth=False)]
    text = write(tmp_path, [[bigger(view, 1.2) for view in views], views])
    assert len(text) < 2_000_000
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert "<title>rgb &lt;a&gt; · rgbd</title>" in text
    # From two sides truth and two runs; the image, and depth if there is any.
    assert text.count("<img ") == (2 * 3 + 2) + (2 * 3 + 1)
    assert text.count("<article>") == 2
    assert "3 views of the test split of mesh_folder" in text
    assert '<td class="best">2.667</td>' in text
    assert "python -m pixel2mesh_jax.compare" in text


def test_the_nearer_mesh_is_marked(tmp_path):
    view = make_sample()
    text = write(tmp_path, [[bigger(view, 1.2)], [view]])
    heads = re.findall(r'<div class="head">(.*?)</div>', text)
    assert heads[:2] == ["input", "truth"]
    assert '<span class="best">' not in heads[2]
    assert heads[3].startswith('rgbd<span class="best">chamfer ×10³ ')


def test_colours_are_shown_where_one_run_predicts_them(tmp_path):
    plain, colored = make_sample(), make_sample(colors=True)
    text = write(
        tmp_path, [[plain._replace(true_colors=colored.true_colors)], [colored]]
    )
    assert text.count("<img ") == 8


def test_page_without_images(tmp_path):
    text = write(tmp_path, [[], []])
    assert "<img" not in text
    assert "The same views" not in text
    assert np.all([heading in text for heading in ("Scores", "Per category")])
