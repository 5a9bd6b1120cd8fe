"""Which captures a folder of RGB-D images holds, and how one becomes a record."""

import collections
import logging
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data_pipelines.building.options import Item, Options, random_generator
from data_pipelines.sources import folders
from data_pipelines.surfaces import render, true_meshes
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import object_crop
from pixel2mesh_jax.io import cameras, captures, exif, meshes, sources, units, views
from pixel2mesh_jax.structures import Example, SurfaceSamples

# The true shape, if it is known: camera frame of the image, metres.
MESH_ENDING = "_mesh.ply"
# Category of images that lie in no folder of a category.
NO_CATEGORY = "object"
# Split of images that lie in no folder of a split: captures are there to be tested.
DEFAULT_SPLIT = "test"

logger = logging.getLogger(__name__)


class Capture(NamedTuple):
    """The files of an image, in the order of `Item.files`; "" where there is none."""

    image: str
    depth: str
    mask: str
    camera: str
    mesh: str


def find_items(
    source: pathlib.Path, options: Options
) -> tuple[list[Item], dict[str, int]]:
    """Lists the images of `source/`, `source/<category>/` or `<split>/<category>/`.

    Args:
      source: folder.
      options: of no influence here.

    Returns:
      The captures in order of their paths, and the number of other files by suffix.

    Raises:
      InputError: no such folder, split folders beside others, no image, or two
        images of one name in a folder.
    """
    del options
    groups, strays = _groups(source)
    items, ignored = [], collections.Counter(strays)
    for split, category, folder in groups:
        found = sources.find_sources(folder)
        meshes_beside = {files.image: _mesh_beside(files.image) for files in found}
        for files in found:
            items.append(_item(split, category, (*files, meshes_beside[files.image])))
        for path in sources.unused_files(folder, found):
            if path not in meshes_beside.values():
                ignored[path.suffix.lower() or path.name] += 1
    if not items:
        raise InputError(
            f"--source {source}: no images; expected <name>.png with "
            "<name>_depth.png here, in <category>/ or in <split>/<category>/"
        )
    return items, dict(sorted(ignored.items()))


def make_examples(item: Item, options: Options) -> list[Example]:
    """Reads one capture and shows it as `io.views.canonicalize` does.

    Raises:
      InputError: a file is unusable, or there is no depth.
    """
    capture = Capture(*item.files)
    if not capture.depth and (capture.mesh or options.depth != "estimated"):
        stem = pathlib.Path(capture.image).stem
        raise InputError(
            f"{capture.image}: no depth beside it; expected one of "
            + ", ".join(stem + ending for ending in sources.DEPTH_ENDINGS)
        )
    if not capture.camera:
        logger.warning("no camera beside the image: that of 3D-R2N2 is assumed")
    read = captures.load_capture(
        capture.image,
        capture.depth or None,
        cameras.load_camera(capture.camera, capture.image) if capture.camera else None,
        capture.mask or None,
        units.parse_choice(options.depth_unit),
        label=options.label or None,
    )
    if read.unit is not None:
        doubts = units.doubts(*views.distance_and_size(read.view), read.unit)
        if doubts is not None:
            logger.warning(doubts)
    square, fitted = views.canonicalize(read.view)
    return [
        Example(
            view=views.resize(square, options.size),
            surface=_true_surface(capture.mesh, read, fitted, item, options),
            category=item.category,
            object_id=item.object_id,
            view_index=0,
        )
    ]


def _turned(surface, orientation):
    """The surface as the image that was turned upright shows it."""
    faces = surface.faces[:, ::-1] if exif.is_mirrored(orientation) else surface.faces
    vertices = exif.turn_points(surface.vertices, orientation)
    return surface._replace(vertices=vertices, faces=faces)


def have_meshes(items: Sequence[Item]) -> bool:
    """Whether the true shape of every capture is known."""
    return all(Capture(*item.files).mesh for item in items)


def _true_surface(mesh, read, fitted, item, options):
    """Points in the frame of the record; none if the shape is not known."""
    nothing = SurfaceSamples(
        points=np.zeros((0, 3), np.float32),
        normals=np.zeros((0, 3), np.float32),
        colors=np.zeros((0, 3), np.uint8),
    )
    if not mesh:
        return nothing
    surface = _turned(meshes.load_surface(mesh), read.orientation)
    true_meshes.check(mesh, surface, read.view)
    moved = object_crop.canonical_from_camera(surface.vertices, fitted)
    rng = random_generator(options.seed, item.object_id, "points")
    moved_surface = surface._replace(vertices=moved)
    samples = render.sample_surface(moved_surface, options.num_points, rng)
    return samples._replace(colors=nothing.colors)  # scans often have none


def _groups(source):
    """(split, category, folder) of every folder of images, and what is no use."""
    found = [
        (split or DEFAULT_SPLIT, folder.name, folder)
        for split, folder in folders.category_folders(source)
        if _has_images(folder)
    ]
    if not found:
        top = (DEFAULT_SPLIT, NO_CATEGORY, source)
        return ([top] if _has_images(source) else []), {}
    strays = {
        f"{path.name} (beside the folders of categories)": 1
        for path in sorted(source.iterdir())
        if path.is_file() and not path.name.startswith(".")
    }
    return found, strays


def _has_images(folder):
    return any(
        path.suffix.lower() in sources.IMAGE_SUFFIXES
        and not path.name.startswith(".")  # ._a.jpg is what macOS leaves
        for path in folder.iterdir()
    )


def _mesh_beside(image):
    path = image.with_name(image.stem + MESH_ENDING)
    return path if path.is_file() else None


def _item(split, category, paths):
    files = Capture(*("" if path is None else str(path.absolute()) for path in paths))
    status = [os.stat(file) for file in files if file]
    return Item(
        split=split,
        category=category,
        object_id=f"{category}/{paths[0].stem}",
        files=tuple(files),
        stamp="-".join(f"{file.st_size}-{file.st_mtime_ns}" for file in status),
    )
