"""Parametric families of everyday objects, composed from simple painted solids.

    mesh = make_shape("chair", np.random.default_rng(7))

An object is y-up in the object frame of `geometry/camera.py`; its front or nose points
towards +z. It consists of several closed parts that touch or overlap, as models made by
people do.
"""

import numpy as np
import trimesh

from data_pipelines.procedural_shapes.families.airplanes import airplane
from data_pipelines.procedural_shapes.families.boats import boat
from data_pipelines.procedural_shapes.families.cars import car
from data_pipelines.procedural_shapes.families.furniture import cabinet, table
from data_pipelines.procedural_shapes.families.lamps import lamp
from data_pipelines.procedural_shapes.families.mugs import mug
from data_pipelines.procedural_shapes.families.seating import bench, chair
from data_pipelines.procedural_shapes.families.sofas import sofa
from data_pipelines.procedural_shapes.families.storage_units import storage
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera

_CATEGORIES = {
    "airplane": airplane,
    "bench": bench,
    "boat": boat,
    "cabinet": cabinet,
    "car": car,
    "chair": chair,
    "lamp": lamp,
    "mug": mug,
    "sofa": sofa,
    "table": table,
}
CATEGORIES: tuple[str, ...] = tuple(_CATEGORIES)
# Storage is no category of its own: for training beside real objects.
_FAMILIES = {**_CATEGORIES, "storage": storage}
FAMILIES: tuple[str, ...] = tuple(_FAMILIES)


def make_shape(category: str, rng: np.random.Generator) -> trimesh.Trimesh:
    """A random member of a family, coloured per face.

    Args:
      category: one of `FAMILIES`.
      rng: decides everything; equal generators give equal shapes.

    Returns:
      A mesh of fewer than 5000 triangles in the object frame: y up, the middle of its
      bounding box at the origin, the box diagonal `camera.P2M_SCALE`.

    Raises:
      InputError: for an unknown category.
    """
    if category not in _FAMILIES:
        raise InputError(
            f"Unknown category '{category}'; valid: {', '.join(FAMILIES)}."
        )
    mesh = trimesh.util.concatenate(_FAMILIES[category](rng))
    mesh.apply_translation(-mesh.bounds.mean(axis=0))
    mesh.apply_scale(camera.P2M_SCALE / np.linalg.norm(mesh.extents))
    return mesh
