"""Photographs that a tag turns: the eight orientations of EXIF, for all that belongs.

A phone stores what its sensor saw and a tag that says how to hold it upright. Depth,
mask and intrinsics of the same sensor have no tag; they are turned with the image,
and a mesh is turned back.

Every orientation is a matrix of -1, 0 and 1 that takes (u, v) of the stored image,
from its middle, to (u, v) of the upright one.
"""

import numpy as np
from jaxtyping import Float, Shaped
from PIL import Image, UnidentifiedImageError

from pixel2mesh_jax.io.in_memory import InMemory, Source

_TAG = 0x0112
UPRIGHT = 1
_TURNS = {
    1: ((1, 0), (0, 1)),
    2: ((-1, 0), (0, 1)),
    3: ((-1, 0), (0, -1)),
    4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)),
    6: ((0, -1), (1, 0)),  # upright after a quarter turn to the right
    7: ((0, -1), (-1, 0)),
    8: ((0, 1), (-1, 0)),
}


def orientation(path: Source) -> int:
    """The tag of a file, 1 to 8; 1 for files without one and for what is no image."""
    if isinstance(path, InMemory):
        return _tag_of(path.values) if isinstance(path.values, Image.Image) else UPRIGHT
    try:
        with Image.open(path) as image:
            return _tag_of(image)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError):
        return UPRIGHT
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return UPRIGHT


def _tag_of(image):
    tag = image.getexif().get(_TAG, UPRIGHT)
    return tag if tag in _TURNS else UPRIGHT


def swaps_sides(tag: int) -> bool:
    """Whether width and height change places."""
    return _TURNS[tag][0][0] == 0


def turn_image(
    image: Shaped[np.ndarray, "H W *channels"], tag: int
) -> Shaped[np.ndarray, "h w *channels"]:
    """A stored image, upright."""
    if swaps_sides(tag):
        image = image.swapaxes(0, 1)
    (a, b), (c, d) = _TURNS[tag]
    columns, rows = slice(None, None, a + b), slice(None, None, c + d)
    return image[rows, columns]


def unturn_image(
    image: Shaped[np.ndarray, "H W *channels"], tag: int
) -> Shaped[np.ndarray, "h w *channels"]:
    """An upright image as it is stored."""
    return turn_image(image, {6: 8, 8: 6}.get(tag, tag))  # the others undo themselves


def turn_intrinsics(
    intrinsics: Float[np.ndarray, "3 3"], tag: int, shape: tuple[int, int]
) -> Float[np.ndarray, "3 3"]:
    """Pinhole matrix of the upright image.

    Args:
      intrinsics: of the stored image, pixels.
      tag: EXIF orientation.
      shape: height and width of the stored image.
    """
    turn = np.array(_TURNS[tag], np.float64)
    middle = (np.array(shape[::-1]) - 1) / 2
    result = np.eye(3)
    result[:2, :2] = np.abs(turn) @ intrinsics[:2, :2] @ np.abs(turn).T
    result[:2, 2] = turn @ (intrinsics[:2, 2] - middle) + np.abs(turn) @ middle
    return result


def turn_points(points: Float[np.ndarray, "N 3"], tag: int) -> Float[np.ndarray, "N 3"]:
    """Points of the stored image's camera frame in that of the upright image."""
    return points @ _rotation(tag).T.astype(points.dtype)


def unturn_points(
    points: Float[np.ndarray, "N 3"], tag: int
) -> Float[np.ndarray, "N 3"]:
    """Points of the upright image's camera frame in that of the stored image."""
    return points @ _rotation(tag).astype(points.dtype)


def is_mirrored(tag: int) -> bool:
    """Whether a turned mesh needs its faces the other way round."""
    return bool(np.linalg.det(np.array(_TURNS[tag])) < 0)


def _rotation(tag):
    """Of x right, y up, from u right, v down."""
    (a, b), (c, d) = _TURNS[tag]
    return np.array([[a, -b, 0], [-c, d, 0], [0, 0, 1]], np.float64)
