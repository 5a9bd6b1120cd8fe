"""Tables of several runs: what may stand side by side, who is best."""

import csv
import io

import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import run_tables, score_tables
from pixel2mesh_jax.evaluation.run_tables import Run

CONFIG = {"seed": 0, "inputs": ["rgb"], "model": {"encoder": "conv18", "blocks": 6}}


SAMPLES = (("chair", 0.001), ("lamp", 0.004), ("chair", 0.003))


def make_run(
    name,
    factor=1.0,
    config=CONFIG,
    protocols=("pixel2mesh",),
    samples=SAMPLES,
    **changes,
):
    """Scores of two chairs and a lamp, `factor` times as far off as the first run."""
    rows = [
        (category, {"chamfer": factor * value, "f_score_1e-4": 0.5 / factor})
        for category, value in samples
    ]
    rows = [(category, {**row, "f_score_2e-4": 0.9}) for category, row in rows]
    template = [(category, dict.fromkeys(row, 0.02)) for category, row in rows]
    metrics = {
        "dataset": "mesh_folder",
        "split": "test",
        "limit": 0,
        "protocols": {name: score_tables.average(rows) for name in protocols},
        "baselines": {
            "undeformed template": {
                name: score_tables.average(template) for name in protocols
            }
        },
        "num_samples": len(rows),
    }
    return Run(name, metrics | changes, config)


HEADINGS = ("chamfer ×10³", "F(10⁻⁴) %", "F(2·10⁻⁴) %")
RUNS = [make_run("rgb", 2.0), make_run("rgbd", 1.0)]


def texts(table):
    return {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}


def best(table):
    return {row[0].text: [cell.best for cell in row[1:]] for row in table.rows}


def means(runs, over):
    """The part of the table of means that is of one mean, without its column."""
    table = run_tables.mean_table(runs, "pixel2mesh")
    assert table.head == ("run", "mean over", *HEADINGS)
    rows = [(row[0], *row[2:]) for row in table.rows if row[1].text == over]
    return table._replace(rows=tuple(rows))


def test_a_row_per_run_below_the_template():
    assert texts(means(RUNS, "samples")) == {
        "undeformed template": ["20.000", "2.00", "2.00"],
        "rgb": ["5.333", "25.00", "90.00"],
        "rgbd": ["2.667", "50.00", "90.00"],
    }


def test_lower_chamfer_and_higher_f_score_win_and_equals_do_not():
    assert best(means(RUNS, "categories")) == {
        "undeformed template": [False, False, False],
        "rgb": [False, False, False],
        "rgbd": [True, True, False],
    }


def test_what_prints_the_same_has_no_winner():
    close = [make_run("a"), make_run("b", 1.00001)]
    table = run_tables.mean_table(close, "pixel2mesh")
    assert not any(cell.best for row in table.rows for cell in row)


def test_a_column_per_run_and_a_row_per_category():
    table = run_tables.category_table(RUNS, "pixel2mesh")
    assert table.head == ("category", "samples", "rgb", "rgbd")
    assert texts(table) == {
        "chair": ["2", "4.000", "2.000"],
        "lamp": ["1", "8.000", "4.000"],
        "mean over categories": ["", "6.000", "3.000"],
        "mean over samples": ["", "5.333", "2.667"],
    }
    assert best(table)["lamp"] == [False, False, True]


def test_published_scores_are_rows_where_the_samples_are_the_same():
    where = {"dataset": "p2m_shapenet"}
    runs = [make_run("a", **where), make_run("b", **where)]
    assert texts(means(runs, "samples"))["Pixel2Mesh, ResNet-50"] == [
        "0.411",
        "66.13",
        "80.13",
    ]


def test_settings_that_differ():
    changed = {**CONFIG, "inputs": ["rgb", "depth"], "model": {"encoder": "vgg16"}}
    table = run_tables.difference_table([RUNS[0], make_run("b", config=changed)])
    assert texts(table) == {
        "inputs": ["rgb", "rgb, depth"],
        "model.blocks": ["6", "–"],
        "model.encoder": ["conv18", "vgg16"],
    }


def test_only_common_protocols_are_compared():
    both = make_run("a", protocols=("surface", "pixel2mesh"))
    assert run_tables.common_protocols([both, RUNS[0]]) == ("pixel2mesh",)
    other = make_run("c", protocols=("surface",))
    with pytest.raises(InputError, match=r"no evaluation protocol in common: rgb: pix"):
        run_tables.check_comparable([RUNS[0], other])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": "pix3d"}, "data set .*rgb: mesh_folder, b: pix3d"),
        ({"split": "val"}, "split .*rgb: test, b: val"),
        ({"limit": 40}, "eval.limit .*rgb: 0, b: 40"),
        ({"num_samples": 4}, "number of samples .*rgb: 3, b: 4"),
        ({"dataset": None}, "b does not say its data set: evaluate the run again"),
    ],
)
def test_other_samples_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        run_tables.check_comparable([RUNS[0], make_run("b", **change)])


def test_as_many_samples_of_other_categories_are_refused():
    lamps = (("chair", 0.001), ("lamp", 0.004), ("lamp", 0.003))
    with pytest.raises(InputError, match="other categories"):
        run_tables.check_comparable([RUNS[0], make_run("b", samples=lamps)])


def test_comparable_runs_pass():
    run_tables.check_comparable(RUNS)


def test_csv_has_the_scores_of_all_runs():
    lines = list(csv.DictReader(io.StringIO(run_tables.csv_text(RUNS))))
    values = {
        (line["run"], line["group"], line["system"], line["score"]): line["value"]
        for line in lines
    }
    assert float(values["rgb", "lamp", "this run", "chamfer"]) == 0.008
    assert float(values["rgbd", "lamp", "this run", "chamfer"]) == 0.004
    assert len(values) == len(lines)


def test_markdown_prints_the_best_in_bold():
    text = run_tables.markdown_text(RUNS)
    assert "3 views of the test split of mesh_folder." in text
    assert "| rgbd | samples | **2.667** | **50.00** | 90.00 |" in text.splitlines()
    for table in run_tables.tables(RUNS):
        assert f"## {table.title}" in text
