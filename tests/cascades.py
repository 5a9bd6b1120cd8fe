"""Random outputs of a cascade of three stages, and the truth to compare them with."""

import jax
import jax.numpy as jnp
import numpy as np

from pixel2mesh_jax.geometry import templates
from pixel2mesh_jax.structures import Batch, Mesh, Outputs

TEMPLATE = templates.ellipsoid(12, 3)
NUM_POINTS = 30


def random(*shape, seed=0):
    values = np.random.default_rng(seed).uniform(size=shape)
    return jnp.asarray(values, jnp.float32)


def batch_of(points, normals, colors=None, weight=None):
    size = len(points)
    image = np.zeros((size, 2, 2), np.float32)
    return Batch(
        rgb=np.zeros((size, 2, 2, 3), np.float32),
        depth=image,
        mask=image,
        intrinsics=np.tile(np.eye(3, dtype=np.float32), (size, 1, 1)),
        points=points,
        normals=normals,
        colors=jnp.zeros_like(points) if colors is None else colors,
        category=np.zeros(size, np.int32),
        weight=np.ones(size, np.float32) if weight is None else np.float32(weight),
    )


def random_batch(size, weight=None):
    shape = (size, NUM_POINTS, 3)
    return batch_of(
        random(*shape), random(*shape, seed=1), random(*shape, seed=2), weight
    )


def random_outputs(size, colors=False):
    meshes = []
    for stage, level in enumerate(TEMPLATE.levels):
        shape = (size, len(level.neighbors), 3)
        vertices, rest = random(*shape, seed=stage), random(*shape, seed=stage + 10)
        color = random(*shape, seed=stage + 20) if colors else None
        meshes.append(Mesh(vertices, rest, level, color))
    return Outputs(meshes=tuple(meshes))


def row(tree, i):
    """One sample of a batch or of outputs, still with a batch axis."""
    if isinstance(tree, Batch):
        return jax.tree.map(lambda x: x[i : i + 1], tree)
    meshes = tuple(
        mesh._replace(vertices=mesh.vertices[i : i + 1], rest=mesh.rest[i : i + 1])
        for mesh in tree.meshes
    )
    return tree._replace(meshes=meshes)
