"""From one object to its records: what every builder does with a surface.

Everything random is a function of (seed, object id, view), so a record depends neither
on the order of the objects nor on the number of worker processes.
"""

import zlib
from typing import NamedTuple

import numpy as np

from data_pipelines import render
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import raycast
from pixel2mesh_jax.io.meshes import Surface
from pixel2mesh_jax.structures import Example

# Of the records, for all data sets; the folder that holds the shards.
VERSION = "1.0.0"
# Beside the shards: what was built, from what, and what was skipped.
REPORT_NAME = "build_report.json"
SPLITS = ("train", "val", "test")
DEPTHS = ("rendered", "estimated", "both")
# Share of the objects in each of `SPLITS` where the source does not say.
SPLIT_SHARES = (0.8, 0.1, 0.1)


class Options(NamedTuple):
    """What a user may choose about the records.

    Attributes:
      size: width and height of the pictures in pixels.
      views: pictures per object.
      num_points: surface points per object.
      seed: of cameras, points and procedural shapes.
      up: axis that points up in mesh files, "y" or "z".
      objects: procedural objects per category in each of `SPLITS`.
      depth: one of `DEPTHS`, what the records say about depth.
      estimator: back end of `depth_estimation`, where `depth` is estimated.
      voxels: cells per side of the occupancy grid of a view; 0 = none.
      num_queries: points with signed distance per object; 0 = none.
    """

    size: int = 137
    views: int = 5
    num_points: int = 10_000
    seed: int = 0
    up: str = "y"
    objects: tuple[int, int, int] = (24, 2, 4)
    depth: str = "rendered"
    estimator: str = "none"
    voxels: int = 0
    num_queries: int = 0


class Item(NamedTuple):
    """One object of a source, before it is read.

    Attributes:
      split: one of `SPLITS`.
      category: name.
      object_id: unique within its split.
      files: absolute paths, in the order of the views if there is one per view.
      stamp: changes when a file changes.
    """

    split: str
    category: str
    object_id: str
    files: tuple[str, ...] = ()
    stamp: str = ""


def random_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Independent random numbers for every seed and combination of names."""
    key = zlib.crc32(repr(names).encode())
    return np.random.default_rng(np.random.SeedSequence([seed, key]))


def split_of(object_id: str) -> str:
    """Split of an object by the hash of its name: 80 % train, 10 % val, 10 % test."""
    place = zlib.crc32(object_id.encode()) / 2**32
    return SPLITS[int(np.searchsorted(np.cumsum(SPLIT_SHARES[:2]), place, "right"))]


def examples_of_surface(
    surface: Surface, item: Item, options: Options
) -> list[Example]:
    """Renders an object from random R2N2 cameras and samples its surface once.

    Args:
      surface: object frame, metres (`meshes.normalize`).
      item: where it comes from.
      options: see `Options`.

    Returns:
      One example per view, points and normals in the camera frame of the view.

    Raises:
      InputError: a view does not hit the surface at all.
    """
    rng = random_generator(options.seed, item.object_id, "points")
    samples = render.sample_surface(surface, options.num_points, rng)
    intrinsics = camera.r2n2_intrinsics(options.size)
    scene = raycast.make_scene(surface.vertices, surface.faces)
    examples = []
    for index in range(options.views):
        rng = random_generator(options.seed, item.object_id, "view", index)
        viewpoint = render.sample_viewpoint(rng)
        view = render.render(surface, viewpoint, intrinsics, options.size, scene)
        if not view.rgba[..., 3].any():
            raise InputError(f"too thin to be seen in view {index}")
        moved = render.move_samples(samples, camera.camera_from_object(*viewpoint))
        examples.append(Example(view, moved, item.category, item.object_id, index))
    return examples
