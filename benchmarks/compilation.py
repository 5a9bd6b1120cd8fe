"""Seconds to compile the training step and the prediction of `rgbd.py`.

A program that was compiled before comes from the persistent cache: that is ours, and
compiling it anew is the alternative.
"""

import functools
import tempfile
from collections.abc import Iterator

import jax

from benchmarks.step import random_batch
from benchmarks.timing import Case
from configs import rgbd
from pixel2mesh_jax.models.build import make_model, make_template
from pixel2mesh_jax.training import devices, loop, state
from pixel2mesh_jax.training.optimizer import make_optimizer

BATCH_SIZE = 4


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
                rounds=1,
            )


def _compile(lower, cache):
    """Compiles from nothing, or from what `cache` holds."""
    jax.clear_caches()
    jax.config.update("jax_compilation_cache_dir", cache)
    try:
        return lower().compile()
    finally:
        jax.config.update("jax_compilation_cache_dir", None)


def _programs(config):
    """Name -> function that traces the program anew."""
    batch = random_batch(BATCH_SIZE, config.image_size)
    model, tx = make_model(config), make_optimizer(config)
    shardings = devices.make_shardings(BATCH_SIZE)
    template = make_template(config)
    init = functools.partial(state.init_state, model, tx, seed=0)
    abstract = jax.eval_shape(init, batch, template)

    def training():
        step = loop.compile_steps(config, model, tx, shardings)(1)
        return step.lower(abstract, batch, template)

    def prediction():
        predict = jax.jit(state.make_predict(model))
        return predict.lower(abstract.params, abstract.batch_stats, batch, template)

    return {"training step": training, "prediction": prediction}
