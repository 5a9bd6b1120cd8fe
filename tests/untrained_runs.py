"""Folders of runs that ended before their first step."""

import pathlib

import jax
import ml_collections

from pixel2mesh_jax import methods
from pixel2mesh_jax.training import checkpoints, run_folder, start
from pixel2mesh_jax.training.optimizer import make_optimizer


def save(workdir: pathlib.Path, config: ml_collections.ConfigDict) -> None:
    """Writes a run with the first parameters of its network."""
    method, tx = methods.make(config), make_optimizer(config)
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with checkpoints.open_checkpoints(workdir) as saved:
        state = start.start_state(config, method, tx, method.constants, device, saved)
        saved.save(0, state)
    run_folder.save_config(workdir, config)
