"""A toy method: the box of the visible points, moved and scaled by six numbers."""

import flax.linen as nn
import jax.numpy as jnp
import ml_collections
import numpy as np

from pixel2mesh_jax.methods.method import Losses, Method, check_settings, image_fields
from pixel2mesh_jax.structures import HostMesh, Reconstruction

CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
FACES = np.array(
    [
        *((0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)),
        *((2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)),
    ]
)


class Box(nn.Module):
    """Middle and half size of the box."""

    scale: float

    @nn.compact
    def __call__(self, batch, constants, train):
        del constants, train
        shift = self.param("shift", nn.initializers.zeros, (3,))
        size = self.param("size", nn.initializers.ones, (3,))
        nearest = jnp.min(jnp.where(batch.depth > 0, batch.depth, 9.0), axis=(1, 2))
        middle = jnp.stack([nearest * 0, nearest * 0, -nearest], axis=1)
        return middle + shift[None], jnp.broadcast_to(
            self.scale * size[None], middle.shape
        )


def defaults():
    return ml_collections.ConfigDict({"model": {"scale": 0.1}, "loss": {"weight": 1.0}})


def make(config):
    check_settings("model", config.model, defaults().model, "method 'box'")

    def objective(outputs, batch, keys, phase):
        middle, size = outputs
        low, high = batch.points.min(axis=1), batch.points.max(axis=1)
        error = jnp.abs(middle - (low + high) / 2) + jnp.abs(size - (high - low) / 2)
        return Losses({"box": config.loss.weight * jnp.mean(error)})

    return Method(
        fields=image_fields(config.image_size, config.num_points),
        model=Box(config.model.scale),
        constants=(),
        objective=objective,
        penalty=lambda params: {},
        extract=extract,
        phase=lambda step: None,
        baseline=None,
        formats={},
    )


def extract(call, batch):
    middle, size = map(np.asarray, call("__call__", batch))
    return [
        Reconstruction((HostMesh((m + s * CORNERS).astype(np.float32), FACES),))
        for m, s in zip(middle, size, strict=True)
    ]
