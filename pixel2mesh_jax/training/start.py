"""What a run starts from: its last checkpoint, published weights, or random numbers."""

import functools
import os
import pathlib
from typing import Any

import jax
import ml_collections
import optax
from orbax.checkpoint import v1 as ocp

from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.methods.method import Method
from pixel2mesh_jax.training import checkpoints as ckpt
from pixel2mesh_jax.training import run_folder
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer
from pixel2mesh_jax.training.state import TrainState
from pixel2mesh_jax.weights import importing


def start_state(
    config: ml_collections.ConfigDict,
    method: Method,
    tx: optax.GradientTransformation,
    constants: Any,
    sharding: jax.sharding.Sharding,
    saved: ocp.training.Checkpointer,
) -> TrainState:
    """The last checkpoint of the run if there is one, else a fresh state.

    `config.init_from` counts for a fresh state only.

    Raises:
      InputError: the checkpoint, or the published weights, are of another model.
    """
    init = functools.partial(states.init_state, method, tx, seed=config.seed)
    if saved.latest is not None:
        like = states.abstract(init, constants, sharding=sharding)
        return ckpt.restore(saved, saved.latest.step, like)
    state = jax.jit(init, out_shardings=sharding)(constants)
    return with_weights(state, config, sharding) if config.init_from else state


def with_weights(
    state: TrainState,
    config: ml_collections.ConfigDict,
    sharding: jax.sharding.Sharding,
) -> TrainState:
    """A fresh state with the published weights of `config.init_from`."""
    importing.check_settings(config.init_from, dict(run_folder.flattened(config)))
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    filled = importing.import_weights(config.init_from, variables, config.inputs)
    return state._replace(**jax.device_put(filled, sharding))


def import_run(config: ml_collections.ConfigDict, workdir: str | os.PathLike) -> int:
    """Makes a run of published weights, to evaluate or reconstruct with.

    Args:
      config: names the weights in `init_from`.
      workdir: receives config.json and a checkpoint of step 0.

    Returns:
      The number of parameters.

    Raises:
      InputError: no weights are named, they are of another model or of an encoder
        alone, they need other settings, or the folder holds a run already.
    """
    if not config.init_from:
        raise InputError(
            "Nothing to import; for example --config.init_from=pytorch:resnet.pth.tar"
        )
    importing.check_is_model(config.init_from)
    workdir = pathlib.Path(workdir)
    method, tx = methods.make(config), make_optimizer(config)
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with ckpt.open_checkpoints(workdir) as saved:
        if saved.latest is not None:
            raise InputError(
                f"{workdir} holds a run at step {saved.latest.step} already; give "
                "another --workdir."
            )
        state = start_state(config, method, tx, method.constants, device, saved)
        run_folder.save_config(workdir, config)
        saved.save(0, state)
    return sum(leaf.size for leaf in jax.tree.leaves(state.params))
