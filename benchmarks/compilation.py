"""Seconds to compile the training step and the prediction of `rgbd.py`.

A program that was compiled before comes from the persistent cache: that is ours, and
compiling it anew is the alternative.
"""

import functools
import tempfile
from collections.abc import Iterator

import jax
from jax.experimental.compilation_cache import compilation_cache

from benchmarks.step import random_batch
from benchmarks.timing import Case
from configs import rgbd
from pixel2mesh_jax import methods
from pixel2mesh_jax.training import loop, sharding, state
from pixel2mesh_jax.training.optimizer import make_optimizer

BATCH_SIZE = 4
GOALS = {
    "training step": "goal: 3 s, 15 s without the cache",
    "prediction": "goal: 3 s, 4 s without the cache",
}


def cases() -> Iterator[Case]:
    """Training step and prediction at batch 4."""
    config = rgbd.get_config()
    config.batch_size = BATCH_SIZE
    for name, lower in _programs(config).items():
        with tempfile.TemporaryDirectory() as folder:
            yield Case(
                f"compile {name}, rgbd.py, batch {BATCH_SIZE}",
                functools.partial(_compile, lower, folder),
                functools.partial(_compile, lower, None),
                "compiling without the cache",
                functools.partial(_compile, lower, folder),
                unit="program",
                note=GOALS[name],
                rounds=1,
            )


def _compile(lower, cache):
    """Compiles from nothing, or from what `cache` holds."""
    _use_cache(cache)
    try:
        return lower().compile()
    finally:
        _use_cache(None)


def _use_cache(folder):
    """JAX keeps what it has compiled, and an open cache of the folder before."""
    jax.clear_caches()
    compilation_cache.reset_cache()
    jax.config.update("jax_compilation_cache_dir", folder)


def _programs(config):
    """Name -> function that traces the program anew."""
    batch = random_batch(BATCH_SIZE, config.image_size)
    method, tx = methods.make(config), make_optimizer(config)
    shardings = sharding.make_shardings(BATCH_SIZE)
    template = method.constants
    init = functools.partial(state.init_state, method, tx, seed=0)
    abstract = jax.eval_shape(init, template)

    def training():
        step = loop.compile_steps(config, method, tx, shardings)(1)
        return step.lower(abstract, batch, template)

    def prediction():
        predict = jax.jit(state.make_predict(method))
        variables = state.Variables(abstract.params, abstract.batch_stats)
        return predict.lower(variables, batch, template)

    return {"training step": training, "prediction": prediction}
