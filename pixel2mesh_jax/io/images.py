"""Images from files: any format that Pillow reads becomes straight 8-bit RGBA.

The networks were trained on objects that are cut out (alpha) and stand on white. An
image without alpha gets it from a matting network (io/matting.py), if there is one,
or from its white background; any other image is taken as it is, with a warning.
"""

import logging
import pathlib
import struct
import zlib
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import limits
from pixel2mesh_jax.io.in_memory import InMemory, Source, image_of, named
from pixel2mesh_jax.io.matting import Matting

# Smallest image that is taken for one, pixels per side.
MIN_SIZE = 8
# A pixel counts as white where its darkest channel reaches this, of 255: paper white
# with the ripples that JPEG leaves beside an edge.
WHITE_LEVEL = 235
# The background counts as white where this part of the border pixels is white; the rest
# may be an object that touches the border.
WHITE_BORDER_FRACTION = 0.9
# Alpha from which a pixel counts as showing the object, of 255.
OPAQUE_LEVEL = 128
# An image is cut out if at least this part of it is transparent; the rounded corners
# of a screenshot or a single pixel that is not quite opaque are no cut-out.
CUT_OUT_PART = 0.05

# What Pillow's decoders raise on files that are damaged or not what their name says.
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error),
    *(LookupError, TypeError, OverflowError, MemoryError, AttributeError, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)

# (H, W, 3) colours -> (H, W) coverage, 0 to 255, or None where there is no saying.
Fallback = Callable[[UInt8[np.ndarray, "H W 3"]], UInt8[np.ndarray, "H W"] | None]
logger = logging.getLogger(__name__)


def load_image(
    path: Source, matting: Matting | None = None, fallback: Fallback | None = None
) -> UInt8[np.ndarray, "H W 4"]:
    """Reads an image as straight (not premultiplied) sRGB and coverage.

    Turns photographs upright (EXIF), expands grey and palettes, scales 16 bits to 8.

    Args:
      path: any image, in a file or in memory.
      matting: makes the alpha of images that are not cut out (`CUT_OUT_PART`);
        without it, that comes from `white_background_alpha`.
      fallback: makes the alpha where nothing else does, or gives None.

    Raises:
      InputError: no such file, not an image, damaged, smaller than `MIN_SIZE`, or
        nothing to be seen in it.
    """
    path = named(path)
    rgba = load_rgba(path)
    if not _is_cut_out(rgba):
        alpha = _missing_alpha(rgba[..., :3], matting, fallback, path)
        rgba[..., 3] = np.minimum(rgba[..., 3], alpha)
    if not (rgba[..., 3] >= OPAQUE_LEVEL).any():
        raise InputError(f"{path}: no visible object, every pixel is transparent")
    return rgba


def load_rgba(path: Source) -> UInt8[np.ndarray, "H W 4"]:
    """Reads an image with its own alpha, 255 if it has none.

    Raises:
      InputError: no such file, not an image, damaged, or smaller than `MIN_SIZE`.
    """
    path = named(path)
    return _rgba(open_image(path), path)


def open_image(path: pathlib.Path | InMemory) -> Image.Image:
    """Opens and fully decodes an image in its own pixel format, upright.

    Raises:
      InputError: no such file, not an image, damaged, smaller than `MIN_SIZE` or
        larger than `limits.MAX_PIXELS`.
    """
    if isinstance(path, InMemory):
        return _upright(image_of(path), path)
    if not path.is_file():
        reason = "is a folder, expected an image" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {reason}")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes)")
    try:
        with Image.open(path) as image:
            return _upright(image, path)
    except UnidentifiedImageError:
        raise InputError(
            f"{path}: not an image, expected PNG, JPEG, WebP, TIFF or another format "
            "that Pillow reads"
        ) from None
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(f"{path}: the image cannot be read: {error}") from None


def white_background_alpha(
    rgb: UInt8[np.ndarray, "H W 3"],
) -> UInt8[np.ndarray, "H W"] | None:
    """Cuts an object out of a white background.

    The background is the white area connected with the border, so white parts inside
    the object stay. Alpha is 0 or 255: antialiased edge pixels, which already hold
    some white, keep their colour when the object is put on white again.

    Returns:
      Coverage, or None if the border of the image is not white.
    """
    white = rgb.min(axis=-1) >= WHITE_LEVEL
    if np.mean(white[_border(white.shape)]) < WHITE_BORDER_FRACTION:
        return None
    areas, _ = ndimage.label(white)
    is_background = np.zeros(areas.max() + 1, bool)
    is_background[areas[_border(white.shape)]] = True
    is_background[0] = False
    background = is_background[areas]
    return np.where(background, np.uint8(0), np.uint8(255))


def has_alpha(path: Source) -> bool:
    """Whether the image says itself what is not the object.

    Raises:
      InputError: see `load_rgba`.
    """
    return _is_cut_out(load_rgba(named(path)))


def _is_cut_out(rgba):
    return bool((rgba[..., 3] < OPAQUE_LEVEL).mean() >= CUT_OUT_PART)


def _missing_alpha(rgb, matting, fallback, path):
    if matting is not None:
        alpha = matting(rgb)
        if not (alpha >= OPAQUE_LEVEL).any():
            raise InputError(f"{path}: the matting network found no object")
        return alpha
    alpha = white_background_alpha(rgb)
    if alpha is None and fallback is not None:
        alpha = fallback(rgb)
    if alpha is None:
        logger.warning(
            "%s is not cut out and has no white background: the whole image is "
            "taken for the object. The model expects a cut-out object on a white or "
            "transparent background: give --matting, put %s_mask.png beside the "
            "image, or save it with transparency.",
            path,
            path.stem,
        )
        return np.full(rgb.shape[:2], 255, np.uint8)
    if not alpha.any():
        raise InputError(f"{path}: no visible object, the image is white")
    return alpha


def _border(shape: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    border = np.ones(shape, bool)
    border[1:-1, 1:-1] = False
    return border


def _upright(image, path):
    _check_size(image.size, path)
    limits.check_pixels(path, *image.size)
    return ImageOps.exif_transpose(image)


def _check_size(size, path):
    width, height = size
    if min(width, height) < MIN_SIZE:
        raise InputError(
            f"{path}: expected at least {MIN_SIZE}x{MIN_SIZE} pixels, "
            f"got {width}x{height}"
        )


def _rgba(image, path):
    if image.mode == "F":
        raise InputError(f"{path}: expected 8 or 16 bits per channel, got floats")
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.int64)
        image = Image.fromarray(np.clip(values // 257, 0, 255).astype(np.uint8))
    if image.mode not in ("RGB", "RGBA"):
        transparent = "transparency" in image.info or image.mode in ("LA", "La")
        image = image.convert("RGBA" if transparent else "RGB")
    return np.array(image.convert("RGBA"))
