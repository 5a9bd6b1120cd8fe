"""The training step on several devices and in two processes.

Strong scaling: one batch on several virtual devices. Weak scaling: a batch for each of
two processes. All share the cores of this machine; the rows show what dividing the work
costs, not what more hardware gains, and a ratio of one is perfect. The step is that of
`rgbd.py:tiny` with one of its three stages: compiling it takes most of the time.
"""

import contextlib
import functools
import multiprocessing
import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import NamedTuple

import jax
import numpy as np

from benchmarks.step import random_batch
from benchmarks.timing import Case
from configs import rgbd
from pixel2mesh_jax import methods, processes
from pixel2mesh_jax.training import loop, sharding, state
from pixel2mesh_jax.training.optimizer import make_optimizer

BATCH_SIZE = 8  # of every process
DEVICE_COUNTS = (2, 4, 8)
STEPS = 3  # per round; the learning rate of the first one is 0
ROUNDS = 5
SPREAD = 0.02  # of the weights
TOLERANCE = 1e-4  # relative, of the loss after the first round
TIMEOUT = 240  # seconds until a process has to answer
LIFETIME = 600  # seconds that a process may exist, whatever happens to its parent
COLLECTIVE = re.compile(
    " (all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute"
    r"|collective-broadcast)(?:-start)?\("
)


class Place(NamedTuple):
    """Where a process trains.

    Attributes:
      num_devices: of this process.
      num_processes: that train together.
      number: of this process among them.
      address: where the first of them listens, host:port.
    """

    num_devices: int
    num_processes: int
    number: int
    address: str


def cases() -> Iterator[Case]:
    """A batch on one device and on several; a batch for each of two processes."""
    with contextlib.ExitStack() as stack:
        start = lambda **size: stack.enter_context(Team(**size))  # noqa: E731
        alone, pair = start(), start(num_processes=2)
        divided = {count: start(num_devices=count) for count in DEVICE_COUNTS}
        for team in (alone, pair, *divided.values()):
            team.wait()  # all compile at the same time
        for count, team in divided.items():
            yield _case(f"{count} devices", team, alone)
        yield _case("2 processes", pair, alone, batches=2)


def _case(name, team, alone, batches=1):
    return Case(
        f"step of a small rgbd.py, batch {BATCH_SIZE * batches}, {name}",
        team.train,
        alone.train,
        f"one device, batch {BATCH_SIZE}",
        functools.partial(_check, team, alone),
        amount=STEPS * batches,
        other_amount=STEPS,
        unit="batch",
        note=f"{team.collectives}; one device: {alone.collectives}",
        rounds=ROUNDS,
    )


def _check(team, alone):
    np.testing.assert_allclose(team.loss, alone.loss, rtol=TOLERANCE)


class Team:
    """Processes that train together, started at once; a context manager.

    Attributes:
      collectives: the collective operations of a step, in words.
      loss: of the last step of the first round.
    """

    def __init__(self, num_devices: int = 1, num_processes: int = 1):
        """`num_devices` is that of every process."""
        address = f"localhost:{free_port()}"
        self._members = [
            _start(Place(num_devices, num_processes, number, address))
            for number in range(num_processes)
        ]

    def __enter__(self) -> "Team":
        return self

    def __exit__(self, *error: object) -> None:
        for process, _ in self._members:
            process.kill()  # all, before one complains that another is gone
        for process, link in self._members:
            process.join()
            link.close()

    def wait(self) -> None:
        """Until the step is compiled and the first round done."""
        told = [_read(*member) for member in self._members]
        self.collectives, self.loss = told[0]

    def train(self) -> None:
        """Another round, in all processes."""
        for _, link in self._members:
            link.send("go on")
        for member in self._members:
            _read(*member)


def collectives(program: str) -> list[str]:
    """The collective operations of a compiled program, from its text."""
    return COLLECTIVE.findall(program)


def _start(place):
    """A process, and our end of the pipe to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_train, args=(theirs, place), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _read(process, link):
    """The next message; an error if the process has ended or says nothing."""
    if not link.poll(TIMEOUT):
        raise TimeoutError(f"A training process said nothing for {TIMEOUT} seconds.")
    try:
        return link.recv()
    except EOFError as error:
        process.join()
        raise RuntimeError(
            f"A training process ended with exit code {process.exitcode}."
        ) from error


def free_port() -> int:
    """Of this machine, for a process that listens."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def _train(link: Connection, place: Place) -> None:
    """What a process does: a round at the start, then one for every message."""
    signal.alarm(LIFETIME)
    _settle(place)
    step, train_state, batch, template = _program()
    compiled = step.lower(train_state, batch, template).compile()
    found = Counter(collectives(compiled.as_text()))
    words = ", ".join(f"{count} {name}" for name, count in found.items())
    with contextlib.suppress(EOFError):  # the parent has ended
        while True:
            for _ in range(STEPS):
                train_state, scalars = compiled(train_state, batch, template)
            link.send((words or "none", float(scalars["loss"])))
            link.recv()


def _settle(place):
    """Before anything touches a device."""
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", place.num_devices)
    if place.num_processes > 1:
        os.environ[processes.ADDRESS] = place.address
        os.environ[processes.PROCESS_COUNT] = str(place.num_processes)
        os.environ[processes.PROCESS_ID] = str(place.number)
        processes.join_processes()


def _program():
    """The step and its arguments; every process has the same examples."""
    config = rgbd.get_config("tiny")
    config.model.num_stages = 1
    config.batch_size = BATCH_SIZE * jax.process_count()
    shardings = sharding.make_shardings(config.batch_size)
    method, tx = methods.make(config), make_optimizer(config)
    template = jax.device_put(method.constants, shardings.replicated)
    batch = sharding.put_batch(random_batch(BATCH_SIZE, config.image_size), shardings)
    start = jax.device_put(_noise(method, tx, template), shardings.replicated)
    step = loop.compile_steps(config, method, tx, shardings)(1)
    return step, start, batch, template


def _noise(method, tx, template):
    """Any weights do; compiling their initialization takes as long as the step."""
    init = functools.partial(state.init_state, method, tx, seed=0)
    shapes = jax.eval_shape(init, template)
    rng = np.random.default_rng(0)
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    noise = lambda x: SPREAD * rng.standard_normal(x.shape, x.dtype)  # noqa: E731
    return zeros._replace(params=jax.tree.map(noise, shapes.params))
