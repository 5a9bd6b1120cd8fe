"""The whole training step and inference, 192 channels, 18 convolutions or a ResNet-50.

The alternative is the same network in PyTorch with our weights; that of our network in
bfloat16 is our network in float32.
"""

import functools
import operator
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import operations
from benchmarks.timing import Case
from configs import rgb
from pixel2mesh_jax import methods
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.structures import Batch
from pixel2mesh_jax.training import loop, sharding, state
from pixel2mesh_jax.training.optimizer import make_optimizer

HIDDEN = 192
NUM_POINTS = 3000
LEARNING_RATE = 1e-4
# Encoder -> batch sizes, by device; a CPU has ten minutes for all benchmarks.
BATCH_SIZES = {
    "cpu": {"conv18": (1, 4), "resnet50": (4,)},
    "gpu": {"conv18": (1, 4, 16, 64), "resnet50": (1, 4, 16, 64)},
}
# Else all; CPUs compute bfloat16 in float32.
BFLOAT16_BATCH_SIZES = {"cpu": {"conv18": (), "resnet50": ()}}
GOALS = {"training step": 2, "inference": 1.8}  # of conv18 at batch 4 on a CPU
GOAL_BATCH = 4
# Of the largest value; untrained networks predict metres (18 convolutions) or hundreds
# of them (ResNet-50, whose running statistics do not normalise yet). A GPU multiplies
# float32 matrices in TF32, which rounds 2^13 times as coarsely.
TOLERANCES = {"cpu": (1e-4, 1e-3), "gpu": (1e-2, 1e-2)}  # of vertices and loss
# A rounding is 2^-8, and those of 61 layers one after the other, 18 + 43, add up to
# sqrt(61) of them: 3 %.
BFLOAT16_TOLERANCE = 0.05


def cases() -> Iterator[Case]:
    """For every encoder and batch size of the device."""
    device = _device()
    in_bfloat16 = BFLOAT16_BATCH_SIZES.get(device, BATCH_SIZES[device])
    for encoder, batch_sizes in BATCH_SIZES[device].items():
        for batch_size in batch_sizes:
            ours = OurProgram(make_config(batch_size, encoder))
            yield from pytorch_cases(ours)
            if batch_size in in_bfloat16[encoder]:
                yield from bfloat16_cases(ours)


def pytorch_cases(ours: "OurProgram") -> Iterator[Case]:
    """Against PyTorch, both in float32."""
    theirs = _torch_program(ours)
    check = functools.partial(_check_pytorch, ours, theirs)
    batch_size, encoder = ours.config.batch_size, ours.config.model.encoder
    for name, goal in GOALS.items():
        wanted = encoder == "conv18" and batch_size == GOAL_BATCH
        yield _case(
            name,
            ours,
            theirs,
            f"PyTorch, {theirs.device}",
            check,
            goal=goal if wanted else None,
            operations=ours.operations[name],
        )


def bfloat16_cases(full: "OurProgram") -> Iterator[Case]:
    """Our network in bfloat16 against the same one in float32."""
    config = full.config.copy_and_resolve_references()
    config.model.dtype = "bfloat16"
    half = OurProgram(config)
    check = functools.partial(_check_bfloat16, half, full)
    for name in GOALS:
        yield _case(f"{name} bfloat16", half, full, "float32", check)


def _case(name, ours, other, other_name, check, **settings):
    """A training step or an inference of two programs."""
    config = ours.config
    network = f"{config.model.encoder}/{config.model.hidden_features}"
    work = operator.attrgetter("train" if name.startswith("training") else "predict")
    return Case(
        f"{name}, {network}, batch {config.batch_size}",
        work(ours),
        work(other),
        other_name,
        check,
        amount=config.batch_size,
        unit="image",
        **settings,
    )


def make_config(batch_size: int, encoder: str = "conv18"):
    """The released network with 192 channels, without weight decay."""
    config = rgb.get_config()
    config.batch_size = batch_size
    config.model.encoder = encoder
    config.model.hidden_features = config.model.last_features = HIDDEN
    config.loss.graph_decay = config.loss.encoder_decay = 0.0
    config.optimizer.schedule = "constant"
    config.optimizer.warmup_steps = 0
    config.optimizer.learning_rate = LEARNING_RATE
    return config


def random_batch(batch_size: int, image_size: int) -> Batch:
    """Noise in place of images, points in place of a surface."""
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
    """The jitted step and prediction; keeps the state, which the step consumes.

    Attributes:
      config: of the network.
      start: the first state, a function of the config alone.
      operations: floating-point operations of both.
    """

    def __init__(self, config, batch: Batch | None = None):
        """Takes random images, or a batch of the size that the config asks for."""
        method, tx = methods.make(config), make_optimizer(config)
        shardings = sharding.make_shardings(config.batch_size)
        if batch is None:
            batch = random_batch(config.batch_size, config.image_size)
        init = functools.partial(state.init_state, method, tx, seed=0)
        self.config = config
        self.batch = sharding.put_batch(batch, shardings)
        self.template = jax.device_put(method.constants, shardings.replicated)
        start = jax.jit(init)(self.template)
        self.start = jax.device_put(start, shardings.replicated)
        self.reset()
        self.step = loop.compile_steps(config, method, tx, shardings)(1)
        self.predictor = jax.jit(state.make_predict(method))
        rest = (self.batch, self.template)
        self.operations = {
            "training step": operations.count(self.step, self.state, *rest),
            "inference": operations.count(self.predictor, self._first_weights(), *rest),
        }

    def reset(self) -> None:
        """Back to the first weights."""
        self.state = jax.tree.map(jnp.copy, self.start)

    def train(self) -> jax.Array:
        """One step; returns the loss before it."""
        self.state, scalars = self.step(self.state, self.batch, self.template)
        return jax.block_until_ready(scalars["loss"])

    def predict(self) -> jax.Array:
        """The finest meshes, from the first weights."""
        outputs = self.predictor(self._first_weights(), self.batch, self.template)
        return jax.block_until_ready(outputs.meshes[-1].vertices)

    def _first_weights(self):
        return state.Variables(self.start.params, self.start.batch_stats)


def _check_pytorch(ours, theirs):
    ours.reset()
    theirs.reset()
    vertices, loss = theirs.predict().cpu().numpy(), theirs.train().cpu().numpy()
    of_vertices, of_loss = TOLERANCES[_device()]
    _check_close(ours.predict(), vertices, of_vertices)
    _check_close(ours.train(), loss, of_loss)


def _check_bfloat16(half, full):
    half.reset()
    full.reset()
    _check_close(half.predict(), full.predict(), BFLOAT16_TOLERANCE)
    _check_close(half.train(), full.train(), BFLOAT16_TOLERANCE)


def _check_close(a, b, tolerance):
    """Up to `tolerance` of the largest value."""
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


def _device():
    return "cpu" if jax.default_backend() == "cpu" else "gpu"


def _torch_program(ours):
    from benchmarks import torch_program  # an extra, slow to import

    return torch_program.TorchProgram(
        ours.config.model.encoder,
        ours.config.model.hidden_features,
        (ours.start.params, ours.start.batch_stats),
        ours.batch,
        ours.config.optimizer.learning_rate,
    )
