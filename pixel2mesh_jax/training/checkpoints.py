"""Checkpoints of a run through Orbax: atomic, the best and the last are kept.

workdir/config.json           what the run was started with
workdir/checkpoints/<step>/   one TrainState each
"""

import functools
import json
import os
import pathlib
from collections.abc import Callable, Mapping

import jax
import ml_collections
import numpy as np
from orbax.checkpoint import v1 as ocp

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.models.build import make_model, make_template
from pixel2mesh_jax.structures import Batch, Outputs
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer
from pixel2mesh_jax.training.state import TrainState

METRIC = "chamfer"  # of the validation split; lower is better
MAX_LISTED = 12  # differences named in an error message


def open_checkpoints(workdir: str | os.PathLike) -> ocp.training.Checkpointer:
    """The checkpoints of a run, as a context manager."""
    policies = ocp.training.preservation_policies
    best = policies.BestN(
        get_metric_fn=lambda metrics: metrics[METRIC],
        reverse=True,
        n=1,
        keep_checkpoints_without_metrics=False,
    )
    return ocp.training.Checkpointer(
        checkpoint_folder(workdir),
        save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(1),
        preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(1), best]),
        cleanup_tmp_directories=True,
    )


def checkpoint_folder(workdir: str | os.PathLike) -> pathlib.Path:
    """Where the checkpoints of a run are."""
    return pathlib.Path(workdir).absolute() / "checkpoints"


def best_step(checkpoints: ocp.training.Checkpointer) -> int | None:
    """Step of the lowest validation chamfer; the last step if none was validated."""
    saved = checkpoints.checkpoints
    scored = [checkpoint for checkpoint in saved if checkpoint.metrics]
    if scored:
        return min(scored, key=lambda checkpoint: checkpoint.metrics[METRIC]).step
    return saved[-1].step if saved else None


def restore(
    checkpoints: ocp.training.Checkpointer, step: int, like: TrainState
) -> TrainState:
    """Loads the state of `step` into the shapes and shardings of `like`.

    Raises:
      InputError: the checkpoint belongs to another model; lists what differs.
    """
    saved = checkpoints.metadata(step).metadata
    differences = compare_parameters(saved["params"], like.params)
    if differences:
        listed = "\n  ".join(differences[:MAX_LISTED])
        more = len(differences) - MAX_LISTED
        tail = f"\n  and {more} more" if more > 0 else ""
        raise InputError(
            f"Checkpoint {checkpoints.directory}/{step} does not fit the configured "
            f"model, {len(differences)} differences:\n  {listed}{tail}"
        )
    return checkpoints.load(step, like)


def compare_parameters(saved: Mapping, expected: Mapping) -> list[str]:
    """One line per parameter that is missing, unknown or of another shape."""
    saved, expected = _shapes(saved), _shapes(expected)
    lines = []
    for name in sorted(saved.keys() | expected.keys()):
        if name not in saved:
            lines.append(f"{name}: the model has {expected[name]}, not in checkpoint")
        elif name not in expected:
            lines.append(f"{name}: the checkpoint has {saved[name]}, not in model")
        elif saved[name] != expected[name]:
            lines.append(
                f"{name}: the model has {expected[name]}, the checkpoint {saved[name]}"
            )
    return lines


def save_config(workdir: str | os.PathLike, config: ml_collections.ConfigDict) -> None:
    """Writes config.json."""
    path = pathlib.Path(workdir) / "config.json"
    path.write_text(json.dumps(config.to_dict(), indent=2) + "\n", encoding="utf-8")


def load_config(workdir: str | os.PathLike) -> ml_collections.ConfigDict:
    """Reads what a run was started with; raises InputError if there is no run."""
    path = pathlib.Path(workdir) / "config.json"
    if not path.is_file():
        raise InputError(f"No run in {workdir}: {path} does not exist. Train first.")
    return ml_collections.ConfigDict(json.loads(path.read_text(encoding="utf-8")))


def load_predictor(
    workdir: str | os.PathLike, config: ml_collections.ConfigDict | None = None
) -> tuple[Callable[[Batch], Outputs], ml_collections.ConfigDict]:
    """The best model of a run, ready to use.

    Args:
      workdir: folder of the run.
      config: which model to build; that of the run if not given.

    Returns:
      `predict(batch) -> Outputs`, compiled at its first call, and the config.

    Raises:
      InputError: no run, no checkpoint, or one of another model.
    """
    config = config or load_config(workdir)
    if not checkpoint_folder(workdir).is_dir():
        raise InputError(
            f"No checkpoint in {workdir}. Train first, or check --workdir."
        )
    model, template = make_model(config), make_template(config)
    like = _abstract_state(config, model, template)
    with open_checkpoints(workdir) as checkpoints:
        step = best_step(checkpoints)
        if step is None:
            raise InputError(f"No finished checkpoint in {workdir}. Train first.")
        state = restore(checkpoints, step, like)
    predict = jax.jit(states.make_predict(model))
    return (
        lambda batch: predict(state.params, state.batch_stats, batch, template),
        config,
    )


def _abstract_state(config, model, template):
    batch = example_batch(config.image_size, batch_size=1, num_points=1)
    tx = make_optimizer(config)
    init = functools.partial(states.init_state, model, tx, seed=config.seed)
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return states.abstract_state(init, batch, template, device)


def example_batch(image_size: int, batch_size: int, num_points: int) -> Batch:
    """A batch of zeros of the given sizes, for shapes."""
    image = (batch_size, image_size, image_size)
    points = np.zeros((batch_size, num_points, 3), np.float32)
    return Batch(
        rgb=np.zeros((*image, 3), np.float32),
        depth=np.zeros(image, np.float32),
        mask=np.zeros(image, np.float32),
        intrinsics=np.zeros((batch_size, 3, 3), np.float32),
        points=points,
        normals=points,
        colors=points,
        category=np.zeros(batch_size, np.int32),
        weight=np.ones(batch_size, np.float32),
    )


def _shapes(tree):
    leaves = jax.tree_util.tree_leaves_with_path(
        tree, is_leaf=lambda node: hasattr(node, "shape")
    )
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
        for path, leaf in leaves
    }
