"""Which files belong together: an image, its depth, its mask, its camera."""

import collections
import pathlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pixel2mesh_jax.errors import InputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
# What stands beside an image `<name>.*` and belongs to it, in any case (`.PNG`).
_DEPTH_SUFFIXES = (".png", ".npy", ".exr", ".tif", ".tiff", ".pgm", ".pfm")
DEPTH_ENDINGS = tuple(f"_depth{suffix}" for suffix in _DEPTH_SUFFIXES)
MASK_ENDINGS = tuple(f"_mask{suffix}" for suffix in IMAGE_SUFFIXES)
CAMERA_ENDINGS = ("_camera.json", "_camera.yaml", "_camera.yml", "_camera.txt")
# The camera of all images of a folder that have none of their own.
FOLDER_CAMERAS = (
    *("intrinsics.json", "intrinsics.yaml", "intrinsics.yml", "intrinsics.txt"),
    *("camera_intrinsic.json", "camera_info.yaml", "cameras.txt"),
    *("transforms.json", "scene_camera.json", "camera.json"),
)
# Images of these names are not inputs; the last is what a reconstruction writes.
COMPANION_STEMS = ("_depth", "_mask", "_preview")


class Sources(NamedTuple):
    """The files of one image.

    Attributes:
      image: the image.
      depth: its depth map, or None.
      mask: its object mask, or None.
      camera: file of its intrinsics, see io/camera_formats.py, or None.
    """

    image: pathlib.Path
    depth: pathlib.Path | None = None
    mask: pathlib.Path | None = None
    camera: pathlib.Path | None = None


def find_sources(
    source: str | pathlib.Path, depth: str | pathlib.Path | None = None
) -> list[Sources]:
    """Lists the images of a file or folder with what belongs to them.

    Args:
      source: an image, or a folder of them (its sub-folders are not searched).
      depth: depth map of the image, or a folder that holds `<name>_depth.png`,
        `<name>.png` or the same with another suffix of depth maps. By default what
        stands beside the image.

    Returns:
      In the order of the names.

    Raises:
      InputError: no such file, no image in the folder, two images of one name, or
        one depth map for several images.
    """
    source = pathlib.Path(source)
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    images = _images(source) if source.is_dir() else [source]
    depth = None if depth is None else pathlib.Path(depth)
    if depth is not None and not depth.exists():
        raise InputError(f"{depth}: no such file or folder of depth maps")
    if source.is_dir() and depth is not None and depth.is_file():
        raise InputError(
            f"{depth}: one depth map for the folder {source}; expected a folder of "
            "<name>_depth.png"
        )
    files = _Files()
    return [files.companions(image, depth) for image in images]


def _images(folder):
    images = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.stem.endswith(COMPANION_STEMS)
        and not path.name.startswith(".")
    )
    if not images:
        types = ", ".join(IMAGE_SUFFIXES)
        raise InputError(f"{folder}: no images in this folder (types: {types})")
    names = collections.Counter(path.stem.casefold() for path in images)
    doubled = sorted(name for name, count in names.items() if count > 1)
    if doubled:
        raise InputError(
            f"{folder}: several images would be written to the same file: "
            f"{', '.join(doubled)}"
        )
    return images


def unused_files(
    folder: str | pathlib.Path, found: Sequence[Sources]
) -> list[pathlib.Path]:
    """Files of a folder that belong to none of the images; hidden ones are not told.

    What a reconstruction wrote there (`_preview.png`) is not told either.
    """
    used = {path for files in found for path in files}
    return sorted(
        path
        for path in pathlib.Path(folder).iterdir()
        if path.is_file()
        and path not in used
        and not path.name.startswith(".")
        and not path.stem.endswith("_preview")
    )


class _Files:
    """Finds files by name, each folder is listed once."""

    def __init__(self):
        self.by_name: dict[pathlib.Path, dict[str, pathlib.Path]] = {}

    def first(self, folder: pathlib.Path, names: Iterable[str]) -> pathlib.Path | None:
        """The first of the names that is a file, or one that differs in its case."""
        if folder not in self.by_name:
            self.by_name[folder] = {
                path.name.lower(): path
                for path in sorted(folder.iterdir(), reverse=True)
                if path.is_file() and not path.name.startswith(".")
            }
        for name in names:
            exact, other = folder / name, self.by_name[folder].get(name.lower())
            if exact.is_file() or other is not None:
                return exact if exact.is_file() else other
        return None

    def beside(self, image: pathlib.Path, endings: Iterable[str]):
        """The first file that is named as the image with one of these endings."""
        return self.first(image.parent, [image.stem + end for end in endings])

    def companions(self, image: pathlib.Path, depth: pathlib.Path | None) -> Sources:
        if depth is None:
            depth = self.beside(image, DEPTH_ENDINGS)
        elif depth.is_dir():
            endings = (*DEPTH_ENDINGS, *_DEPTH_SUFFIXES)
            depth = self.beside(depth / image.name, endings)
        camera = self.beside(image, CAMERA_ENDINGS)
        camera = camera or self.first(image.parent, FOLDER_CAMERAS)
        return Sources(image, depth, self.beside(image, MASK_ENDINGS), camera)
