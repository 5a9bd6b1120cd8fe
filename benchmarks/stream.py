"""Shards to batches: how much faster than the training step of `rgbd.py` eats them."""

import functools
import pathlib
import tempfile
from collections.abc import Iterator

import jax

from benchmarks.timing import Case
from configs import rgbd
from data_pipelines import build, input_pipeline
from pixel2mesh_jax import methods
from pixel2mesh_jax.training import loop, sharding, state
from pixel2mesh_jax.training.optimizer import make_optimizer

DATA_SET = "procedural_shapes"
GOAL = 5  # times the training step
BATCHES = 50  # drawn per round; many more than are waiting in the buffers


def cases() -> Iterator[Case]:
    """Batches of `rgbd.py` at full size from a small data set on disk."""
    config = rgbd.get_config()
    with tempfile.TemporaryDirectory() as folder:
        _build(pathlib.Path(folder))
        batches = input_pipeline.train_batches(
            DATA_SET,
            folder,
            batch_size=config.batch_size,
            image_size=config.image_size,
            num_points=config.num_points,
            seed=0,
            color_jitter=config.color_jitter,
            flip=config.flip,
        )
        first = next(batches)
        train = _training(config, first)
        yield Case(
            f"stream batches of {config.batch_size}",
            lambda: [next(batches) for _ in range(BATCHES)],
            train,
            "training step of rgbd.py",
            lambda: None,
            amount=BATCHES * config.batch_size,
            other_amount=config.batch_size,
            unit="example",
            goal=GOAL,
            rounds=1,
        )


def _build(folder):
    counts = ["--train", "4", "--val", "0", "--test", "0"]
    code = build.main([DATA_SET, *counts, "--data_dir", str(folder)])
    if code:
        raise RuntimeError(f"the data set was not built: exit code {code}")


def _training(config, batch):
    """A training step on the same batch again and again."""
    method, tx = methods.make(config), make_optimizer(config)
    shardings = sharding.make_shardings(config.batch_size)
    template = jax.device_put(method.constants, shardings.replicated)
    init = functools.partial(state.init_state, method, tx, seed=0)
    kept = [jax.jit(init, out_shardings=shardings.replicated)(template)]
    step = loop.compile_steps(config, method, tx, shardings)(1)
    placed = sharding.put_batch(batch, shardings)

    def train():
        kept[0], scalars = step(kept[0], placed, template)
        jax.block_until_ready(scalars)

    return train
