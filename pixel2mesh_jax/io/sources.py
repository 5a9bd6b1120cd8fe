"""Which files belong together: a picture, its depth, its mask, its camera."""

import collections
import pathlib
from typing import NamedTuple

from pixel2mesh_jax.errors import InputError

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
# What stands beside a picture `<name>.*` and belongs to it.
DEPTH_ENDINGS = ("_depth.png", "_depth.npy", "_depth.exr")
MASK_ENDINGS = ("_mask.png",)
CAMERA_ENDINGS = ("_camera.json",)
# The camera of all pictures of a folder that have none of their own.
FOLDER_CAMERA = "intrinsics.json"
# Pictures of these names are not inputs; the last is what a reconstruction writes.
COMPANION_STEMS = ("_depth", "_mask", "_preview")


class Sources(NamedTuple):
    """The files of one picture.

    Attributes:
      picture: the image.
      depth: its depth map, or None.
      mask: its object mask, or None.
      camera: JSON file of its intrinsics, or None.
    """

    picture: pathlib.Path
    depth: pathlib.Path | None = None
    mask: pathlib.Path | None = None
    camera: pathlib.Path | None = None


def find_sources(
    source: str | pathlib.Path, depth: str | pathlib.Path | None = None
) -> list[Sources]:
    """Lists the pictures of a file or folder with what belongs to them.

    Args:
      source: a picture, or a folder of them (its sub-folders are not searched).
      depth: depth map of the picture, or a folder that holds `<name>_depth.png`,
        `<name>.png` or the same as `.npy` or `.exr`. By default what stands beside the
        picture.

    Returns:
      In the order of the names.

    Raises:
      InputError: no such file, no picture in the folder, two pictures of one name, or
        one depth map for several pictures.
    """
    source = pathlib.Path(source)
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    pictures = _pictures(source) if source.is_dir() else [source]
    depth = None if depth is None else pathlib.Path(depth)
    if depth is not None and not depth.exists():
        raise InputError(f"{depth}: no such file or folder of depth maps")
    if source.is_dir() and depth is not None and depth.is_file():
        raise InputError(
            f"{depth}: one depth map for the folder {source}; expected a folder of "
            "<name>_depth.png"
        )
    return [_with_companions(picture, depth) for picture in pictures]


def _pictures(folder):
    pictures = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURE_SUFFIXES
        and not path.stem.endswith(COMPANION_STEMS)
        and not path.name.startswith(".")
    )
    if not pictures:
        types = ", ".join(PICTURE_SUFFIXES)
        raise InputError(f"{folder}: no pictures in this folder (types: {types})")
    names = collections.Counter(path.stem for path in pictures)
    doubled = sorted(name for name, count in names.items() if count > 1)
    if doubled:
        raise InputError(
            f"{folder}: several pictures would be written to the same file: "
            f"{', '.join(doubled)}"
        )
    return pictures


def _with_companions(picture, depth):
    if depth is None:
        depth = _beside(picture, DEPTH_ENDINGS)
    elif depth.is_dir():
        depth = _beside(depth / picture.name, (*DEPTH_ENDINGS, ".png", ".npy", ".exr"))
    camera = _beside(picture, CAMERA_ENDINGS) or _in_folder(picture, FOLDER_CAMERA)
    return Sources(picture, depth, _beside(picture, MASK_ENDINGS), camera)


def _in_folder(picture, name):
    path = picture.with_name(name)
    return path if path.is_file() else None


def _beside(picture, endings):
    """The first file that is named as the picture with one of these endings."""
    candidates = (picture.with_name(picture.stem + ending) for ending in endings)
    return next((path for path in candidates if path.is_file()), None)
