"""Records of an object (five views, 10,000 points): ours against plain trimesh."""

from collections.abc import Iterator

import numpy as np
import trimesh

from benchmarks.render import plain_trimesh
from benchmarks.timing import Case
from data_pipelines.building.examples import examples_of_surface
from data_pipelines.building.options import Item, Options
from data_pipelines.procedural_shapes import families
from data_pipelines.surfaces import render
from pixel2mesh_jax.io import meshes

CATEGORIES = ("airplane", "car", "chair", "lamp", "table")
OPTIONS = Options()


def cases() -> Iterator[Case]:
    """One object of each of five categories."""
    surfaces = [_surface(name) for name in CATEGORIES]
    items = [Item("train", name, name) for name in CATEGORIES]

    def ours():
        return [
            examples_of_surface(surface, item, OPTIONS)
            for surface, item in zip(surfaces, items, strict=True)
        ]

    def other():
        return [_plain(surface) for surface in surfaces]

    def check():
        for examples, (depths, points) in zip(ours(), other(), strict=True):
            assert len(examples) == len(depths) == OPTIONS.views
            assert len(examples[0].surface.points) == len(points)

    yield Case(
        "build objects, 5 views, 10,000 points",
        ours,
        other,
        "trimesh rays and samples",
        check,
        amount=len(CATEGORIES),
        unit="object",
    )


def _surface(category):
    mesh = families.make_shape(category, np.random.default_rng(0))
    return meshes.normalize(meshes.surface_from_mesh(mesh))


def _plain(surface):
    rng = np.random.default_rng(0)
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    viewpoints = [render.sample_viewpoint(rng) for _ in range(OPTIONS.views)]
    depths = [plain_trimesh(mesh, viewpoint) for viewpoint in viewpoints]
    return depths, trimesh.sample.sample_surface(mesh, OPTIONS.num_points)[0]
