"""Procedural shapes as small batches, made without TensorFlow or files."""

import functools

import jax
import numpy as np

from data_pipelines.building.options import Item, Options
from data_pipelines.procedural_shapes import families, source
from pixel2mesh_jax.io.views import batch_of_view

CATEGORIES = families.CATEGORIES[:8]


@functools.cache
def make_batches(size=64, batch_size=4, num_points=400):
    """One view of one shape of each of eight categories, in batches."""
    options = Options(size=size, views=1, num_points=num_points)
    examples = [_example(category, options, size) for category in CATEGORIES]
    return tuple(
        jax.tree.map(lambda *rows: np.concatenate(rows), *examples[start:][:batch_size])
        for start in range(0, len(examples), batch_size)
    )


def _example(category, options, size):
    """A batch of one, with its surface."""
    item = Item("train", category, f"{category}/train-00000")
    example = source.make_examples(item, options)[0]
    return batch_of_view(example.view, size)._replace(
        points=example.surface.points[None],
        normals=example.surface.normals[None],
        colors=np.float32(example.surface.colors[None]) / 255,
    )
