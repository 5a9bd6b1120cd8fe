"""Every member of the family trains on procedural shapes, and all of it trains."""

import functools
import importlib
import itertools
import json

import jax
import numpy as np
import optax
import pytest
from rich.console import Console

from pixel2mesh_jax.geometry import templates
from pixel2mesh_jax.methods import cascade
from pixel2mesh_jax.training import loop, scalars
from tests.procedural_views import make_batches

pytestmark = pytest.mark.usefixtures("quick_compilation")

# One of each kind: operator, encoder, losses, decoder, batch normalisation, depth.
QUICK = (
    "rgb:paper,tiny",
    "rgb_resnet18:tiny",
    "rgbd_autoencoder:tiny",
    "rgbd_pixel2mesh_r50:tiny",
)
# What these have in another combination.
SLOW = (
    "rgb:tiny",
    "rgb_resnet50:tiny",
    "rgb_autoencoder:tiny",
    "rgbd:tiny",
    "rgbd_two_stream:tiny",
)
CONFIGS = (*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW))
NUM_STEPS = 35
IMAGE_STEPS = 25  # of the autoencoders
# Of 12, 42 and 162 vertices.
TEMPLATES = {
    "ellipsoid": functools.partial(templates.ellipsoid, 12),
    "icosphere": functools.partial(templates.icosphere, 0),
    "flattened_icosphere": functools.partial(
        templates.icosphere, 0, proportions=templates.FLATTENED
    ),
}


@pytest.fixture(autouse=True)
def small_templates(monkeypatch):
    monkeypatch.setattr(cascade, "TEMPLATES", TEMPLATES)


def make_config(name):
    """The variant, narrower still, so that compiling takes most of the time."""
    module, _, variant = name.partition(":")
    config = importlib.import_module(f"configs.{module}").get_config(variant)
    config.image_size = 64
    config.num_points = 400
    config.model.encoder_width = 1 / 8
    config.model.hidden_features = 16
    config.model.num_blocks = 1
    if name in QUICK and config.model.encoder == "resnet50":
        config.model.encoder = "resnet18"
    config.num_steps = NUM_STEPS
    config.optimizer.learning_rate = 3e-3
    config.optimizer.warmup_steps = 5
    config.log_every = 1
    config.checkpoint_every = NUM_STEPS
    config.eval_every = 0
    if "last_features" in config.model:
        config.model.last_features = min(16, config.model.last_features)
    if "projected_features" in config.model:
        config.model.projected_features = (16, 16, 16)
    if "num_samples" in config.loss:
        config.loss.num_samples = 200
    if "image_steps" in config.loss:
        config.loss.image_steps = min(IMAGE_STEPS, config.loss.image_steps)
    return config


def train(config, workdir):
    """The final state, and the scalars of every step."""
    batches = make_batches(config.image_size, config.batch_size)
    stream = lambda start: itertools.cycle(batches)  # noqa: E731
    data = loop.Data(("thing",), stream, lambda: iter(()), num_validate=0)
    state = loop.train(config, workdir, data, console=Console(quiet=True))
    lines = (workdir / scalars.FILE_NAME).read_text().splitlines()
    return state, [json.loads(line) for line in lines]


def falls(values):
    return np.mean(values[-5:]) < 0.95 * np.mean(values[:5])


@pytest.mark.parametrize("name", CONFIGS)
def test_trains_and_every_parameter_takes_part(name, tmp_path):
    config = make_config(name)
    state, rows = train(config, tmp_path)
    assert falls([row["loss"] for row in rows])
    assert falls([row["loss/chamfer"] for row in rows])
    # Adam's second moment is zero where no gradient ever came.
    moments = optax.tree.get(state.opt_state, "nu")
    for path, moment in jax.tree_util.tree_leaves_with_path(moments):
        assert np.any(moment > 0), jax.tree_util.keystr(path)
    if config.loss.family == "pixel2mesh":
        drawn = [name for name in ("image", "depth") if config.loss[name]]
        for name in drawn:
            values = [row[f"loss/{name}"] for row in rows[:IMAGE_STEPS]]
            assert falls(values)
        assert not any(f"loss/{name}" in rows[IMAGE_STEPS] for name in drawn)
