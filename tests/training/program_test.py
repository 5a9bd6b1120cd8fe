"""The training step as compiled: once per run, one exchange, nothing of the host."""

import functools
import importlib
import itertools
import re
import types
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import pytest
from rich.console import Console

from benchmarks.scaling import collectives
from pixel2mesh_jax import methods
from pixel2mesh_jax.structures import Batch, Template
from pixel2mesh_jax.training import loop, scalars, sharding
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer
from tests.batches import SIZE, make_batch

pytestmark = pytest.mark.usefixtures("quick_compilation")

BATCH = 4  # one example for each of the four devices of the tests
COMPILED = "/jax/core/compile/backend_compile_duration"  # event of jax.monitoring
# What a program would call the host with.
HOST_CALL = re.compile(r" (infeed|outfeed|send|recv)\(|python_\w*callback")


def make_config(name="rgbd", **changes):
    """The first stage of a variant, on small images; no step knows the last one."""
    config = importlib.import_module(f"configs.{name}").get_config("tiny")
    config.image_size = SIZE
    config.model.encoder_width = 0.05
    config.model.hidden_features = 8
    config.model.num_blocks = 2
    config.model.num_stages = 1
    config.batch_size = BATCH
    config.optimizer.schedule = "constant"
    config.update(changes)
    return config


class Program(NamedTuple):
    """The jitted step, and its arguments on the host.

    Attributes:
      step: of the first steps of a run.
      state: a fresh one.
      batch: one example per device.
      template: of the model.
      shardings: over all devices.
    """

    step: Callable
    state: states.TrainState
    batch: Batch
    template: Template
    shardings: sharding.Shardings

    def placed(self):
        """Arguments on the devices; the step consumes the state."""
        start, template = jax.device_put(
            (self.state, self.template), self.shardings.replicated
        )
        return start, sharding.put_batch(self.batch, self.shardings), template


def make_program(name):
    config = make_config(name)
    method, tx = methods.make(config), make_optimizer(config)
    shardings = sharding.make_shardings(BATCH)
    template = method.constants
    init = functools.partial(states.init_state, method, tx, seed=0)
    init = jax.jit(init, out_shardings=shardings.replicated)
    start = jax.device_get(init(template))
    step = loop.compile_steps(config, method, tx, shardings)(1)
    return Program(step, start, make_batch(0, BATCH), template, shardings)


@pytest.fixture(scope="module")
def program_of():
    """The program of a config; made in the test, which says how to compile."""
    return functools.cache(make_program)


def text_of(program):
    return program.step.lower(*program.placed()).compile().as_text()


@pytest.mark.parametrize(
    "name", ["rgbd", pytest.param("rgbd_autoencoder", marks=pytest.mark.slow)]
)
def test_devices_exchange_gradients_once_and_not_in_a_loop(name, program_of):
    """There are loops: over the residual blocks, over tiles of points."""
    text = text_of(program_of(name))
    assert " while(" in text
    _, _, entry = text.partition("\nENTRY ")
    assert collectives(text) == collectives(entry) == ["all-reduce"]


def test_a_step_does_not_call_the_host(program_of):
    assert not HOST_CALL.search(text_of(program_of("rgbd")))


def test_a_step_takes_nothing_from_the_host(program_of):
    """Other than in its first call, which compiles it."""
    program = program_of("rgbd")
    state, batch, template = program.placed()
    state, _ = program.step(state, batch, template)
    with jax.transfer_guard("disallow"):
        for _ in range(3):
            state, _ = program.step(state, batch, template)
        with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
            jnp.negative(program.batch.rgb)
    assert int(state.step) == 4


def test_a_step_reuses_the_memory_of_the_state(program_of):
    program = program_of("rgbd")
    state, batch, template = program.placed()
    following, _ = program.step(state, batch, template)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    kept = (following, batch, template)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(kept))


@pytest.fixture
def compilations():
    """Names of the programs that are compiled, or read from the cache on disk."""
    names = []

    def listen(event, seconds, *, fun_name="", **rest):
        del seconds, rest
        if event == COMPILED:
            names.append(fun_name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)


def train(workdir, config, num_validate=0):
    batches = lambda *start: (make_batch(seed, BATCH) for seed in itertools.count())  # noqa: E731
    validate = lambda: iter([make_batch(99, BATCH)])  # noqa: E731
    data = loop.Data(("thing",), batches, validate, num_validate)
    loop.train(config, workdir, data, console=Console(quiet=True))


def test_a_run_compiles_its_programs_once_and_so_does_a_resumed_one(
    compilations, tmp_path
):
    """To the compiler, a state from a checkpoint is one that a step returned."""
    changes = {"checkpoint_every": 4, "eval_every": 4}
    for num_steps in (12, 20):
        config = make_config(num_steps=num_steps, **changes)
        train(tmp_path, config, num_validate=BATCH)
        assert compilations.count("jit(train_step)") == 1
        assert compilations.count("jit(predict)") == 1
        compilations.clear()


@pytest.mark.slow
def test_an_autoencoder_compiles_a_step_with_the_image_and_one_without(
    compilations, tmp_path
):
    loss = {"image_steps": 6}
    for num_steps, count in ((12, 2), (14, 1)):
        config = make_config("rgbd_autoencoder", num_steps=num_steps, loss=loss)
        train(tmp_path, config)
        assert compilations.count("jit(train_step)") == count
        compilations.clear()


def test_the_loop_fetches_the_scalars_once_per_log_every(monkeypatch, tmp_path):
    fetched = []

    def device_get(pending):
        fetched.append([step for step, _ in pending])
        return jax.device_get(pending)

    fake = types.SimpleNamespace(device_get=device_get, Array=jax.Array)
    monkeypatch.setattr(scalars, "jax", fake)
    train(tmp_path, make_config(num_steps=12, log_every=5, checkpoint_every=0))
    assert fetched == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12]]
