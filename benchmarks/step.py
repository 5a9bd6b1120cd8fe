"""The whole training step and inference, 18 convolutions and 192 channels.

The alternative is the same network in PyTorch, with our weights.
"""

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing import Case
from configs import rgb
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.models.build import make_model, make_template
from pixel2mesh_jax.structures import Batch
from pixel2mesh_jax.training import devices, loop, state
from pixel2mesh_jax.training.optimizer import make_optimizer

HIDDEN = 192
BATCH_SIZES = {"cpu": (1, 4), "gpu": (1, 4, 16, 64)}
NUM_POINTS = 3000
GOALS = {"training step": 3, "inference": 2}  # at batch 4 on a CPU
GOAL_BATCH = 4
LEARNING_RATE = 1e-4


def cases() -> Iterator[Case]:
    """Float32, for every batch size of the device."""
    for batch_size in BATCH_SIZES.get(jax.default_backend(), BATCH_SIZES["gpu"]):
        yield from _cases(batch_size)


def _cases(batch_size) -> Iterator[Case]:
    config = make_config(batch_size)
    batch = random_batch(batch_size, config.image_size)
    model, tx = make_model(config), make_optimizer(config)
    shardings = devices.make_shardings(batch_size)
    template = make_template(config)
    init = functools.partial(state.init_state, model, tx, seed=0)
    start = jax.jit(init)(batch, template)
    ours = OurProgram(config, model, tx, shardings, start, batch, template)
    theirs = _torch_program(start.params, batch)
    work = {
        "training step": (ours.train, theirs.train),
        "inference": (ours.predict, theirs.predict),
    }
    for name, (mine, other) in work.items():
        yield Case(
            f"{name}, conv18/{HIDDEN}, batch {batch_size}",
            mine,
            other,
            "PyTorch",
            functools.partial(_check, ours, theirs),
            amount=batch_size,
            unit="image",
            goal=GOALS[name] if batch_size == GOAL_BATCH else None,
        )


def make_config(batch_size: int):
    """The released network with 192 channels, without weight decay."""
    config = rgb.get_config()
    config.batch_size = batch_size
    config.model.hidden_features = config.model.last_features = HIDDEN
    config.loss.graph_decay = config.loss.encoder_decay = 0.0
    config.optimizer.schedule = "constant"
    config.optimizer.warmup_steps = 0
    config.optimizer.learning_rate = LEARNING_RATE
    return config


def random_batch(batch_size: int, image_size: int) -> Batch:
    """Noise in place of pictures, points in place of a surface."""
    rng = np.random.default_rng(0)
    uniform = lambda *shape: rng.random((batch_size, *shape), np.float32)  # noqa: E731
    normals = rng.normal(size=(batch_size, NUM_POINTS, 3)).astype(np.float32)
    side = (image_size, image_size)
    return Batch(
        rgb=uniform(*side, 3),
        depth=np.zeros((batch_size, *side), np.float32),
        mask=np.ones((batch_size, *side), np.float32),
        intrinsics=np.tile(camera.r2n2_intrinsics(image_size), (batch_size, 1, 1)),
        points=uniform(NUM_POINTS, 3) * 0.4 + np.float32([-0.2, -0.2, -1.0]),
        normals=normals / np.linalg.norm(normals, axis=-1, keepdims=True),
        colors=uniform(NUM_POINTS, 3),
        category=np.zeros(batch_size, np.int32),
        weight=np.ones(batch_size, np.float32),
    )


class OurProgram:
    """The jitted step and prediction; keeps the state, which the step consumes."""

    def __init__(self, config, model, tx, shardings, start, batch, template):
        self.batch = devices.put_batch(batch, shardings)
        self.template = jax.device_put(template, shardings.replicated)
        self.start = jax.device_put(start, shardings.replicated)
        self.reset()
        self.step = loop.compile_steps(config, model, tx, shardings)(1)
        self.predictor = jax.jit(state.make_predict(model))

    def reset(self) -> None:
        """Back to the first weights."""
        self.state = jax.tree.map(jnp.copy, self.start)

    def train(self) -> jax.Array:
        """One step; returns the loss before it."""
        self.state, scalars = self.step(self.state, self.batch, self.template)
        return jax.block_until_ready(scalars["loss"])

    def predict(self) -> jax.Array:
        """The finest meshes, from the first weights."""
        params, stats = self.start.params, self.start.batch_stats
        outputs = self.predictor(params, stats, self.batch, self.template)
        return jax.block_until_ready(outputs.meshes[-1].vertices)


def _check(ours, theirs):
    ours.reset()
    theirs.reset()
    np.testing.assert_allclose(ours.predict(), theirs.predict(), atol=1e-4)
    np.testing.assert_allclose(ours.train(), theirs.train(), rtol=1e-3)


def _torch_program(params, batch):
    from benchmarks import torch_program  # an extra, slow to import

    return torch_program.TorchProgram(params, batch, HIDDEN, LEARNING_RATE)
