"""What a run starts from: its last checkpoint, published weights, or random numbers."""

import functools
import os
import pathlib

import jax
import ml_collections
import optax
from orbax.checkpoint import v1 as ocp

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.models.build import make_model, make_template
from pixel2mesh_jax.structures import Template
from pixel2mesh_jax.training import checkpoints as ckpt
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer
from pixel2mesh_jax.training.state import TrainState
from pixel2mesh_jax.weights.importing import import_weights


def start_state(
    config: ml_collections.ConfigDict,
    model,
    tx: optax.GradientTransformation,
    template: Template,
    sharding: jax.sharding.Sharding,
    saved: ocp.training.Checkpointer,
) -> TrainState:
    """The last checkpoint of the run if there is one, else a fresh state.

    `config.init_from` counts for a fresh state only.

    Raises:
      InputError: the checkpoint, or the published weights, are of another model.
    """
    batch = ckpt.example_batch(config.image_size, config.batch_size, num_points=1)
    init = functools.partial(states.init_state, model, tx, seed=config.seed)
    if saved.latest is not None:
        like = states.abstract_state(init, batch, template, sharding)
        return ckpt.restore(saved, saved.latest.step, like)
    state = jax.jit(init, out_shardings=sharding)(batch, template)
    return with_weights(state, config, sharding) if config.init_from else state


def with_weights(
    state: TrainState,
    config: ml_collections.ConfigDict,
    sharding: jax.sharding.Sharding,
) -> TrainState:
    """A fresh state with the published weights of `config.init_from`."""
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    filled = import_weights(config.init_from, variables, config.inputs)
    return state._replace(**jax.device_put(filled, sharding))


def import_run(config: ml_collections.ConfigDict, workdir: str | os.PathLike) -> int:
    """Makes a run of published weights, to evaluate or reconstruct with.

    Args:
      config: names the weights in `init_from`.
      workdir: receives config.json and a checkpoint of step 0.

    Returns:
      The number of parameters.

    Raises:
      InputError: no weights are named, they are of another model, or the folder holds a
        run already.
    """
    if not config.init_from:
        raise InputError(
            "Nothing to import; for example --config.init_from=pytorch:resnet.pth.tar"
        )
    workdir = pathlib.Path(workdir)
    model, tx = make_model(config), make_optimizer(config)
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with ckpt.open_checkpoints(workdir) as saved:
        if saved.latest is not None:
            raise InputError(
                f"{workdir} holds a run at step {saved.latest.step} already; give "
                "another --workdir."
            )
        template = make_template(config)
        state = start_state(config, model, tx, template, device, saved)
        ckpt.save_config(workdir, config)
        saved.save(0, state)
    return sum(leaf.size for leaf in jax.tree.leaves(state.params))
