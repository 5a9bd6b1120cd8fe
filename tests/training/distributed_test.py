"""Two processes on one machine train as one."""

import functools
import json
import pathlib
import subprocess
from typing import NamedTuple

import jax
import numpy as np
import pytest

from benchmarks.scaling import free_port
from pixel2mesh_jax import processes
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training import checkpoints, scalars
from tests.training import programs

NUM_STEPS = 20


class Run(NamedTuple):
    workdir: pathlib.Path
    processes: list[subprocess.CompletedProcess]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    programs.build_data(folder)
    return folder


def train(workdir, data, environments, *flags):
    flags = (
        *("--config", "configs/rgbd.py:tiny"),
        *programs.train_flags(workdir, data, NUM_STEPS),
        "--config.model.num_stages=1",  # compiles in half the time
        "--config.checkpoint_every=10",
        *flags,
    )
    done = programs.start_together(environments, "pixel2mesh_jax.main", *flags)
    for process in done:
        assert process.returncode == 0, process.stderr
    return Run(workdir, done)


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("alone")
    return train(workdir, data, [programs.environment()])


@pytest.fixture(scope="module")
def together(data, tmp_path_factory):
    """Half of the batch for each of two processes."""
    cluster = {
        processes.ADDRESS: f"localhost:{free_port()}",
        processes.PROCESS_COUNT: "2",
    }
    environments = [
        programs.environment(**cluster, **{processes.PROCESS_ID: str(number)})
        for number in range(2)
    ]
    workdir = tmp_path_factory.mktemp("together")
    return train(workdir, data, environments, "--config.distributed=true")


@pytest.mark.slow
def test_parameters_equal_those_of_one_process(alone, together):
    found, expected = map(programs.state_of, (together.workdir, alone.workdir))
    # The halves of a sum meet in another order: float32 rounding, 20 times.
    same = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=2e-6)
    jax.tree.map(same, found["params"], expected["params"])


@pytest.mark.slow
def test_losses_equal_those_of_one_process(alone, together):
    losses = programs.losses_of(together.workdir)
    assert len(losses) == NUM_STEPS
    np.testing.assert_allclose(losses, programs.losses_of(alone.workdir), rtol=1e-5)


@pytest.mark.slow
def test_the_record_and_the_checkpoints_are_written_once(alone, together):
    assert steps_of(together.workdir) == steps_of(alone.workdir)
    assert len(list((together.workdir / "tensorboard").iterdir())) == 1
    folders = [checkpoints.checkpoint_folder(run.workdir) for run in (together, alone)]
    found, expected = [sorted(path.name for path in each.iterdir()) for each in folders]
    assert found == expected


def steps_of(workdir):
    """The steps of the lines of the record; those of a validation twice."""
    lines = (workdir / scalars.FILE_NAME).read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


@pytest.mark.slow
def test_only_the_first_process_prints(together):
    first, second = together.processes
    assert "2 x cpu" in first.stdout
    assert f"step {NUM_STEPS:6d}" in first.stdout
    said = second.stdout.splitlines() + second.stderr.splitlines()
    # The library under JAX's collectives on a CPU greets.
    assert [line for line in said if not line.startswith("[Gloo]")] == []


BAD_ENVIRONMENTS = {
    "no port": ({processes.ADDRESS: "localhost"}, "'localhost'; expected host:port"),
    "a word": ({processes.PROCESS_COUNT: "two"}, "'two'; expected a number"),
    "no cluster": ({}, f"cannot be joined.*set {processes.ADDRESS}=host:port"),
}


@pytest.mark.parametrize("case", BAD_ENVIRONMENTS)
def test_processes_that_cannot_be_joined_are_told_what_to_set(case, monkeypatch):
    variables, message = BAD_ENVIRONMENTS[case]
    for name in (processes.ADDRESS, processes.PROCESS_COUNT, processes.PROCESS_ID):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=message):
        processes.join_processes()
