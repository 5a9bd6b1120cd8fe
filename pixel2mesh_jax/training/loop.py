"""The training loop: resumable to the bit, stops on the first non-finite scalar."""

import functools
import itertools
import math
import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import ml_collections
import numpy as np
import rich.progress
from rich.console import Console

from pixel2mesh_jax import objectives
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import templates
from pixel2mesh_jax.models.build import choose, make_model, make_template
from pixel2mesh_jax.structures import Batch, Outputs, Template
from pixel2mesh_jax.training import checkpoints as ckpt
from pixel2mesh_jax.training import devices, evaluate, scalars
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer
from pixel2mesh_jax.training.start import start_state

# The protocol that chooses the best checkpoint.
VALIDATION_PROTOCOL = "pixel2mesh"


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


Draw = Callable[[Batch, Outputs], np.ndarray]
Predict = Callable[[Batch], Outputs]


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
      draw: makes a picture (H, W, 3) uint8 of the first validation example.
      console: where the progress bar goes.

    Raises:
      InputError: a config that cannot be trained, a checkpoint of another model, or a
        batch that is not full.
      FloatingPointError: a scalar is not finite; named in the message.
    """
    console = console or Console(quiet=not devices.is_first_process())
    workdir = pathlib.Path(workdir)
    shardings = devices.make_shardings(config.batch_size)
    model, tx = make_model(config), make_optimizer(config)
    template = jax.device_put(make_template(config), shardings.replicated)
    step_fn = compile_steps(config, model, tx, shardings)
    predict = jax.jit(states.make_predict(model), out_shardings=shardings.replicated)
    workdir.mkdir(parents=True, exist_ok=True)
    with ckpt.open_checkpoints(workdir) as saved:
        state = start_state(config, model, tx, template, shardings.replicated, saved)
        start = int(state.step)
        _announce(console, workdir, config, start, state)
        if devices.is_first_process():
            ckpt.save_config(workdir, config)
        with (
            scalars.open_record(workdir, start) as record,
            _progress(console) as progress,
        ):
            show = _shower(progress, start, config.num_steps)
            log = scalars.StepLog(record, config.log_every, show)
            batches = data.train(start)
            for step in range(start + 1, config.num_steps + 1):
                batch = devices.put_batch(_full(next(batches)), shardings)
                state, values = step_fn(step)(state, batch, template)
                log.add(step, values)
                if is_due(step, config.checkpoint_every, config.num_steps):
                    log.flush()
                    metrics = None
                    if is_due(step, config.eval_every, config.num_steps):
                        bound = _bind(predict, state, template, shardings)
                        metrics = validate(bound, data, template, record, step, draw)
                    saved.save(step, state, metrics=metrics)
    return state


def compile_steps(
    config: ml_collections.ConfigDict,
    model,
    tx,
    shardings: devices.Shardings,
) -> Callable[[int], Callable]:
    """Returns `step_fn(step)`: the jitted training step of that step of the run.

    State donated, batch split. There is one program, or two where the picture is
    reconstructed in the first `loss.image_steps` steps only: the second one leaves the
    image decoder out.
    """
    weights = make_weights(config)
    family = objectives.FAMILIES[config.loss.family]
    objective = objectives.bind(family, weights)
    by_device = functools.partial(devices.by_device, shardings=shardings)
    replicated = shardings.replicated

    def compile_step(objective):
        step_fn = states.make_train_step(
            model,
            objective,
            functools.partial(objectives.weight_decay, weights=weights),
            tx,
            config.seed,
            # What is drawn for an example depends on its place in the whole batch.
            by_device=(lambda function: function) if family.draws else by_device,
        )
        return jax.jit(
            step_fn, donate_argnums=0, out_shardings=(replicated, replicated)
        )

    mesh_step = compile_step(objective)
    image_step = compile_step(objectives.with_reconstruction(objective, weights))
    image_steps = getattr(weights, "image_steps", 0)
    return lambda step: image_step if step <= image_steps else mesh_step


def make_weights(config: ml_collections.ConfigDict):
    """The loss weights of a config, of its family; every field must be there.

    Raises:
      InputError: an unknown family, or settings that it does not have.
    """
    settings = config.loss.to_dict()
    name = settings.pop("family")
    weights = choose("loss.family", name, objectives.FAMILIES).weights
    expected = set(weights._fields)
    if set(settings) != expected:
        wrong = ", ".join(sorted(set(settings) ^ expected))
        raise InputError(f"Missing or unknown settings of loss {name!r}: {wrong}.")
    return weights(
        **{
            key: tuple(value) if isinstance(value, list | tuple) else value
            for key, value in settings.items()
        }
    )


def validate(
    predict: Predict,
    data: Data,
    template: Template,
    record: scalars.Scalars,
    step: int,
    draw: Draw | None,
) -> dict[str, float] | None:
    """Scores the validation split, records the means, draws the first example.

    All processes predict, the first one scores; all return the same.
    """
    if data.num_validate == 0:
        return None
    batches = data.validate()
    first = next(batches)
    if draw is not None:
        record.write_picture(step, "prediction", draw(first, predict(first)))
    batches, chamfer = itertools.chain([first], batches), math.nan
    if devices.is_first_process():
        scores = _score(predict, batches, data, template)
        record.write(step, {f"val/{name}": value for name, value in scores.items()})
        chamfer = float(scores["chamfer"])
    else:
        for batch in batches:
            predict(batch)
    return {ckpt.METRIC: devices.of_first_process(chamfer)}


def _score(predict, batches, data, template):
    metrics = evaluate.evaluate(
        predict,
        batches,
        categories=data.categories,
        num_examples=data.num_validate,
        template_vertices=templates.finest_vertices(template),
        template_faces=np.asarray(template.levels[-1].faces),
        protocols=(VALIDATION_PROTOCOL,),
        console=Console(quiet=True),
    )
    return metrics["protocols"][VALIDATION_PROTOCOL]["mean_over_samples"]


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


def _bind(predict, state, template, shardings) -> Predict:
    def bound(batch: Batch) -> Outputs:
        batch = devices.put_shared_batch(batch, shardings)
        return predict(state.params, state.batch_stats, batch, template)

    return bound


def _announce(console, workdir, config, start, state):
    count = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    inputs = "+".join(config.inputs)
    console.print(
        f"Training {config.model.encoder} on {inputs}: {count:,} parameters, "
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
