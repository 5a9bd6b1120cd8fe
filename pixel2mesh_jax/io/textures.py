"""Textures that a mesh file names or holds: found, decoded once, within limits.

A material whose texture is lost is painted grey: exporters set its plain colour to
black or white, so the object would silently have a wrong colour.
"""

import functools
import io
import logging
import os
import pathlib
import warnings
from collections.abc import Hashable

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from pixel2mesh_jax.io import mesh_limits

# What Pillow may decode; others of its formats start programs (EPS) or hold scenes.
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "TGA", "GIF", "TIFF", "DDS", "PPM")
# Number of the texture of a face that has none.
NO_TEXTURE = -1

logger = logging.getLogger(__name__)


class Textures:
    """The textures of one object; those that many parts share are decoded once.

    Attributes:
      images: sRGB, top row first; `add` returns their places.
    """

    def __init__(self):
        self.images: list[UInt8[np.ndarray, "_ _ 3"]] = []
        self._numbers, self._texels = {}, 0

    def add(
        self, key: Hashable, content: pathlib.Path | bytes | None, name: str
    ) -> int:
        """Number of a texture; `NO_TEXTURE`, with a warning, where it is lost.

        Args:
          key: equal for equal textures.
          content: an image file or what it holds; None if there is none.
          name: for the warning.
        """
        if key not in self._numbers:
            image = None
            if content is None:
                logger.warning("texture %s is missing: painted grey", name)
            else:
                image = self._decoded(content, name)
            self._numbers[key] = NO_TEXTURE if image is None else len(self.images)
            if image is not None:
                self.images.append(image)
        return self._numbers[key]

    def _decoded(self, content, name):
        source = io.BytesIO(content) if isinstance(content, bytes) else content
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                with Image.open(source, "r", _formats()) as image:
                    return self._within_limits(image, name)
        except (*UNDECODABLE, UnidentifiedImageError) as error:
            logger.warning("a texture cannot be decoded (%s): painted grey", error)
            return None

    def _within_limits(self, image, name):
        pixels = image.width * image.height
        room = min(
            mesh_limits.MAX_TEXTURE_PIXELS, mesh_limits.MAX_TEXELS - self._texels
        )
        if pixels > room:
            logger.warning(
                "texture %s has %d x %d pixels, which is more than the %d that are "
                "left: painted grey",
                *(name, image.width, image.height, room),
            )
            return None
        self._texels += pixels
        if image.mode.startswith("I"):  # 16 bits, which Pillow would cut at 255
            grey = np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        return np.asarray(image.convert("RGB"))


@functools.cache
def _formats():
    """Those of `FORMATS` that this Pillow knows; it stumbles over others."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


# What Pillow raises for damaged images.
UNDECODABLE = (
    *(OSError, SyntaxError, ValueError, EOFError, OverflowError, MemoryError),
    *(IndexError, KeyError, TypeError, AttributeError, NotImplementedError),
    Image.DecompressionBombError,
)


def beside(path: pathlib.Path, name: str) -> pathlib.Path | None:
    """The file that a mesh file means by a name; None if there is none.

    Backslashes part folders, as on Windows. Files outside of the folder of the mesh
    file and the one above it are not looked at: of an absolute path, or one that leads
    further up, only the file name counts. Links are followed.

    Args:
      path: of the mesh file; of a link, the link and not its target.
      name: relative to the folder of `path`.
    """
    if "\0" in name:
        return None
    parts = pathlib.PurePosixPath(os.path.normpath(name.replace("\\", "/"))).parts
    above = sum(part == ".." for part in parts)
    drive = bool(parts) and (parts[0].startswith("/") or parts[0].endswith(":"))
    if drive or above > mesh_limits.FOLDERS_ABOVE:
        parts = parts[-1:]
    try:
        file = path.parent.joinpath(*parts)
        return file if file.is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None
