"""From one object to its records: what every builder does with a surface.

Everything random is a function of (seed, object id, view), so a record depends neither
on the order of the objects nor on the number of worker processes.
"""

import functools
import zlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from data_pipelines import (
    depth_estimation,
    field_samples,
    orientation,
    render,
    solids,
    volumes,
)
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io.meshes import Surface
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.structures import Example, View

# Of the records, for all data sets; the folder that holds the shards.
VERSION = "2.0.0"
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
      estimator: network of `depth_estimation`, where `depth` is estimated.
      estimator_stamp: changes when the files of that network change.
      voxels: cells per side of the occupancy grid of a view; 0 = none.
      volume: cells per side of the signed distances of a view; 0 = none.
      num_queries: points with signed distance per object; 0 = none.
      renderings: folder of pictures that come with the models; "" = the source.
      truncated: whether to take objects that the picture does not show completely.
      occluded: whether to take objects that something else hides in part.
      depth_unit: metres per value of measured depth maps, a name or a number as text;
        "" = what the camera file says, else millimetres or metres.
      label: value of the object in masks; 0 = whatever they show.
    """

    size: int = 137
    views: int = 5
    num_points: int = 10_000
    seed: int = 0
    up: str = "y"
    objects: tuple[int, int, int] = (24, 2, 4)
    depth: str = "rendered"
    estimator: str = "none"
    estimator_stamp: str = ""
    voxels: int = 0
    volume: int = 0
    num_queries: int = 0
    renderings: str = ""
    truncated: bool = False
    occluded: bool = False
    depth_unit: str = ""
    label: int = 0


class Item(NamedTuple):
    """One object of a source, before it is read.

    Attributes:
      split: one of `SPLITS`.
      category: name.
      object_id: unique within its split.
      files: absolute paths, in the order of the views if there is one per view.
      stamp: changes when a file changes.
      details: what the source says about the object beside its files.
    """

    split: str
    category: str
    object_id: str
    files: tuple[str, ...] = ()
    stamp: str = ""
    details: str = ""


class Picture(NamedTuple):
    """What a camera sees of an object.

    Attributes:
      view: the picture.
      camera_from_object: rigid transform from the object frame, metres.
      index: number of the view.
    """

    view: View
    camera_from_object: Float[np.ndarray, "4 4"]
    index: int


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
    """Renders an object from random R2N2 cameras; see `examples_of_pictures`.

    Raises:
      InputError: a view does not hit the surface at all.
    """
    pictures = render_pictures(surface, item.object_id, options)
    return examples_of_pictures(surface, pictures, item, options)


def render_pictures(
    surface: Surface, object_id: str, options: Options
) -> list[Picture]:
    """Pictures of a surface (object frame, metres) from random R2N2 cameras.

    Raises:
      InputError: a view does not hit the surface at all.
    """
    intrinsics = camera.r2n2_intrinsics(options.size)
    scene = raycast.make_scene(surface.vertices, surface.faces)
    pictures = []
    for index in range(options.views):
        rng = random_generator(options.seed, object_id, "view", index)
        viewpoint = render.sample_viewpoint(rng)
        view = render.render(surface, viewpoint, intrinsics, options.size, scene)
        if not view.rgba[..., 3].any():
            raise InputError(f"too thin to be seen in view {index}")
        transform = camera.camera_from_object(*viewpoint)
        pictures.append(Picture(view, transform, index))
    return pictures


def examples_of_pictures(
    surface: Surface, pictures: list[Picture], item: Item, options: Options
) -> list[Example]:
    """Adds to pictures of an object what its surface tells, sampled once.

    Args:
      surface: object frame, metres (`meshes.normalize`).
      pictures: of the object, rendered here or not.
      item: where it comes from.
      options: see `Options`.

    Returns:
      One example per picture, in its camera frame, with normals that point outward;
      voxels, signed distances and view volumes if the options ask for them.
    """
    oriented = orientation.orient_outward(surface)
    rng = random_generator(options.seed, item.object_id, "points")
    samples = render.sample_surface(oriented.surface, options.num_points, rng)
    wanted = options.voxels or options.volume
    solid = solids.make_solid(oriented) if wanted else None
    grid = volumes.make_grid(solid) if options.volume else None
    field = _field(oriented, item, options) if options.num_queries else None
    examples = []
    for picture in pictures:
        transform = picture.camera_from_object
        example = Example(
            view=picture.view,
            surface=render.move_samples(samples, transform),
            category=item.category,
            object_id=item.object_id,
            view_index=picture.index,
        )
        if options.voxels:
            voxels = _voxels(solid, picture, options.voxels)
            example = example._replace(voxels=voxels)
        if grid is not None:
            volume = volumes.target(
                solid, grid, picture.view, transform, options.volume
            )
            example = example._replace(volume=volume)
        if field is not None:
            moved = field_samples.move_field(field, transform)
            example = example._replace(field=moved)
        examples.append(example)
    return examples


def _field(oriented, item, options):
    rng = random_generator(options.seed, item.object_id, "queries")
    hull = solids.find_hull(oriented)
    return field_samples.sample_field(hull, options.num_queries, rng)


def _voxels(solid, picture, resolution):
    view = picture.view
    return solids.voxelize(
        solid,
        picture.camera_from_object,
        view.intrinsics,
        view.depth.shape,
        resolution,
    )


def with_depth(examples: list[Example], options: Options) -> list[Example]:
    """Leaves, adds or puts in place of depth what a monocular network says.

    Args:
      examples: with measured or rendered depth, if there is any.
      options: `depth` tells which; `estimator` names the network.

    Raises:
      InputError: the network cannot be loaded, or fails.
    """
    if options.depth == "rendered":
        return examples
    estimator = load_estimator(options)
    return [
        example._replace(view=_with_estimate(example.view, estimator, options.depth))
        for example in examples
    ]


def load_estimator(options: Options) -> depth_estimation.Estimator:
    """The network of `options`, once per process, on one thread.

    Worker processes share the cores, and one thread gives the same bits everywhere.

    Raises:
      InputError: the network cannot be loaded.
    """
    return _cached_estimator(options.estimator, options.estimator_stamp)


@functools.lru_cache(maxsize=1)
def _cached_estimator(name, stamp):
    del stamp  # a changed file is loaded anew
    return depth_estimation.load_estimator(name, threads=1)


def _with_estimate(view, estimator, depth):
    estimated = depth_estimation.estimate_depth(view.rgba, estimator)
    if depth == "estimated":
        view = view._replace(depth=np.zeros_like(view.depth))
    return view._replace(estimated=estimated)
