"""A toy method: a field around a point, encoded once and decoded at any points.

Its meshes have as many vertices as the view has colour: the number varies.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import trimesh

from pixel2mesh_jax.methods.method import Losses, Method, check_settings, image_fields
from pixel2mesh_jax.structures import HostMesh, Reconstruction


class Ball(nn.Module):
    """Distance to a ball whose middle and radius a linear layer reads off the view."""

    def setup(self):
        self.layer = nn.Dense(4)

    def __call__(self, batch, constants, train):
        del constants, train
        return self.decode(self.encode(batch), batch.points)

    def encode(self, batch):
        seen = jnp.concatenate(
            [batch.rgb.mean(axis=(1, 2)), batch.mask.mean(axis=(1, 2))[:, None]], axis=1
        )
        return self.layer(seen)

    def decode(self, codes, points):
        middle = codes[:, None, :3] - jnp.array([0.0, 0.0, 0.8])[None, None]
        distance = jnp.sqrt(jnp.sum((points - middle) ** 2, axis=-1) + 1e-8)
        return distance - 0.1 - codes[:, None, 3]


def defaults():
    return ml_collections.ConfigDict({"model": {}, "loss": {"weight": 1.0}})


def make(config):
    check_settings("model", config.model, defaults().model, "method 'ball'")

    def objective(outputs, batch, keys, phase):
        noise = jax.vmap(lambda key: jax.random.uniform(key))(keys)
        scalars = {"noise": jnp.mean(noise)}
        return Losses({"field": jnp.mean(jnp.abs(outputs))}, scalars)

    return Method(
        fields=image_fields(config.image_size, config.num_points),
        model=Ball(),
        constants=(),
        objective=objective,
        penalty=lambda params: {},
        extract=extract,
        phase=lambda step: step > 2,
        baseline=None,
        formats={},
    )


def extract(call, batch):
    codes = call("encode", batch)
    found = []
    for row, rgb in enumerate(batch.rgb):
        sphere = trimesh.creation.icosphere(1 + int(1000 * rgb[0, 0, 0]) % 2, 1.0)
        middle = np.asarray(codes[row, :3]) - [0, 0, 0.8]
        at_middle = np.broadcast_to(middle, (len(codes), 1, 3)).astype(np.float32)
        radius = -float(call("decode", codes, at_middle)[row, 0])
        vertices = (middle + radius * sphere.vertices).astype(np.float32)
        found.append(Reconstruction((HostMesh(vertices, np.asarray(sphere.faces)),)))
    return found
