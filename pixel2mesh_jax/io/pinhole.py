"""A pinhole camera as files and users state it, for images of any size."""

import logging
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.geometry.distortion import Distortion
from pixel2mesh_jax.io.stated_numbers import array

# No focal length and no principal point is this large; pixels.
MAX_PIXELS = 1e7
# Largest values of a matrix in parts of the image: a lens of 3 degrees.
NORMALIZED_FOCAL = 20.0
# Focal lengths below this part of the image's longer side do not exist in pinhole
# cameras: a field of view of 157 degrees.
MIN_FOCAL_PER_SIDE = 0.1
# Width over height of file and image may differ by this much: rounding.
ASPECT_TOLERANCE = 0.01

logger = logging.getLogger(__name__)


class Camera(NamedTuple):
    """What a file says about a camera.

    Attributes:
      matrix: pinhole matrix, pixels of the image that the file means, pixel centres
        at integers; parts of its width and height if `normalized`.
      size: width and height of that image in pixels, None if the file does not say.
      depth_unit: metres per value of the depth map, None if the file does not say.
      normalized: whether the matrix is in parts of the image.
      source: for messages.
      distortion: how the lens bends, None if it does not.
    """

    matrix: Float[np.ndarray, "3 3"]
    size: tuple[int, int] | None = None
    depth_unit: float | None = None
    normalized: bool = False
    source: str = "intrinsics"
    distortion: Distortion | None = None

    def for_image(self, width: int, height: int) -> Float[np.ndarray, "3 3"]:
        """The matrix in pixels of an image of this size.

        Raises:
          InputError: the image is neither of the size that the file says nor that
            size enlarged, or the focal length is none in pixels.
        """
        matrix = self.matrix
        if self.normalized:
            matrix = np.diag([width, height, 1.0]) @ matrix
        elif self.size is not None and self.size != (width, height):
            matrix = self._resized(width, height)
        focal = min(matrix[0, 0], matrix[1, 1])
        if focal < MIN_FOCAL_PER_SIDE * max(width, height):
            raise InputError(
                f"{self.source}: focal length of {focal:.3g} pixels for an image of "
                f"{width}x{height}; expected pixels of that image"
            )
        return matrix

    def _resized(self, width, height):
        own_width, own_height = self.size
        factors = width / own_width, height / own_height
        if abs(factors[0] / factors[1] - 1) > ASPECT_TOLERANCE:
            turned = " (is it turned by 90 degrees?)" * (self.size == (height, width))
            raise InputError(
                f"{self.source}: intrinsics of an image of {own_width}x{own_height}, "
                f"but the image has {width}x{height} pixels{turned}; expected the "
                "intrinsics of this image, or of the same image at another size"
            )
        logger.info("%s: intrinsics rescaled by %.4g", self.source, factors[0])
        return camera.resize_intrinsics(self.matrix, *factors)


def matrix_of(values: Any) -> Float[np.ndarray, "3 3"]:
    """From 3x3 lists, nine numbers row by row, or fx, fy, cx, cy; see `checked`."""
    found = array(values, "the matrix")
    if found.shape == (4,):
        return matrix(*found)
    return found.reshape(3, 3) if found.shape == (9,) else found


def matrix(
    focal_u: float, focal_v: float, u: float, v: float
) -> Float[np.ndarray, "3 3"]:
    """Focal lengths and principal point, pixels."""
    return np.array([[focal_u, 0, u], [0, focal_v, v], [0, 0, 1]], np.float64)


def checked(found: Camera, text: str) -> Camera:
    """The camera, of which `text` is the source.

    Raises:
      InputError: not a pinhole camera without skew.
    """
    given = np.asarray(found.matrix, np.float64)
    if given.shape != (3, 3) or not (np.abs(given) < MAX_PIXELS).all():
        raise InputError(f"intrinsics {text!r}: expected a 3x3 matrix of numbers")
    pinhole = matrix(given[0, 0], given[1, 1], given[0, 2], given[1, 2])
    if not np.allclose(given, pinhole) or min(given[0, 0], given[1, 1]) <= 0:
        raise InputError(
            f"intrinsics {text!r}: expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with "
            f"positive fx and fy, got {given.tolist()}"
        )
    center, focal = given[:2, 2], max(given[0, 0], given[1, 1])
    normalized = bool(
        (center > 0).all() and (center <= 1).all() and focal <= NORMALIZED_FOCAL
    )
    return found._replace(matrix=pinhole, normalized=normalized, source=text)
