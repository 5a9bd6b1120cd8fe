"""Which files belong together: a picture, its depth, its mask, its camera."""

import collections
import pathlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pixel2mesh_jax.errors import InputError

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
# What stands beside a picture `<name>.*` and belongs to it, in any case (`.PNG`).
_DEPTH_SUFFIXES = (".png", ".npy", ".exr", ".tif", ".tiff", ".pgm", ".pfm")
DEPTH_ENDINGS = tuple(f"_depth{suffix}" for suffix in _DEPTH_SUFFIXES)
MASK_ENDINGS = tuple(f"_mask{suffix}" for suffix in PICTURE_SUFFIXES)
CAMERA_ENDINGS = ("_camera.json", "_camera.yaml", "_camera.yml", "_camera.txt")
# The camera of all pictures of a folder that have none of their own.
FOLDER_CAMERAS = (
    *("intrinsics.json", "intrinsics.yaml", "intrinsics.yml", "intrinsics.txt"),
    *("camera_intrinsic.json", "camera_info.yaml", "cameras.txt"),
    *("transforms.json", "scene_camera.json", "camera.json"),
)
# Pictures of these names are not inputs; the last is what a reconstruction writes.
COMPANION_STEMS = ("_depth", "_mask", "_preview")


class Sources(NamedTuple):
    """The files of one picture.

    Attributes:
      picture: the image.
      depth: its depth map, or None.
      mask: its object mask, or None.
      camera: file of its intrinsics, see io/cameras.py, or None.
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
        `<name>.png` or the same with another suffix of depth maps. By default what
        stands beside the picture.

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
    files = _Files()
    return [files.companions(picture, depth) for picture in pictures]


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
    names = collections.Counter(path.stem.casefold() for path in pictures)
    doubled = sorted(name for name, count in names.items() if count > 1)
    if doubled:
        raise InputError(
            f"{folder}: several pictures would be written to the same file: "
            f"{', '.join(doubled)}"
        )
    return pictures


def unused_files(
    folder: str | pathlib.Path, found: Sequence[Sources]
) -> list[pathlib.Path]:
    """Files of a folder that belong to none of the pictures; hidden ones are not told.

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

    def beside(self, picture: pathlib.Path, endings: Iterable[str]):
        """The first file that is named as the picture with one of these endings."""
        return self.first(picture.parent, [picture.stem + end for end in endings])

    def companions(self, picture: pathlib.Path, depth: pathlib.Path | None) -> Sources:
        if depth is None:
            depth = self.beside(picture, DEPTH_ENDINGS)
        elif depth.is_dir():
            endings = (*DEPTH_ENDINGS, *_DEPTH_SUFFIXES)
            depth = self.beside(depth / picture.name, endings)
        camera = self.beside(picture, CAMERA_ENDINGS)
        camera = camera or self.first(picture.parent, FOLDER_CAMERAS)
        return Sources(picture, depth, self.beside(picture, MASK_ENDINGS), camera)
