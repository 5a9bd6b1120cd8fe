"""The training loop: resumable to the bit, stops on the first non-finite scalar.

On a GPU to the bit with `config.deterministic` only, see `numerics.py`.
"""

import contextlib
import functools
import math
import pathlib
from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

import jax
import ml_collections
import numpy as np
import optax
import rich.progress
from rich.console import Console

from pixel2mesh_jax import file_locks, methods, processes
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import evaluate
from pixel2mesh_jax.methods.method import Method
from pixel2mesh_jax.structures import Batch, Reconstruction
from pixel2mesh_jax.training import checkpoints as ckpt
from pixel2mesh_jax.training import numerics, run_folder, scalars, sharding
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer
from pixel2mesh_jax.training.start import start_state

# The protocol that chooses the best checkpoint: vertices would reward tessellation.
VALIDATION_PROTOCOL = "surface"
# In the folder of a run while a training writes there.
LOCK_NAME = ".training.lock"


class Data(NamedTuple):
    """What the loop needs of a dataset; any iterator of numpy batches will do.

    Attributes:
      categories: names that `Batch.category` indexes.
      train: full batches from a given step on, a function of (seed, step); of each,
        the part of this process.
      validate: one pass over the validation examples, the same in every process.
      num_validate: how many those are; 0 leaves validation out.
    """

    categories: tuple[str, ...]
    train: Callable[[int], Iterator[Batch]]
    validate: Callable[[], Iterator[Batch]]
    num_validate: int


# Makes an image (H, W, 3) uint8 of the first example of a batch.
Draw = Callable[[Batch, Reconstruction], np.ndarray]
Extract = Callable[[Batch], list[Reconstruction]]


def train(
    config: ml_collections.ConfigDict,
    workdir: str | pathlib.Path,
    data: Data,
    *,
    draw: Draw | None = None,
    console: Console | None = None,
) -> states.TrainState:
    """Trains `config.num_steps` steps, from the last checkpoint of `workdir` if any.

    Args:
      config: see `configs/common.py`.
      workdir: receives config.json, checkpoints, metrics.jsonl and TensorBoard files.
      data: the examples.
      draw: makes an image of the first validation example.
      console: where the progress bar goes.

    Raises:
      InputError: a config that cannot be trained or is not that of the run, a
        checkpoint of another model, another training in this folder, or a batch that
        is not full.
      FloatingPointError: a scalar is not finite; named in the message.
    """
    console = console or Console(quiet=not processes.is_first_process())
    workdir = pathlib.Path(workdir)
    with _alone(workdir):
        return _train(config, workdir, data, draw, console)


def _train(config, workdir, data, draw, console):
    run_folder.check_resumable(workdir, config)
    shardings = sharding.make_shardings(config.batch_size)
    method, tx = methods.make(config), make_optimizer(config)
    constants = jax.device_put(method.constants, shardings.replicated)
    step_fn = compile_steps(config, method, tx, shardings)
    programs = states.Programs(method, functools.partial(numerics.jit, config=config))
    with ckpt.open_checkpoints(workdir) as saved:
        state = start_state(config, method, tx, constants, shardings.replicated, saved)
        start = int(state.step)
        _announce(console, workdir, config, start, state)
        if processes.is_first_process():
            run_folder.save_config(workdir, config)
        with (
            scalars.open_record(workdir, start) as record,
            _progress(console) as progress,
        ):
            show = _shower(progress, start, config.num_steps)
            log = scalars.StepLog(record, config.log_every, show)
            batches = data.train(start)
            for step in range(start + 1, config.num_steps + 1):
                batch = sharding.put_batch(_full(next(batches)), shardings)
                state, values = step_fn(step)(state, batch, constants)
                log.add(step, values)
                validates = is_due(step, config.eval_every, config.num_steps)
                if validates or is_due(step, config.checkpoint_every, config.num_steps):
                    log.flush()
                    metrics = None
                    if validates:
                        extract = _local_extract(method, programs, state)
                        metrics = validate(extract, data, record, step, draw)
                    saved.save(step, state, metrics=metrics)
    return state


@contextlib.contextmanager
def _alone(workdir):
    """Keeps other trainings off the folder; the first process answers for all."""
    with contextlib.ExitStack() as held:

        def lock():
            if processes.is_first_process():
                what = f"{workdir} is being written by another training"
                path = workdir / LOCK_NAME
                remedy = "give another --workdir"
                held.enter_context(file_locks.hold(path, what, remedy))
            return []

        processes.gather_rows(lock)
        yield


def compile_steps(
    config: ml_collections.ConfigDict,
    method: Method,
    tx: optax.GradientTransformation,
    shardings: sharding.Shardings,
) -> Callable[[int], Callable]:
    """Returns `step_fn(step)`: the jitted training step of that step of the run.

    State donated, batch split. There is one program per phase of the method, with the
    arithmetic of the config.
    """
    by_device = functools.partial(sharding.by_device, shardings=shardings)
    replicated = shardings.replicated

    @functools.cache
    def of_phase(phase: Hashable):
        decay = config.optimizer.average_decay
        step_fn = states.make_train_step(
            method, tx, config.seed, phase, by_device, decay
        )
        return numerics.jit(
            step_fn,
            config,
            donate_argnums=0,
            out_shardings=(replicated, replicated),
        )

    return lambda step: of_phase(method.phase(step))


def validate(
    extract: Extract,
    data: Data,
    record: scalars.Scalars,
    step: int,
    draw: Draw | None,
) -> dict[str, float] | None:
    """Scores the validation split, records the means, draws the first example.

    Every process scores its share; all return the same.
    """
    if data.num_validate == 0:
        return None

    def watch(batch: Batch, found: list[Reconstruction]) -> None:
        if draw is not None:
            record.write_image(step, "prediction", draw(batch, found[0]))

    metrics = evaluate.evaluate(
        extract,
        data.validate(),
        categories=data.categories,
        num_examples=data.num_validate,
        baselines={},
        protocols=(VALIDATION_PROTOCOL,),
        console=Console(quiet=True),
        watch=watch,
    )
    scores = metrics["protocols"][VALIDATION_PROTOCOL]["mean_over_samples"]
    record.write(step, {f"val/{name}": value for name, value in scores.items()})
    return {ckpt.METRIC: float(scores.get("chamfer", math.nan))}


def is_due(step: int, every: int, last: int) -> bool:
    """Whether something that happens every so many steps, and at the end, is due."""
    return step == last or (every > 0 and step % every == 0)


def _full(batch: Batch) -> Batch:
    """The same batch; the training step cannot leave examples out."""
    if not np.all(batch.weight == 1):
        raise InputError(
            f"A training batch has weights {np.unique(batch.weight)}; expected 1, for "
            "every example is trained on."
        )
    return batch


def _local_extract(method, programs, state) -> Extract:
    """Predictions of this process alone, on its first device."""
    local = jax.tree.map(lambda x: x.addressable_data(0), state.variables)
    return functools.partial(method.extract, programs.bind(local, method.constants))


def _announce(console, workdir, config, start, state):
    count = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    inputs = "+".join(config.inputs)
    console.print(
        f"Training {config.method} on {inputs}: {count:,} parameters, "
        f"{jax.device_count()} x {jax.devices()[0].device_kind}, "
        f"batch {config.batch_size}, into {workdir}",
        soft_wrap=True,
        highlight=False,
    )
    if start >= config.num_steps:
        console.print(f"Already trained: step {start} of {config.num_steps}.")
    elif start:
        console.print(f"Resuming after step {start} of {config.num_steps}.")
    elif config.init_from:
        console.print(f"Starting from the weights of {config.init_from}.")


def _progress(console):
    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TimeRemainingColumn(),
        console=console,
    )


def _shower(progress, start, num_steps):
    """Updates the bar; without a terminal, prints a line every tenth of the run."""
    task = progress.add_task("training", total=num_steps, completed=start)
    every = max(1, num_steps // 10)

    def show(step, values):
        text = f"loss {values['loss']:9.4g}"
        progress.update(task, completed=step, description=text)
        if not progress.console.is_terminal and is_due(step, every, num_steps):
            progress.console.print(f"step {step:6d}  {text}")

    return show
