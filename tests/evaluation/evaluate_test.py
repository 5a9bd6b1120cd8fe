"""The sweep over a split, with predictions whose scores are known in advance."""

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import evaluate, metrics, occupancy, score_tables
from pixel2mesh_jax.evaluation.protocols import PROTOCOLS
from pixel2mesh_jax.geometry import camera, templates
from pixel2mesh_jax.structures import Batch, HostMesh, Reconstruction

TEMPLATE = templates.ellipsoid(12, 2)
VERTICES = templates.finest_vertices(TEMPLATE)
FACES = TEMPLATE.levels[-1].faces
CATEGORIES = ("airplane", "bench", "chair")
PERFECT = {"chamfer": 0, "f_score_1e-4": 1, "f_score_2e-4": 1}


def batch_of(points, category, weight):
    """A batch whose images hold nothing: the fake models look at the points."""
    size = len(points)
    return Batch(
        rgb=np.zeros((size, 2, 2, 3), np.float32),
        depth=np.zeros((size, 2, 2), np.float32),
        mask=np.zeros((size, 2, 2), np.float32),
        intrinsics=np.tile(np.eye(3, dtype=np.float32), (size, 1, 1)),
        points=np.asarray(points, np.float32),
        normals=np.zeros_like(points, np.float32),
        colors=np.zeros_like(points, np.float32),
        category=np.asarray(category, np.int32),
        weight=np.asarray(weight, np.float32),
    )


def found_in(vertices):
    """Two stages: a coarse one that is far off, and the one that counts."""
    far = HostMesh(np.full((12, 3), 9.0), TEMPLATE.levels[0].faces)
    return [Reconstruction((far, HostMesh(row, FACES))) for row in vertices]


def find_the_points(batch):
    return found_in(batch.points)


def template(batch, row):
    return HostMesh(VERTICES, FACES)


def shifted(distance, count):
    """Copies of the template, moved along x."""
    return np.tile(VERTICES + np.array([distance, 0, 0], np.float32), (count, 1, 1))


def run(batches, extract=find_the_points, **kwargs):
    kwargs = {
        "protocols": ("pixel2mesh",),
        "baselines": {"template": template},
        **kwargs,
    }
    return evaluate.evaluate(
        extract,
        batches,
        categories=CATEGORIES,
        num_examples=sum(int(batch.weight.sum()) for batch in batches),
        console=Console(file=io.StringIO()),
        **kwargs,
    )


def printed(metrics):
    text = io.StringIO()
    evaluate.print_table(metrics, Console(file=text, width=120))
    return text.getvalue()


@pytest.fixture(scope="module")
def result():
    batches = [
        batch_of(shifted(0.001, 2), [0, 2], [1, 1]),
        batch_of(shifted(0.002, 2), [2, 1], [1, 0]),
    ]
    return run(batches)


def test_perfect_predictions_get_perfect_scores(result):
    scores = result["protocols"]["pixel2mesh"]
    assert scores["mean_over_samples"] == PERFECT
    assert scores["mean_over_categories"] == PERFECT
    assert scores["per_category"]["chair"] == {"count": 2, **PERFECT}


def test_filling_rows_are_ignored(result):
    scores = result["protocols"]["pixel2mesh"]
    assert result["num_samples"] == 3
    assert list(scores["per_category"]) == ["airplane", "chair"]
    assert scores["categories_without_samples"] == ["bench"]


def test_baseline_is_the_undeformed_template(result):
    # The template is off by 1 mm, 1 mm and 2 mm, and the spacing is much larger.
    scores = result["baselines"]["template"]["pixel2mesh"]
    airplane, chair = 2e-6, (2e-6 + 8e-6) / 2
    close = {"rel": 1e-3}
    assert scores["per_category"]["airplane"]["chamfer"] == pytest.approx(
        airplane, **close
    )
    assert scores["per_category"]["chair"]["chamfer"] == pytest.approx(chair, **close)
    assert scores["mean_over_samples"]["chamfer"] == pytest.approx(4e-6, **close)
    assert scores["mean_over_categories"]["chamfer"] == pytest.approx(
        (airplane + chair) / 2, **close
    )


def test_scores_do_not_depend_on_how_the_split_is_batched():
    points = np.concatenate([shifted(0.001, 1), shifted(0.004, 2)])
    together = [batch_of(points, [0, 1, 2], [1, 1, 1])]
    single = [batch_of(points[i : i + 1], [i], [1]) for i in range(3)]
    assert run(together) == run(single)


def test_surface_protocol_scores_the_faces_too():
    batches = [batch_of(shifted(0.0, 1), [0], [1])]
    scores = run(batches, protocols=("pixel2mesh", "surface"))["protocols"]
    assert scores["pixel2mesh"]["mean_over_samples"]["chamfer"] == 0
    # True points at the corners of a coarse mesh only: its faces are far from them.
    assert scores["surface"]["mean_over_samples"]["chamfer"] > 1e-4


def test_template_scores_the_same_as_prediction_and_as_baseline():
    batches = [batch_of(shifted(0.01, 2), [0, 1], [1, 1])]
    result = run(
        batches,
        lambda batch: found_in(shifted(0.0, len(batch.points))),
        protocols=("pixel2mesh", "surface"),
    )
    assert result["protocols"] == result["baselines"]["template"]


def test_voxels_give_the_iou_of_the_volumes():
    """The template against itself, in the view volume of its camera."""
    batch = batch_of(shifted(0.0, 1), [0], [1])
    intrinsics = camera.r2n2_intrinsics(2)
    empty = occupancy.of_voxels(np.zeros((24, 24, 24), bool), intrinsics, (2, 2))
    inside = metrics.is_inside(empty.places, VERTICES, FACES).reshape(1, 24, 24, 24)
    assert np.count_nonzero(inside) > 100
    batch = batch._replace(intrinsics=intrinsics[None], voxels=inside)
    result = run([batch], protocols=("occupancy",))
    assert result["protocols"]["occupancy"]["mean_over_samples"]["iou"] == 1
    moved = run([batch], lambda _: found_in(shifted(0.1, 1)), protocols=("occupancy",))
    assert moved["protocols"]["occupancy"]["mean_over_samples"]["iou"] < 0.9


def test_an_empty_split_has_empty_means():
    result = run([])
    assert result["num_samples"] == 0
    assert result["protocols"]["pixel2mesh"]["mean_over_samples"] == {}


def test_unknown_protocol_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match=r"'iou'.*pixel2mesh, surface"):
        run([], protocols=("iou",))


def test_every_protocol_scores_predictions_and_template():
    batches = [batch_of(shifted(0.01, 2), [0, 1], [1, 1])]
    result = run(batches, protocols=tuple(PROTOCOLS))
    for scores in (result["protocols"], result["baselines"]["template"]):
        assert list(scores) == list(PROTOCOLS)
        empty = [name for name, row in scores.items() if not row["mean_over_samples"]]
        assert empty == ["volume", "visible", "colors"]  # nothing is known of them


def test_a_diverged_model_is_reported():
    batches = [batch_of(shifted(0.0, 1), [0], [1])]
    with pytest.raises(FloatingPointError, match="diverged"):
        run(batches, lambda batch: found_in(batch.points * np.nan))


def test_the_first_batch_is_watched():
    seen = []
    batches = [batch_of(shifted(0.0, 1), [row], [1]) for row in range(3)]
    run(batches, watch=lambda batch, found: seen.append((batch.category[0], found)))
    ((category, (found,)),) = seen
    assert category == 0
    np.testing.assert_array_equal(found.mesh.vertices, batches[0].points[0])


def test_a_baseline_may_have_no_mesh_for_a_sample():
    batches = [batch_of(shifted(0.01, 2), [0, 1], [1, 1])]
    halves = {"every second": lambda b, row: template(b, row) if row else None}
    result = run(batches, baselines=halves)["baselines"]["every second"]["pixel2mesh"]
    assert result["per_category"]["airplane"] == {"count": 1}
    assert result["mean_over_samples"]["chamfer"] > 0


def test_meshes_may_have_any_number_of_vertices():
    coarse = HostMesh(np.asarray(TEMPLATE.vertices), TEMPLATE.levels[0].faces)
    batches = [batch_of(shifted(0.0, 2), [0, 1], [1, 1])]
    fine = found_in(shifted(0.0, 1))[0]
    result = run(
        batches, lambda _: [Reconstruction((coarse,)), fine], protocols=("surface",)
    )
    assert result["num_samples"] == 2


def test_remarks_are_counted_and_stand_below_the_tables():
    def extract(batch):
        remarks = [("rather small",), (), ("rather small", "upside down")]
        found = find_the_points(batch)
        return [x._replace(remarks=r) for x, r in zip(found, remarks, strict=True)]

    metrics = run([batch_of(shifted(0.0, 3), [0, 1, 2], [1, 1, 1])], extract)
    assert metrics["remarks"] == {"rather small": 2, "upside down": 1}
    for text in (printed(metrics), score_tables.markdown_text(metrics)):
        assert "Of 2 of 3 samples: rather small." in text
        assert "Of 1 of 3 samples: upside down." in text


def test_metrics_survive_the_file(result, tmp_path):
    (tmp_path / "metrics.json").write_text("old", encoding="utf-8")
    evaluate.write_metrics(tmp_path, result)
    text = (tmp_path / "metrics.json").read_text(encoding="utf-8")
    means = dict(result)
    samples = means.pop("samples")
    assert json.loads(text) == means
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"metrics.json", "metrics.csv", "metrics.md", "samples.csv"}
    head, *rows = (tmp_path / "samples.csv").read_text().splitlines()
    assert head == "view,category,protocol,score,value"
    metric, value = next(iter(samples[0]["scores"]["pixel2mesh"].items()))
    assert rows[0] == f"1,{samples[0]['category']},pixel2mesh,{metric},{value}"


def test_table_shows_categories_means_and_what_is_left_out(result):
    text = printed(result)
    lines = [line.strip() for line in text.splitlines()]
    rows = [re.split(r" {2,}", line) for line in lines]
    cells = {label: numbers for label, *numbers in rows}
    assert cells["airplane"] == ["1", "0.000", "100.00", "100.00", "0.002"]
    assert cells["chair"] == ["2", "0.000", "100.00", "100.00", "0.005"]
    assert cells["mean over samples"][-1] == "0.004"
    assert "no samples: bench." in text


def test_published_scores_are_printed_below_ours(result):
    released = {"dataset": "p2m_shapenet", "split": "test", "limit": 0, **result}
    lines = printed(released).splitlines()
    ours = next(i for i, line in enumerate(lines) if "mean over samples" in line)
    assert "Pixel2Mesh, released weights" in lines[ours + 1]
    assert "66.56" in lines[ours + 1]
    assert any("github.com/noahcao/Pixel2Mesh" in line for line in lines)
