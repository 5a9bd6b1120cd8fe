"""Averages, and tables as text, CSV and Markdown."""

import csv
import io

import numpy as np
import pytest
from rich.console import Console

from pixel2mesh_jax.evaluation import protocols, published_scores, score_tables

ROWS = [
    ("chair", {"chamfer": 1.0, "f": 0.5}),
    ("lamp", {"chamfer": 4.0, "f": 0.1}),
    ("chair", {"chamfer": 2.0, "f": 0.7}),
]


def make_run(protocol="pixel2mesh", **what):
    """Two chairs and a lamp; the template is ten times as far off."""
    names = [column.score for column in protocols.PROTOCOLS[protocol].columns]
    names = [name for name in names if name not in protocols.PROTOCOLS[protocol].needs]
    rows = [
        (category, dict.fromkeys(names, value))
        for category, value in (("chair", 0.001), ("lamp", 0.004), ("chair", 0.002))
    ]
    worse = [(c, {n: 10 * v for n, v in scores.items()}) for c, scores in rows]
    categories = ("lamp", "sofa", "chair")
    return {
        **what,
        "protocols": {protocol: score_tables.average(rows, categories)},
        "baselines": {"template": {protocol: score_tables.average(worse, categories)}},
        "num_samples": 3,
    }


RELEASED = {"dataset": "p2m_shapenet", "split": "test", "limit": 0}


def test_average_weighs_by_category_and_by_sample():
    result = score_tables.average(ROWS, ["lamp", "sofa", "chair"])
    assert list(result["per_category"]) == ["lamp", "chair"]
    assert result["per_category"]["chair"] == {
        "count": 2,
        "chamfer": 1.5,
        "f": pytest.approx(0.6),
    }
    assert result["mean_over_categories"] == {
        "chamfer": pytest.approx((1.5 + 4) / 2),
        "f": pytest.approx((0.6 + 0.1) / 2),
    }
    assert result["mean_over_samples"] == {
        "chamfer": pytest.approx(7 / 3),
        "f": pytest.approx(1.3 / 3),
    }
    assert result["categories_without_samples"] == ["sofa"]


def test_average_keeps_categories_that_nobody_announced():
    averages = score_tables.average(ROWS, ["lamp"])
    assert list(averages["per_category"]) == ["lamp", "chair"]


def test_average_of_nothing_is_empty():
    result = score_tables.average([], ["chair"])
    assert result["per_category"] == result["mean_over_samples"] == {}
    assert result["categories_without_samples"] == ["chair"]


@pytest.mark.data
def test_means_match_the_evaluator_of_noahcao(data_dir):
    recorded = np.load(data_dir / "oracles" / "eval_p2m_onet_mfprn.npz")
    names = ("chamfer", "f_score_1e-4", "f_score_2e-4")
    rows = [
        (str(label), dict(zip(names, map(float, values), strict=True)))
        for label, values in zip(
            recorded["p2m/labels"],
            recorded["p2m/per_sample_cd_f1tau_f12tau"],
            strict=True,
        )
    ]
    classes = [str(i) for i in range(recorded["p2m/num_classes"])]
    result = score_tables.average(rows, classes)
    np.testing.assert_allclose(
        list(result["mean_over_samples"].values()), recorded["p2m/weighted_mean"]
    )
    # The evaluator counts a category without samples as 0; here it is left out.
    present = len(result["per_category"]) / len(classes)
    np.testing.assert_allclose(
        np.array(list(result["mean_over_categories"].values())) * present,
        recorded["p2m/class_mean"],
        rtol=1e-6,
    )


def test_rows_are_the_categories_and_then_the_means():
    rows = score_tables.rows_of(make_run(), "pixel2mesh")
    assert [(row.label, row.count) for row in rows] == [
        ("lamp", 1),
        ("chair", 2),
        ("mean over categories", 2),
        ("mean over samples", 3),
    ]
    assert score_tables.cells(rows[0], "pixel2mesh") == [
        "1",
        "4.000",
        "0.40",
        "0.40",
        "40.000",
    ]
    assert len(score_tables.headings(make_run(), "pixel2mesh")) == 5


def test_published_scores_stand_below_the_same_mean():
    rows = score_tables.rows_of(make_run(**RELEASED), "pixel2mesh")
    below = {
        (row.group, row.system): score_tables.cells(row, "pixel2mesh")
        for row in rows
        if row.system
    }
    released = "Pixel2Mesh, released weights"
    assert below["mean_over_categories", released] == [
        "",
        "0.482",
        "65.22",
        "78.80",
        "",
    ]
    assert below["mean_over_samples", released] == ["", "0.439", "66.56", "80.17", ""]
    notes = score_tables.notes(make_run(**RELEASED), "pixel2mesh")
    assert "Published scores from github.com/noahcao/Pixel2Mesh, README.md." in notes


def test_no_number_is_cut_where_the_terminal_is_narrow():
    table = score_tables.empty_table("title", ["category", *["F(0.1) %"] * 8])
    table.add_row("mean over categories", *["12.3456"] * 8)
    file = io.StringIO()
    score_tables.print_whole(table, Console(file=file, width=40))
    assert file.getvalue().count("12.3456") == 8
    assert "…" not in file.getvalue()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"dataset": "mesh_folder"}, "the test split of mesh_folder"),
        ({"split": "val"}, "the val split of p2m_shapenet"),
        ({"limit": 3}, "3 samples of the test split of p2m_shapenet"),
    ],
)
def test_other_samples_have_no_published_scores_and_it_is_said(change, what):
    run = make_run(**{**RELEASED, **change})
    assert not any(row.system for row in score_tables.rows_of(run, "pixel2mesh"))
    note = score_tables.notes(run, "pixel2mesh")[-1]
    assert note.startswith("Published scores exist for the whole test split of p2m_")
    assert note.endswith(f"this is {what}.")


def test_published_scores_of_categories_stand_below_them():
    run = make_run("mesh_rcnn", **{**RELEASED, "dataset": "shapenet_r2n2"})
    rows = {
        (row.group, row.system): row for row in score_tables.rows_of(run, "mesh_rcnn")
    }
    cells = score_tables.cells(rows["chair", "Mesh R-CNN, light pretty"], "mesh_rcnn")
    assert cells == ["", "0.1837", "–", "0.712", "31.69", "79.83", "92.01", ""]


def test_published_scores_are_columns_of_their_protocols():
    for (protocol, _), systems in published_scores.PUBLISHED.items():
        columns = {column.score for column in protocols.PROTOCOLS[protocol].columns}
        for system in systems:
            assert set(score_tables.MEANS) <= set(system.scores)
            for scores in system.scores.values():
                assert set(scores) <= columns
                fractions = [v for name, v in scores.items() if name != "chamfer"]
                assert all(0 < value < 1 for value in [scores["chamfer"], *fractions])


def test_published_means_are_the_means_of_the_published_categories():
    for systems in published_scores.PUBLISHED.values():
        for system in systems:
            rows = {
                k: v for k, v in system.scores.items() if k not in score_tables.MEANS
            }
            for name, mean in system.scores["mean_over_categories"].items():
                if rows:
                    values = [row[name] for row in rows.values()]
                    np.testing.assert_allclose(np.mean(values), mean, rtol=2e-5)


def test_absent_scores_are_explained():
    run = make_run("occupancy")
    row = score_tables.rows_of(run, "occupancy")[0]
    assert score_tables.cells(row, "occupancy")[4] == "–"
    assert any("No iou" in note for note in score_tables.notes(run, "occupancy"))
    assert "Left out, no samples: sofa." in score_tables.notes(run, "occupancy")


def test_csv_holds_every_number_in_plain_units():
    run = make_run(**RELEASED)
    lines = list(csv.DictReader(io.StringIO(score_tables.csv_text(run))))
    assert tuple(lines[0]) == score_tables.CSV_HEADER
    values = {
        (line["group"], line["system"], line["score"]): float(line["value"])
        for line in lines
    }
    assert values["lamp", "this run", "chamfer"] == 0.004
    assert values["lamp", "template", "chamfer"] == 0.04
    released = "Pixel2Mesh, released weights"
    assert values["mean_over_samples", released, "f_score_1e-4"] == 0.6656
    assert len(values) == len(lines) == (4 * 2 + 2 * 3) * 3


def test_markdown_is_a_table_per_protocol():
    text = score_tables.markdown_text(make_run(**RELEASED))
    lines = text.splitlines()
    assert lines[0] == "## pixel2mesh"
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert len(table) == 2 + 4 + 2 * 3
    assert any(
        line.startswith("| **mean over samples** | 3 | 2.333 |") for line in table
    )


def test_bars_in_headings_do_not_break_a_markdown_table():
    text = score_tables.markdown_text(make_run("mesh_rcnn"))
    head = next(line for line in text.splitlines() if line.startswith("|"))
    assert "\\|normals\\|" in head
