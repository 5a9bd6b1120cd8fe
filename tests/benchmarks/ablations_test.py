"""The runner of the ablation tables: rows, their order, and where the tables go."""

import importlib
import json

import pytest

from benchmarks import ablations, pages, studies
from configs import ablation, implicit, plus
from pixel2mesh_jax import methods
from pixel2mesh_jax.training import run_folder, scalars

PAPER = studies.STUDIES["paper"]
SCORES = {"chamfer": 1.5e-3, "f_score_1e-4": 0.25, "f_score_2e-4": 0.5}
TEMPLATE = {"chamfer": 20e-3, "f_score_1e-4": 0.0625, "f_score_2e-4": 0.125}


def finish(workdir, name, inputs, seconds=61.2, seed=0, chamfer=1.5e-3):
    """Leaves what a trained and evaluated row leaves."""
    run = ablations.folder(workdir, name, inputs, seed)
    variant = name + (",rgbd" if inputs == "RGB-D" else "")
    run.mkdir(parents=True)
    run_folder.save_config(run, ablation.get_config(variant))
    own, template = (
        {name: {ablations.MEAN: scores} for name in PAPER.columns}
        for scores in (SCORES | {"chamfer": chamfer}, TEMPLATE)
    )
    metrics = {"protocols": own, "baselines": {"undeformed template": template}}
    (run / "metrics.json").write_text(json.dumps(metrics))
    (run / ablations.SECONDS).write_text(json.dumps(seconds))
    steps = [{"step": 10 * i, "loss/chamfer": 80.0 - 10 * i} for i in range(1, 9)]
    lines = [json.dumps(step) for step in steps]
    (run / scalars.FILE_NAME).write_text("\n".join(lines))


def test_every_row_is_an_ablation_and_every_switch_has_a_row():
    rows = {name for names in PAPER.tables.values() for name in names}
    unused = set(ablation.CHANGES) - rows
    assert rows <= set(ablation.CHANGES)
    assert unused == {"rgbd", "blocks_3"}  # a kind of input; the same as full


def test_tables_hold_scores_parameters_and_seconds(tmp_path):
    finish(tmp_path, "full", "RGB")
    finish(tmp_path, "no_edge", "RGB-D", seconds=None)
    rows = [
        ablations.read("full", "RGB", [0], tmp_path, PAPER),
        ablations.read("no_edge", "RGB-D", [0], tmp_path, PAPER),
    ]
    text = ablations.markdown(rows, PAPER)
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
    assert "| full | RGB | 65 | 45 | 25 | 5 |" in others[-1]
    assert rows[1].parameters > rows[0].parameters


def test_the_template_of_a_table_is_that_of_the_full_network(tmp_path):
    """That of one block alone has fewer vertices."""
    finish(tmp_path, "blocks_1", "RGB")
    finish(tmp_path, "full", "RGB")
    metrics = ablations.folder(tmp_path, "blocks_1", "RGB", 0) / "metrics.json"
    text = metrics.read_text()
    metrics.write_text(text.replace(str(TEMPLATE["chamfer"]), "0.5"))
    names = ("blocks_1", "full")
    rows = [ablations.read(name, "RGB", [0], tmp_path, PAPER) for name in names]
    assert rows[0].baselines != rows[1].baselines
    found = ablations.markdown(rows, PAPER).split("undeformed template")[1:]
    assert all(line.startswith(" |  | 20.000 |") for line in found)


def test_several_seeds_are_one_row_with_mean_and_spread(tmp_path):
    for seed, chamfer in ((0, 1.25e-3), (3, 1.75e-3)):
        finish(tmp_path, "full", "RGB", seed=seed, chamfer=chamfer)
    row = ablations.read("full", "RGB", [0, 3], tmp_path, PAPER)
    assert "| 1.500 ± 0.250 | 25.00 ± 0.00 |" in ablations.markdown([row], PAPER)
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


def test_the_ladder_prints_means_and_medians_and_takes_variants_together(
    tmp_path, monkeypatch
):
    commands = []
    monkeypatch.setattr(
        ablations.subprocess, "run", lambda command, check: commands.append(command)
    )
    row, inputs = "depth_projected+cosine", studies.AS_NAMED
    options = ablations._parse(["--table", "ladder", "--workdir", str(tmp_path)])
    assert options.inputs == (inputs,)
    ablations.train(row, inputs, 0, options)
    assert "--config=configs/implicit.py:depth_projected,cosine,tiny" in commands[0]
    ladder, run = studies.STUDIES["ladder"], tmp_path / "depth_projected_cosine_seed0"
    run_folder.save_config(run, implicit.get_config("cosine,tiny"))
    means = {"surface": {ablations.MEAN: {"chamfer": 2e-3}}}
    metrics = {"protocols": means, "baselines": {"closed shell": {}}}
    (run / "metrics.json").write_text(json.dumps(metrics))
    values = "".join(f"{i},car,surface,chamfer,{i}e-3\n" for i in (1, 1, 4))
    (run / "samples.csv").write_text(f"view,category,protocol,score,value\n{values}")
    steps = [json.dumps({"step": i, "loss/distance": 8 / i}) for i in (1, 2, 4, 8)]
    (run / scalars.FILE_NAME).write_text("\n".join(steps))
    text = ablations.markdown(
        [ablations.read(row, inputs, [0], tmp_path, ladder)], ladder
    )
    assert "| 2.000 (1.000) | – |" in text
    assert "| closed shell |" in text
    assert "| 8 | 4 | 2 | 1 |" in text
    assert "--table ladder" in ablations.circumstances(options)


def test_rows_of_whole_families_are_configs(tmp_path):
    families = studies.STUDIES["families"]
    name = families.config("rgb_mesh_rcnn:best", studies.AS_NAMED)
    assert name == "configs/rgb_mesh_rcnn.py:best,tiny"
    assert families.config("rgbd_sdf", studies.AS_NAMED) == "configs/rgbd_sdf.py:tiny"
    run = ablations.folder(tmp_path, "rgb_mesh_rcnn:best", studies.AS_NAMED, 1)
    assert run.name == "rgb_mesh_rcnn_best_seed1"


@pytest.mark.parametrize("name", studies.STUDIES)
def test_every_row_of_every_table_is_a_config(name, repository):
    study = studies.STUDIES[name]
    assert "tables: begin" in (repository / study.page).read_text()
    for row in study.choices:
        for inputs in study.inputs:
            path, variant = study.config(row, inputs).split(":")
            module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
            assert methods.make(module.get_config(variant)).fields
