"""The folder of a run is the truth: what may be changed when it is used or goes on."""

import json

import numpy as np
import pytest

from configs import rgbd_sdf
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training import checkpoints, run_folder
from pixel2mesh_jax.weights import release
from tests import untrained_runs
from tests.batches import SIZE, make_batch
from tests.training.loop_test import make_config


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A run that ended before its first step."""
    workdir = tmp_path_factory.mktemp("run")
    config = make_config()
    config.model.num_stages = 1
    untrained_runs.save(workdir, config)
    return workdir


def test_a_run_needs_only_its_folder(untrained):
    run = run_folder.load_run(untrained)
    assert run.config.image_size == SIZE
    found = run.extract(make_batch(0, 2))
    assert [mesh.vertices.shape for mesh in found[1].stages] == [(156, 3)]


def test_reading_changes_nothing_in_the_folder(untrained):
    """A live training may be writing there: its unfinished checkpoint stays."""
    unfinished = untrained / "checkpoints" / "7.orbax-checkpoint-tmp-1"
    unfinished.mkdir(exist_ok=True)
    before = sorted(untrained.rglob("*"))
    run_folder.load_run(untrained)
    assert sorted(untrained.rglob("*")) == before


def test_no_run_is_named(tmp_path):
    with pytest.raises(InputError, match=r"config.json does not exist. Train first"):
        run_folder.load_run(tmp_path)
    with pytest.raises(InputError, match="No checkpoint in"):
        run_folder.load_run(tmp_path, make_config())
    checkpoints.checkpoint_folder(tmp_path).mkdir()
    with pytest.raises(InputError, match="No finished checkpoint in"):
        run_folder.load_run(tmp_path, make_config())


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"method": 3}', "[" * 10**5])
def test_a_damaged_config_is_named(text, tmp_path):
    (tmp_path / run_folder.NAME).write_text(text)
    with pytest.raises(InputError, match=r"config\.json (is not JSON|does not say)"):
        run_folder.load_config(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.prediction", "positions"),
        ("model.origin", (0.0, 0.0, 0.0)),
        ("model.camera", "248,111.5"),
        ("model.color_encoding", "imagenet"),
        ("image_size", 64),
        ("model.pooling", "align_corners"),
        ("model.depth_encoding", "metric"),
        ("inputs", ("rgb",)),
        ("method", "refinement"),
    ],
)
def test_what_makes_another_network_is_refused_by_name(untrained, name, value):
    with pytest.raises(InputError, match=rf"--config\.{name}=.* was trained with"):
        run_folder.use_config(untrained, {name: value})


def test_other_data_may_be_evaluated_and_equal_settings_repeated(untrained):
    changes = {"dataset": "mine", "eval.limit": 3, "batch_size": 1, "image_size": SIZE}
    config = run_folder.use_config(untrained, changes)
    assert (config.dataset, config.eval.limit) == ("mine", 3)


def test_a_run_of_before_a_setting_does_without_it(untrained, tmp_path):
    settings = json.loads((untrained / "config.json").read_text())
    del settings["eval"]["refine"], settings["eval"]["without_depth"]
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert run_folder.use_config(tmp_path, {}).eval.refine == 0
    assert run_folder.use_config(tmp_path, {}).eval.without_depth is False
    assert run_folder.use_config(tmp_path, {"eval.refine": 20}).eval.refine == 20


def test_released_weights_do_not_say_where_they_were_made(tmp_path):
    config = make_config()
    config.model.num_stages = 1
    untrained_runs.save(tmp_path, config)
    config.data_dir, config.init_from = "/home/me/data", "tensorflow:/home/me/r.npz"
    run_folder.save_config(tmp_path, config)
    run_folder.release_run(tmp_path, tmp_path / "a.safetensors")
    assert b"/home/me" not in (tmp_path / "a.safetensors").read_bytes()
    released = run_folder.load_released_config(tmp_path / "a.safetensors")
    assert (released.data_dir, released.init_from) == ("data", "tensorflow:r.npz")


@pytest.mark.parametrize("name", release.released())
def test_weights_that_ship_name_no_folder(name):
    shipped = run_folder.load_released_config(release.path_of(name))
    assert shipped.data_dir == run_folder.DATA_DIR
    assert "/" not in shipped.init_from


@pytest.mark.parametrize("name", release.released())
def test_weights_that_ship_know_every_setting_of_today(name):
    """Of evaluation above all: they are scored without a run of their own."""
    shipped = run_folder.load_released_config(release.path_of(name))
    today = rgbd_sdf.get_config()
    known = dict(run_folder.flattened(shipped)).keys()
    assert dict(run_folder.flattened(today)).keys() <= known
    assert run_folder.load_released(name).config == shipped


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "other"},
        {"seed": 1},
        {"num_steps": 8},  # the cosine depends on it
        {"model": {"hidden_features": 9}},
        {"optimizer": {"learning_rate": 1.0}},
    ],
)
def test_a_training_goes_on_with_its_settings_only(tmp_path, changes):
    run_folder.save_config(tmp_path, make_config())
    changed = make_config(**changes)
    with pytest.raises(InputError, match="other settings, 1 differences"):
        run_folder.check_resumable(tmp_path, changed)


def test_periods_may_change_and_an_endless_schedule_be_extended(tmp_path):
    constant = {"schedule": "constant"}
    run_folder.save_config(tmp_path, make_config(optimizer=constant))
    longer = make_config(num_steps=99, log_every=7, eval_every=3, optimizer=constant)
    run_folder.check_resumable(tmp_path, longer)


def test_the_best_checkpoint_is_that_of_the_lowest_score(tmp_path):
    folder = checkpoints.checkpoint_folder(tmp_path)
    for step, score in ((2, 0.5), (4, 0.1), (6, 0.3)):
        (folder / str(step) / "metrics").mkdir(parents=True)
        scores = {checkpoints.METRIC: score}
        (folder / str(step) / "metrics" / "metrics").write_text(json.dumps(scores))
    (folder / "8").mkdir()
    assert checkpoints.best_step(tmp_path) == 4


def test_parameters_arrive_as_they_were_saved(untrained):
    run = run_folder.load_run(untrained)
    again = run_folder.load_run(untrained)
    one, other = run.extract(make_batch(0, 1)), again.extract(make_batch(0, 1))
    np.testing.assert_array_equal(one[0].mesh.vertices, other[0].mesh.vertices)
