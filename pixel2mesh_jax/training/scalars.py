"""Scalars of a run: JSON lines for programs, TensorBoard for people."""

import json
import math
import os
import pathlib
from collections.abc import Callable

import jax
import numpy as np
import tensorboardX

FILE_NAME = "metrics.jsonl"


class Scalars:
    """Writes named numbers by step; a context manager.

    A resumed run continues both records: lines of steps that are done again are
    dropped, so that every step is in the file once.
    """

    def __init__(self, workdir: str | os.PathLike, start_step: int):
        """Continues the record of `workdir` after `start_step`."""
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

    def write_picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Shows an (H, W, 3) uint8 picture in TensorBoard."""
        self._board.add_image(name, picture, step, dataformats="HWC")


class StepLog:
    """Checks and records the scalars of training steps, one step behind.

    The values of a step are read when the next one has been dispatched, so the device
    never waits for the host.
    """

    def __init__(self, record: Scalars, log_every: int, show: Callable):
        """`show(step, scalars)` is told of every step that is read."""
        self._record = record
        self._log_every = log_every
        self._show = show
        self._pending = None

    def add(self, step: int, scalars: dict[str, jax.Array]) -> None:
        """Notes a dispatched step and reads the one before it."""
        self.flush()
        self._pending = (step, scalars)

    def flush(self) -> None:
        """Reads the last step; raises FloatingPointError if it is not finite."""
        if self._pending is None:
            return
        step, scalars = self._pending
        self._pending = None
        values = {name: float(value) for name, value in scalars.items()}
        check_finite(step, values)
        self._show(step, values)
        if step % self._log_every == 0:
            self._record.write(step, values)


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
