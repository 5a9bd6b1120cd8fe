"""Renderings of 3D-R2N2 and their cameras, with the shape that they show."""

import pathlib

import numpy as np
from jaxtyping import Float

from data_pipelines.building.examples import ViewImage, examples_of_images
from data_pipelines.building.options import Item, Options
from data_pipelines.shapenet_r2n2 import frames
from data_pipelines.sources import shapenet
from data_pipelines.sources.shapenet import RENDERING_SIZE
from data_pipelines.surfaces import alignment, render
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io.meshes import Surface
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.structures import Example, SurfaceSamples, View

METADATA = "rendering_metadata.txt"
METADATA_COLUMNS = 5
# Points and normals in the frame of ShapeNetCore v1; beside some public renderings.
POINTS = "model_normal.xyz"
POINTS_COLUMNS = 6
# By how much a later candidate has to fit its images better than an earlier one
# (`alignment.overlap`): models that are nearly symmetric should not flip by chance.
MARGIN = 0.01


def examples_of_mesh(surface: Surface, item: Item, options: Options) -> list[Example]:
    """Renderings with the depth of the mesh at the very same cameras.

    Args:
      surface: as in the file.
      item: its files are the mesh and the renderings.
      options: see `Options`.

    Raises:
      InputError: a file cannot be used, or mesh and renderings do not agree.
    """
    best, best_overlap = None, -1.0
    for candidate in frames.as_rendered(surface, item.files[0]):
        images, overlap = _images(candidate, item)
        if overlap > best_overlap + MARGIN:
            best, best_overlap = (candidate, images), overlap
    alignment.check_overlap(best_overlap)
    return examples_of_images(*best, item, options)


def examples_of_points(item: Item) -> list[Example]:
    """Renderings with the points of a file: no depth, no colours at the points.

    Raises:
      InputError: a file cannot be used.
    """
    samples = load_points(pathlib.Path(item.files[0]))
    examples = []
    for rgba, transform, index in _renderings(item):
        depth = np.zeros(rgba.shape[:2], np.float32)
        view = View(rgba, depth, camera.r2n2_intrinsics(RENDERING_SIZE))
        moved = render.move_samples(samples, transform)
        examples.append(Example(view, moved, item.category, item.object_id, index))
    return examples


def load_metadata(path: pathlib.Path) -> Float[np.ndarray, "views 5"]:
    """Reads a `rendering_metadata.txt`: `camera.camera_from_r2n2_metadata`, per view.

    Raises:
      InputError: not a table of numbers of the known kind.
    """
    rows = _load_table(path, METADATA_COLUMNS)
    if rows[:, 2].any() or (rows[:, 3] <= 0).any():
        raise InputError(
            f"{path}: expected in-plane rotations of 0 and positive distances"
        )
    return rows


def load_points(path: pathlib.Path) -> SurfaceSamples:
    """Reads points and normals of a model of unit diagonal into the object frame.

    Points whose normal is zero are left out: 35 of 7587 in the sample that we know.

    Raises:
      InputError: not a table of numbers of the known kind, or no point with a normal.
    """
    rows = _load_table(path, POINTS_COLUMNS)
    rows = rows[rows[:, 3:].any(axis=1)]
    if not len(rows):
        raise InputError(f"{path}: no point has a normal")
    length = np.linalg.norm(rows[:, 3:], axis=1, keepdims=True)
    return SurfaceSamples(
        points=(camera.P2M_SCALE * rows[:, :3]).astype(np.float32),
        normals=(rows[:, 3:] / length).astype(np.float32),
        colors=np.zeros((0, 3), np.uint8),
    )


def _images(surface, item):
    """Images of a surface in the object frame, and how well it fits them."""
    scene = raycast.make_scene(surface.vertices, surface.faces)
    intrinsics = camera.r2n2_intrinsics(RENDERING_SIZE)
    images, overlaps = [], []
    for rgba, transform, index in _renderings(item):
        view, silhouette = alignment.view_with_depth(rgba, scene, transform, intrinsics)
        images.append(ViewImage(view, transform, index))
        overlaps.append(alignment.overlap(rgba[..., 3] > 0, silhouette))
    return images, float(np.mean(overlaps))


def _renderings(item):
    """(image, camera, number) of every rendering of a model."""
    paths = [pathlib.Path(file) for file in item.files[1:]]
    metadata = load_metadata(paths[0].with_name(METADATA))
    for path in paths:
        index = int(path.stem)
        if index >= len(metadata):
            raise InputError(f"{path}: {METADATA} has only {len(metadata)} lines")
        transform = camera.camera_from_r2n2_metadata(metadata[index])
        yield shapenet.load_rendering(path), transform, index


def _load_table(path, columns):
    try:
        rows = np.loadtxt(path, ndmin=2)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not rows.size or rows.shape[1] != columns or not np.isfinite(rows).all():
        raise InputError(
            f"{path}: expected lines of {columns} finite numbers, "
            f"got {rows.shape[0]} lines of {rows.shape[1]}"
        )
    return rows
