"""From one object to its examples: what every data set does with a surface."""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from data_pipelines.building.options import Item, Options, random_generator
from data_pipelines.depth_estimation import estimators
from data_pipelines.surfaces import field_samples, orientation, render, solids, volumes
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io.meshes import Surface
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.structures import Example, View


class ViewImage(NamedTuple):
    """What a camera sees of an object.

    Attributes:
      view: the image.
      camera_from_object: rigid transform from the object frame, metres.
      index: number of the view.
    """

    view: View
    camera_from_object: Float[np.ndarray, "4 4"]
    index: int


def examples_of_surface(
    surface: Surface, item: Item, options: Options
) -> list[Example]:
    """Renders an object from random R2N2 cameras; see `examples_of_images`.

    Raises:
      InputError: a view does not hit the surface at all.
    """
    images = render_images(surface, item.object_id, options)
    return examples_of_images(surface, images, item, options)


def render_images(
    surface: Surface, object_id: str, options: Options
) -> list[ViewImage]:
    """Images of a surface (object frame, metres) from random R2N2 cameras.

    Raises:
      InputError: a view does not hit the surface at all.
    """
    intrinsics = camera.r2n2_intrinsics(options.size)
    scene = raycast.make_scene(surface.vertices, surface.faces)
    images = []
    for index in range(options.views):
        rng = random_generator(options.seed, object_id, "view", index)
        viewpoint = render.sample_viewpoint(rng)
        view = render.render(surface, viewpoint, intrinsics, options.size, scene)
        if not view.rgba[..., 3].any():
            raise InputError(f"too thin to be seen in view {index}")
        transform = camera.camera_from_object(*viewpoint)
        images.append(ViewImage(view, transform, index))
    return images


def examples_of_images(
    surface: Surface, images: list[ViewImage], item: Item, options: Options
) -> list[Example]:
    """Adds to images of an object what its surface tells, sampled once.

    Args:
      surface: object frame, metres (`meshes.normalize`).
      images: of the object, rendered here or not.
      item: where it comes from.
      options: see `Options`.

    Returns:
      One example per image, in its camera frame, with normals that point outward;
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
    for image in images:
        transform = image.camera_from_object
        example = Example(
            view=image.view,
            surface=render.move_samples(samples, transform),
            category=item.category,
            object_id=item.object_id,
            view_index=image.index,
        )
        if options.voxels:
            voxels = _voxels(solid, image, options.voxels)
            example = example._replace(voxels=voxels)
        if grid is not None:
            volume = volumes.target(solid, grid, image.view, transform, options.volume)
            example = example._replace(volume=volume)
        if field is not None:
            moved = field_samples.move_field(field, transform)
            example = example._replace(field=moved)
        examples.append(example)
    return examples


def _field(oriented, item, options):
    rng = random_generator(options.seed, item.object_id, "queries")
    surface = solids.find_visible_surface(oriented)
    return field_samples.sample_field(
        surface, options.num_queries, rng, options.uniform_queries
    )


def _voxels(solid, image, resolution):
    view = image.view
    return solids.voxelize(
        solid,
        image.camera_from_object,
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


def load_estimator(options: Options) -> estimators.Estimator:
    """The network of `options`, once per process, on one thread.

    Worker processes share the cores, and one thread gives the same bits everywhere.

    Raises:
      InputError: the network cannot be loaded.
    """
    return _cached_estimator(options.estimator, options.estimator_stamp)


@functools.lru_cache(maxsize=1)
def _cached_estimator(name, stamp):
    del stamp  # a changed file is loaded anew
    return estimators.load_estimator(name, threads=1)


def _with_estimate(view, estimator, depth):
    estimated = estimators.estimate_depth(view.rgba, estimator)
    if depth == "estimated":
        view = view._replace(depth=np.zeros_like(view.depth))
    return view._replace(estimated=estimated)
