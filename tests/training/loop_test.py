"""Training on a synthetic stream: resume, devices, accumulation, divergence."""

import itertools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from configs import rgbd
from pixel2mesh_jax import file_locks
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training import (
    checkpoints,
    loop,
    run_folder,
    scalars,
    sharding,
)
from pixel2mesh_jax.training.optimizer import make_optimizer, make_schedule
from tests.batches import SIZE, make_batch

BATCH = 4


def make_config(**changes):
    config = rgbd.get_config("tiny")
    config.image_size = SIZE
    config.model.encoder_width = 0.05
    config.model.hidden_features = 8
    config.model.last_features = 8
    config.model.num_blocks = 1
    config.num_steps = 4
    config.log_every = 1
    config.checkpoint_every = 2
    config.eval_every = 0
    config.update(changes)
    return config


def make_data(num_validate=0, poison_at=None, breaks_at=None):
    def train(start_step):
        for step in itertools.count(start_step):
            if step == breaks_at:
                raise ConnectionError("the disk went away")
            batch = make_batch(step, BATCH)
            if step == poison_at:
                batch.points[0, 0, 0] = np.nan
            yield batch

    return loop.Data(
        ("thing",), train, lambda: iter([make_batch(99, BATCH)]), num_validate
    )


def run(workdir, config, **options):
    data = options.pop("data", None) or make_data()
    return loop.train(config, workdir, data, console=Console(quiet=True), **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One uninterrupted run that also validates and draws."""
    workdir = tmp_path_factory.mktemp("run")
    image = np.zeros((4, 6, 3), np.uint8)
    state = run(
        workdir,
        make_config(eval_every=2),
        data=make_data(num_validate=4),
        draw=lambda batch, found: image,
    )
    return workdir, state


def record_of(workdir):
    lines = (pathlib.Path(workdir) / scalars.FILE_NAME).read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_every_term_is_recorded(finished):
    workdir, state = finished
    assert int(state.step) == 4
    rows = [row for row in record_of(workdir) if "loss" in row]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    terms = {name for name in rows[0] if name.startswith("loss/")}
    assert terms == {
        f"loss/{name}"
        for name in ("chamfer", "edge", "normal", "laplacian", "move", "decay")
    }
    total = sum(rows[0][name] for name in terms)
    np.testing.assert_allclose(rows[0]["loss"], total, rtol=1e-5)


def test_validation_chooses_the_checkpoint(finished):
    workdir, _ = finished
    scores = {
        row["step"]: row["val/chamfer"]
        for row in record_of(workdir)
        if "val/chamfer" in row
    }
    assert checkpoints.best_step(workdir) == min(scores, key=scores.get)
    assert list((workdir / "tensorboard").glob("events.*"))


def test_a_resumed_run_equals_an_uninterrupted_one(finished, tmp_path):
    """Bit for bit: parameters, optimizer, and the record of the scalars."""
    workdir, expected = finished
    config = make_config(eval_every=2)
    with pytest.raises(ConnectionError):
        run(tmp_path, config, data=make_data(num_validate=4, breaks_at=3))
    resumed = run(tmp_path, config, data=make_data(num_validate=4))
    jax.tree.map(np.testing.assert_array_equal, resumed, expected)
    assert record_of(tmp_path) == record_of(workdir)


def test_a_finished_run_is_left_alone(finished):
    workdir, expected = finished
    again = run(workdir, make_config(eval_every=2))
    jax.tree.map(np.testing.assert_array_equal, again, expected)


def test_another_model_is_refused_with_the_differences(finished):
    workdir, _ = finished
    config = make_config()
    config.model.hidden_features = 9
    (workdir / run_folder.NAME).rename(workdir / "hidden")
    with pytest.raises(InputError, match=r"(?s)does not fit.*differences:\n.*conv_in"):
        run(workdir, config)
    (workdir / "hidden").rename(workdir / run_folder.NAME)
    with pytest.raises(InputError, match="does not fit"):
        run_folder.load_run(workdir, config)


def test_stops_at_the_first_scalar_that_is_not_finite(tmp_path):
    data = make_data(poison_at=2)
    with pytest.raises(FloatingPointError, match=r"became nan at step 3\."):
        run(tmp_path, make_config(checkpoint_every=1), data=data)
    with checkpoints.open_checkpoints(tmp_path) as saved:
        assert saved.latest.step == 2


def test_validation_needs_no_multiple_of_checkpoint_every(tmp_path):
    config = make_config(checkpoint_every=4, eval_every=3)
    run(tmp_path, config, data=make_data(num_validate=4))
    steps = [row["step"] for row in record_of(tmp_path) if "val/chamfer" in row]
    assert steps == [3, 4]


def test_nothing_is_recorded_with_log_every_zero(tmp_path):
    state = run(tmp_path, make_config(log_every=0))
    assert int(state.step) == 4
    assert record_of(tmp_path) == []


def test_devices_must_share_the_batch():
    with pytest.raises(InputError, match="batch_size 6 cannot be split among 4"):
        sharding.make_shardings(6)


def test_accumulated_gradients_equal_one_large_batch():
    """Two steps of half the batch move the parameters like one step of all."""
    settings = {"optimizer": {"warmup_steps": 0, "clip_norm": 0.0}}
    params = {"w": jnp.arange(3.0)}
    halves = [{"w": jnp.array([1.0, 2, 3])}, {"w": jnp.array([3.0, 0, 1])}]
    mean = {"w": (halves[0]["w"] + halves[1]["w"]) / 2}
    once = make_optimizer(make_config(**settings))
    expected, _ = once.update(mean, once.init(params), params)
    twice = make_optimizer(make_config(grad_accumulation=2, **settings))
    state = twice.init(params)
    first, state = twice.update(halves[0], state, params)
    second, _ = twice.update(halves[1], state, params)
    np.testing.assert_array_equal(first["w"], 0)
    np.testing.assert_allclose(second["w"], expected["w"], rtol=1e-6)


def test_accumulation_stretches_every_part_of_a_schedule():
    """Warm-up, decay and length are training steps; the optimizer sees a quarter."""
    settings = {"schedule": "steps", "warmup_steps": 8, "decay_steps": (40, 60)}
    every = make_schedule(make_config(num_steps=100, optimizer=settings))
    fourth = make_schedule(
        make_config(num_steps=100, optimizer=settings, grad_accumulation=4)
    )
    for step in range(0, 100, 4):
        np.testing.assert_allclose(fourth(step // 4), every(step), rtol=1e-6)


@pytest.mark.parametrize(
    ("schedule", "at_start", "at_end"),
    [("constant", 1e-3, 1e-3), ("cosine", 1e-3, 1e-5), ("steps", 1e-3, 9e-5)],
)
def test_schedules_warm_up_and_decay(schedule, at_start, at_end):
    settings = {"schedule": schedule, "warmup_steps": 10, "decay_steps": (40, 60)}
    rate = make_schedule(make_config(num_steps=100, optimizer=settings))
    assert float(rate(0)) == 0
    np.testing.assert_allclose(rate(10), at_start, rtol=1e-5)
    np.testing.assert_allclose(rate(100), at_end, rtol=1e-5)


def test_unknown_names_list_the_valid_ones():
    config = make_config(optimizer={"schedule": "linear"})
    with pytest.raises(InputError, match=r"Valid choices: constant, cosine, .*steps"):
        make_optimizer(config)


def test_a_second_training_in_the_same_folder_is_refused(tmp_path):
    workdir = tmp_path / "run"
    with (
        file_locks.hold(workdir / loop.LOCK_NAME, "it is being written", "wait"),
        pytest.raises(InputError, match=r"another training.*give another --workdir"),
    ):
        run(workdir, make_config())
    assert not workdir.exists()
