"""Shapes from formulas: which objects there are, and how one becomes records."""

from data_pipelines.building.examples import examples_of_surface
from data_pipelines.building.options import SPLITS, Item, Options, random_generator
from data_pipelines.procedural_shapes import families
from pixel2mesh_jax.io import meshes
from pixel2mesh_jax.structures import Example


def find_items(options: Options) -> list[Item]:
    """Names `options.objects` shapes of every category and split.

    A shape is a function of (seed, split, category, index): more shapes of one kind do
    not change the others.
    """
    return [
        Item(split, category, f"{category}/{split}-{index:05d}")
        for split, count in zip(SPLITS, options.objects, strict=True)
        for category in families.CATEGORIES
        for index in range(count)
    ]


def make_examples(item: Item, options: Options) -> list[Example]:
    """Makes and renders one shape."""
    rng = random_generator(options.seed, item.object_id, "shape")
    mesh = families.make_shape(item.category, rng)
    surface = meshes.normalize(meshes.surface_from_mesh(mesh))
    return examples_of_surface(surface, item, options)
