"""The runner of the ablation tables: rows, their order, and where the tables go."""

import json

import pytest

from benchmarks import ablations, pages
from configs import ablation, plus
from pixel2mesh_jax.training import run_folder, scalars

SCORES = {"chamfer": 1.5e-3, "f_score_1e-4": 0.25, "f_score_2e-4": 0.5}
TEMPLATE = {"chamfer": 20e-3, "f_score_1e-4": 0.0625, "f_score_2e-4": 0.125}


def finish(workdir, name, inputs, seconds=61.2, seed=0, chamfer=1.5e-3):
    """Leaves what a trained and evaluated row leaves."""
    run = ablations.folder(workdir, name, inputs, seed)
    variant = f"{name}{ablations.INPUTS[inputs]}"
    run.mkdir(parents=True)
    run_folder.save_config(run, ablation.get_config(variant))
    own, template = (
        {name: {ablations.MEAN: scores} for name in ablations.PAPER.columns}
        for scores in (SCORES | {"chamfer": chamfer}, TEMPLATE)
    )
    metrics = {"protocols": own, "baselines": {ablations.TEMPLATE: template}}
    (run / "metrics.json").write_text(json.dumps(metrics))
    (run / ablations.SECONDS).write_text(json.dumps(seconds))
    steps = [{"step": 10 * i, "loss/chamfer": 80.0 - 10 * i} for i in range(1, 9)]
    lines = [json.dumps(step) for step in steps]
    (run / scalars.FILE_NAME).write_text("\n".join(lines))


def test_every_row_is_an_ablation_and_every_switch_has_a_row():
    rows = {name for names in ablations.TABLES.values() for name in names}
    unused = set(ablation.CHANGES) - rows
    assert rows <= set(ablation.CHANGES)
    assert unused == {"rgbd", "blocks_3"}  # a kind of input; the same as full


def test_tables_hold_scores_parameters_and_seconds(tmp_path):
    finish(tmp_path, "full", "RGB")
    finish(tmp_path, "no_edge", "RGB-D", seconds=None)
    rows = [
        ablations.read("full", "RGB", [0], tmp_path),
        ablations.read("no_edge", "RGB-D", [0], tmp_path),
    ]
    text = ablations.markdown(rows)
    first, *others = text.split("###")[1:]
    lines = [line.split("|")[1:-1] for line in first.splitlines() if "|" in line]
    cells = [[cell.strip() for cell in line] for line in lines]
    assert cells[0][:2] == ["", "inputs"]
    parameters = f"{rows[0].parameters:,}"
    scores = ["1.500", "25.00", "50.00", "1.500"]  # the last by surface points
    assert cells[2] == ["full", "RGB", *scores, parameters, "61"]
    assert cells[3][:2] == ["no_edge", "RGB-D"]
    assert cells[3][-1] == "–"
    assert cells[4][:3] == ["undeformed template", "", "20.000"]
    assert len(others) == 3  # full is a row of all three; convergence
    assert "| full | RGB | 65.0 | 45.0 | 25.0 | 5.0 |" in others[-1]
    assert rows[1].parameters > rows[0].parameters


def test_several_seeds_are_one_row_with_mean_and_spread(tmp_path):
    for seed, chamfer in ((0, 1.25e-3), (3, 1.75e-3)):
        finish(tmp_path, "full", "RGB", seed=seed, chamfer=chamfer)
    row = ablations.read("full", "RGB", [0, 3], tmp_path)
    assert "| 1.500 ± 0.250 | 25.00 ± 0.00 |" in ablations.markdown([row])
    options = ablations._parse(["--only", "full", "--seeds", "0", "3"])
    text = ablations.circumstances(options)
    assert "2 runs per row" in text
    assert "--only full --inputs RGB RGB-D --seeds 0 3`" in text


def test_tables_replace_what_stood_between_the_markers(repository):
    page = (repository / "docs" / "ablations.md").read_text()
    once = pages.between_markers(page, "OLD TABLE")
    again = pages.between_markers(once, "NEW TABLE")
    assert "OLD TABLE" not in again
    assert again.split("NEW TABLE") == once.split("OLD TABLE")


def test_finished_rows_are_not_trained_again(tmp_path, monkeypatch):
    finish(tmp_path, "full", "RGB")
    options = ablations._parse(["--workdir", str(tmp_path)])
    monkeypatch.setattr(ablations.subprocess, "run", pytest.fail)
    ablations.train("full", "RGB", 0, options)


def test_unfinished_rows_are_trained_and_evaluated(tmp_path, monkeypatch):
    commands = []
    monkeypatch.setattr(
        ablations.subprocess, "run", lambda command, check: commands.append(command)
    )
    options = ablations._parse(
        ["--workdir", str(tmp_path), "--steps", "7", "--settings", "image_size=64"]
    )
    ablations.train("no_edge", "RGB-D", 5, options)
    assert [command[-1] for command in commands] == ["--mode=train", "--mode=eval"]
    assert [command[-2] for command in commands] == ["--config.data_dir=data"] * 2
    assert "--config=configs/ablation.py:no_edge,rgbd" in commands[0]
    assert {"--config.num_steps=7", "--config.seed=5"} <= set(commands[0])
    assert all("--config.image_size=64" in command for command in commands)
    assert (tmp_path / "no_edge_rgbd_seed5" / ablations.SECONDS).is_file()


def test_the_plus_table_trains_its_own_rows_and_tests_on_other_data(
    tmp_path, monkeypatch
):
    commands = []
    monkeypatch.setattr(
        ablations.subprocess, "run", lambda command, check: commands.append(command)
    )
    arguments = ["--table", "plus", "--workdir", str(tmp_path), "--test_dir", "test"]
    options = ablations._parse(arguments)
    assert options.only == tuple(plus.STEPS)
    ablations.train("placed", "RGB-D", 0, options)
    assert "--config=configs/plus.py:placed,rgbd" in commands[0]
    assert "--config.eval.protocol=surface,mesh_rcnn,hidden,visible" in commands[0]
    where = [command[-2] for command in commands]
    assert where == ["--config.data_dir=data", "--config.data_dir=test"]


def test_a_row_of_the_other_table_is_refused():
    with pytest.raises(SystemExit):
        ablations._parse(["--table", "plus", "--only", "no_edge"])
