"""Scalars of a run: JSON lines for programs, TensorBoard for people."""

import json
import math
import os
import pathlib
from collections.abc import Callable

import jax
import numpy as np

from pixel2mesh_jax.processes import is_first_process

FILE_NAME = "metrics.jsonl"


class Scalars:
    """Writes named numbers by step; a context manager.

    A resumed run continues both records: lines of steps that are done again are
    dropped, so that every step is in the file once.
    """

    def __init__(self, workdir: str | os.PathLike, start_step: int):
        """Continues the record of `workdir` after `start_step`."""
        import tensorboardX  # two seconds where torch is installed

        workdir = pathlib.Path(workdir)
        self._path = workdir / FILE_NAME
        _drop_after(self._path, start_step)
        self._file = self._path.open("a", encoding="utf-8")
        self._board = tensorboardX.SummaryWriter(
            str(workdir / "tensorboard"), purge_step=start_step + 1
        )

    def __enter__(self) -> "Scalars":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._board.close()

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """Appends one line {"step": ..., name: value, ...}."""
        self._file.write(json.dumps({"step": step, **scalars}) + "\n")
        self._file.flush()
        for name, value in scalars.items():
            self._board.add_scalar(name, value, step)

    def write_image(self, step: int, name: str, image: np.ndarray) -> None:
        """Shows an (H, W, 3) uint8 image in TensorBoard."""
        self._board.add_image(name, image, step, dataformats="HWC")


class Unwritten(Scalars):
    """For the processes that do not write the record of the run."""

    def __init__(self):
        """Opens nothing."""

    def __exit__(self, *error: object) -> None:
        """Closes nothing."""

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """Writes nothing."""

    def write_image(self, step: int, name: str, image: np.ndarray) -> None:
        """Shows nothing."""


def open_record(workdir: str | os.PathLike, start_step: int) -> Scalars:
    """The record of a run, which the first process alone writes."""
    return Scalars(workdir, start_step) if is_first_process() else Unwritten()


class StepLog:
    """Checks and records the scalars of training steps, a few steps behind.

    They stay on the device until the step after one that is recorded has been
    dispatched, and are then fetched together: the device never waits for the host, and
    the host waits once per `log_every` steps. Every process reads the same steps, so
    all of them stop at the same one.
    """

    def __init__(self, record: Scalars, log_every: int, show: Callable):
        """`show(step, scalars)` is told of every step that is read."""
        self._record = record
        self._log_every = log_every
        self._show = show
        self._pending = []

    def add(self, step: int, scalars: dict[str, jax.Array]) -> None:
        """Notes a dispatched step; reads those before it if the last is recorded."""
        if self._pending and self._is_recorded(self._pending[-1][0]):
            self.flush()
        self._pending.append((step, scalars))

    def flush(self) -> None:
        """Reads all steps; raises FloatingPointError if one is not finite."""
        pending, self._pending = jax.device_get(self._pending), []
        for step, scalars in pending:
            values = {name: float(value) for name, value in scalars.items()}
            check_finite(step, values)
            self._show(step, values)
            if self._is_recorded(step):
                self._record.write(step, values)

    def _is_recorded(self, step):
        return self._log_every > 0 and step % self._log_every == 0


def check_finite(step: int, scalars: dict[str, float]) -> None:
    """Raises FloatingPointError that names the first scalar that is not finite."""
    for name, value in scalars.items():
        if not math.isfinite(value):
            raise FloatingPointError(
                f"{name} became {value} at step {step}. Lower the learning rate "
                "(optimizer.learning_rate) or clip gradients (optimizer.clip_norm)."
            )


def _drop_after(path, step):
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n")]
    kept = [line for line in kept if json.loads(line)["step"] <= step]
    partial = path.with_suffix(".partial")
    partial.write_text("".join(kept), encoding="utf-8")
    os.replace(partial, path)
