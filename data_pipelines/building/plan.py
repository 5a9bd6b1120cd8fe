"""What a source holds: the objects that a build is to make."""

from typing import NamedTuple

from data_pipelines.building.job import Job
from data_pipelines.building.options import Item
from data_pipelines.building.results import MakeExamples
from data_pipelines.mesh_folder import source as mesh_folder
from data_pipelines.p2m_shapenet import source as p2m_shapenet
from data_pipelines.pix3d import source as pix3d
from data_pipelines.procedural_shapes import families
from data_pipelines.procedural_shapes import source as procedural_shapes
from data_pipelines.rgbd_folder import source as rgbd_folder
from data_pipelines.shapenet_r2n2 import source as shapenet_r2n2
from pixel2mesh_jax.errors import InputError

# Data sets that are made from a folder. A source module has
# `find_items(folder, options)`, `make_examples(item, options)` and, if its class names
# are fixed, `CATEGORIES`.
SOURCES = {
    "mesh_folder": mesh_folder,
    "p2m_shapenet": p2m_shapenet,
    "pix3d": pix3d,
    "rgbd_folder": rgbd_folder,
    "shapenet_r2n2": shapenet_r2n2,
}


class Plan(NamedTuple):
    """What a source holds.

    Attributes:
      items: objects.
      categories: class names, in the order of their labels.
      ignored: number of files of no use, by kind.
      make_examples: builds one object.
    """

    items: list[Item]
    categories: tuple[str, ...]
    ignored: dict[str, int]
    make_examples: MakeExamples


def find(job: Job) -> Plan:
    """Lists what the source holds. Raises InputError if there is nothing."""
    if job.name == "procedural_shapes":
        items = procedural_shapes.find_items(job.options)
        if not items:
            raise InputError("--train, --val and --test are all 0: nothing to build")
        return Plan(items, families.CATEGORIES, {}, procedural_shapes.make_examples)
    source = SOURCES[job.name]
    items, ignored = source.find_items(job.source, job.options)
    categories = tuple(sorted({item.category for item in items}))
    categories = getattr(source, "CATEGORIES", categories)
    return Plan(items, categories, ignored, source.make_examples)
