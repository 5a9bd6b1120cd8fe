"""The loss terms of a stage, as the recordings of the published program list them."""

import functools

import jax
import numpy as np

from pixel2mesh_jax.geometry.nearest import nearest_index
from pixel2mesh_jax.losses import terms as losses


def stage_terms(stage, vertices, rest, points, normals, level):
    """Chamfer to and from the truth, edge, Laplacian, move, normal; batch means.

    The program does not compute `move` in stage 0.
    """
    terms = np.mean(_of_samples(vertices, rest, points, normals, level), axis=1)
    if stage == 0:
        terms[4] = 0
    return terms


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0, None))
def _of_samples(vertices, rest, points, normals, level):
    to_point = nearest_index(vertices, points)
    return [
        losses.directed_chamfer(points, vertices, nearest_index(points, vertices)),
        losses.directed_chamfer(vertices, points, to_point),
        losses.edge_length(vertices, level, count_self_loops=True),
        losses.laplacian(vertices, rest, level),
        losses.move(vertices, rest),
        losses.normal(vertices, level, normals[to_point], count_self_loops=True),
    ]
