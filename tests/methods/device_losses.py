"""Trains small methods for a few steps on all devices of this process.

    python -m tests.methods.device_losses NAME ... > losses.json

Prints per method the scalars of every step and the length of every parameter.
"""

import json
import sys

import jax
import numpy as np

from pixel2mesh_jax import methods
from pixel2mesh_jax.training import loop, sharding
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer
from tests.methods.houses import batch_of, config_of

BATCH = 8  # an example for each of eight devices
NUM_STEPS = 3


def trained(name):
    """The scalars of the steps, and the norms of the parameters after them."""
    config = config_of(name, batch_size=BATCH)
    method, tx = methods.make(config), make_optimizer(config)
    shardings = sharding.make_shardings(BATCH)
    decay = config.optimizer.average_decay
    fresh = states.init_state(method, tx, method.constants, 0, decay)
    place = (fresh, method.constants)
    state, constants = jax.device_put(place, shardings.replicated)
    step, rows = loop.compile_steps(config, method, tx, shardings)(1), []
    for seed in range(NUM_STEPS):
        batch = sharding.put_batch(batch_of(method, seed, BATCH), shardings)
        state, scalars = step(state, batch, constants)
        rows.append({key: float(value) for key, value in scalars.items()})
    params = jax.tree_util.tree_leaves_with_path(jax.device_get(state.params))
    norms = {jax.tree_util.keystr(k): float(np.linalg.norm(x)) for k, x in params}
    return {"steps": rows, "parameters": norms}


if __name__ == "__main__":
    found = {"devices": jax.device_count()}
    found |= {name: trained(name) for name in sys.argv[1:]}
    print(json.dumps(found))  # noqa: T201
