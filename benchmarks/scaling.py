"""The training step on several devices and in two processes.

Virtual devices share the cores of one machine: the rows show what dividing a batch
costs, not what more hardware gains. Every program under test has processes of its own,
which train while a line on stdin tells them to.
"""

import contextlib
import functools
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import jax
import numpy as np

from benchmarks.step import random_batch
from benchmarks.timing import Case
from configs import rgbd
from pixel2mesh_jax.models.build import make_model, make_template
from pixel2mesh_jax.training import devices, loop, state
from pixel2mesh_jax.training.optimizer import make_optimizer

BATCH_SIZE = 8  # over all devices
DEVICE_COUNTS = (2, 4, 8)
LOCAL_BATCH_SIZE = 4  # of each of the two processes
STEPS = 3  # per round
TOLERANCE = 1e-4  # relative, of the loss
COLLECTIVE = r" (all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute)(?:-start)?\("


def cases() -> Iterator[Case]:
    """The same batch on more devices; then a batch for each of two processes."""
    with contextlib.ExitStack() as stack:
        run = lambda **options: stack.enter_context(Run(**options))  # noqa: E731
        alone = run(batch_size=BATCH_SIZE)
        for count in DEVICE_COUNTS:
            divided = run(batch_size=BATCH_SIZE, num_devices=count)
            name = f"batch {BATCH_SIZE} on {count} devices"
            yield _case(name, divided, alone, "one device", BATCH_SIZE)
    with contextlib.ExitStack() as stack:
        run = lambda **options: stack.enter_context(Run(**options))  # noqa: E731
        total = 2 * LOCAL_BATCH_SIZE
        alone = run(batch_size=total)
        together = run(batch_size=total, num_processes=2)
        name = f"batch {total} in two processes"
        yield _case(name, together, alone, "one process", total)


def _case(name, ours, other, other_name, batch_size):
    return Case(
        f"training step, rgbd.py:tiny, {name}",
        ours.train,
        other.train,
        other_name,
        functools.partial(_check, ours, other),
        amount=STEPS * batch_size,
        unit="image",
        note=f"{', '.join(ours.collectives) or 'no collectives'}",
    )


def _check(ours, other):
    np.testing.assert_allclose(ours.loss, other.loss, rtol=TOLERANCE)


class Run:
    """Processes that train together; a context manager.

    Attributes:
      collectives: the collective operations of a step.
      loss: of the first step.
    """

    def __init__(self, batch_size: int, num_devices: int = 1, num_processes: int = 1):
        """Starts them and waits until the step is compiled."""
        environment = os.environ | {
            "JAX_PLATFORMS": "cpu",
            "JAX_NUM_CPU_DEVICES": str(num_devices),
            devices.ADDRESS: f"localhost:{_free_port()}",
            devices.PROCESS_COUNT: str(num_processes),
        }
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.scaling", str(batch_size)],
                env=environment | {devices.PROCESS_ID: str(number)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(num_processes)
        ]
        told = [_read(process) for process in self._processes]
        self.collectives, self.loss = told[0]["collectives"], told[0]["loss"]

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            process.stdin.close()
        for process in self._processes:
            process.wait()

    def train(self) -> None:
        """A few steps, in all processes."""
        for process in self._processes:
            process.stdin.write("go on\n")
            process.stdin.flush()
        for process in self._processes:
            _read(process)


def collectives(program: str) -> list[str]:
    """The collective operations of a compiled program, from its text."""
    return re.findall(COLLECTIVE, program)


def _read(process):
    """The next line that is meant for us."""
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError(f"{process.args} ended with exit code {process.wait()}")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def main(batch_size: int) -> None:
    """One process under test: compiles, then trains for every line on stdin."""
    if os.environ[devices.PROCESS_COUNT] != "1":
        devices.join_processes()
    config = rgbd.get_config("tiny")
    config.batch_size = batch_size
    step, train_state, batch, template = _program(config)
    compiled = step.lower(train_state, batch, template).compile()
    train_state, scalars = compiled(train_state, batch, template)
    _tell(collectives=collectives(compiled.as_text()), loss=float(scalars["loss"]))
    for _ in sys.stdin:
        for _ in range(STEPS):
            train_state, scalars = compiled(train_state, batch, template)
        jax.block_until_ready(scalars)
        _tell()


def _program(config):
    """The step and its arguments, on the devices of all processes."""
    shardings = devices.make_shardings(config.batch_size)
    model, tx = make_model(config), make_optimizer(config)
    template = jax.device_put(make_template(config), shardings.replicated)
    batch = devices.put_shared_batch(
        random_batch(config.batch_size, config.image_size), shardings
    )
    init = functools.partial(state.init_state, model, tx, seed=config.seed)
    start = jax.jit(init, out_shardings=shardings.replicated)(batch, template)
    step = loop.compile_steps(config, model, tx, shardings)(1)
    return step, start, batch, template


def _tell(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
