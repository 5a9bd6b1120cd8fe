"""The camera of depth maps that were not taken by that of the image."""

import json
import pathlib
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import distortion, registration
from pixel2mesh_jax.io import cameras, limits, undistort

# A rotation times its transpose differs from 1 by at most this.
ROUNDING = 1e-3
# Cameras of one device are less than this apart, metres: else it is another unit.
MAX_SHIFT = 2.0
EXPECTED = (
    "expected a 4x4 or 3x4 matrix from the camera of the depth map to that of the "
    'image, or {"rotation": 9 numbers, "translation": 3 numbers}; metres, x right, '
    "y down, z forward"
)


class DepthCamera(NamedTuple):
    """A camera beside that of the image.

    Attributes:
      lens: its intrinsics.
      turn: rotation of points from it to the camera of the image, OpenCV's axes.
      shift: the translation that follows, metres.
    """

    lens: cameras.Camera
    turn: Float[np.ndarray, "3 3"]
    shift: Float[np.ndarray, "3"]

    def registered(
        self,
        depth: Float32[np.ndarray, "H W"],
        target: Float[np.ndarray, "3 3"],
        shape: tuple[int, int],
        name: object,
    ) -> Float32[np.ndarray, "h w"]:
        """The depth map as the camera of the image would have seen it.

        Args:
          depth: metres, 0 = missing.
          target: intrinsics of the image.
          shape: height and width of the image.
          name: of the depth map, for messages.

        Raises:
          InputError: the image shows nothing of it.
        """
        lens = self.lens.for_image(*depth.shape[::-1])
        if self.lens.distortion is not None:
            places = distortion.sources(lens, depth.shape, self.lens.distortion)
            depth = undistort.nearest(depth, places)
        seen = registration.register(depth, lens, self.turn, self.shift, target, shape)
        if not seen.any():
            raise InputError(
                f"{name}: nothing of this depth map is inside the image; check "
                "--depth_intrinsics and --depth_to_color"
            )
        return seen


def depth_camera(lens: cameras.Camera | None, to_color: Any) -> DepthCamera | None:
    """What is known of the camera of the depth maps.

    Args:
      lens: None if depth and image have one camera.
      to_color: path of a JSON file, or what it would hold, see `EXPECTED`; flat
        rotations are column by column, as RealSense writes them. None if both cameras
        are in one place.

    Raises:
      InputError: not a rigid transform, or one without a lens.
    """
    if lens is None and to_color is None:
        return None
    if lens is None:
        raise InputError(
            "the transform from depth to colour needs the intrinsics of the depth maps "
            "too (--depth_intrinsics)"
        )
    if to_color is None:
        return DepthCamera(lens, np.eye(3), np.zeros(3))
    if isinstance(to_color, str | pathlib.Path):
        return DepthCamera(lens, *_rigid(_load(pathlib.Path(to_color)), to_color))
    return DepthCamera(lens, *_rigid(to_color, "depth_to_color"))


def _load(path):
    if not path.is_file():
        raise InputError(f"{path}: no such file; {EXPECTED}")
    limits.check_bytes(path, limits.MAX_CAMERA_BYTES)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); {EXPECTED}") from None


def _rigid(content, name):
    """Rotation and translation."""
    try:
        turn, shift = _parts(content)
    except (TypeError, ValueError, KeyError):
        raise InputError(f"{name}: {EXPECTED}") from None
    finite = np.isfinite(turn).all() and np.isfinite(shift).all()
    if not finite or np.abs(turn @ turn.T - np.eye(3)).max() > ROUNDING:
        raise InputError(f"{name}: not a rotation; {EXPECTED}")
    if np.linalg.det(turn) < 0:
        raise InputError(f"{name}: a rotation that mirrors; {EXPECTED}")
    if np.linalg.norm(shift) > MAX_SHIFT:
        raise InputError(
            f"{name}: the cameras are {np.linalg.norm(shift):.3g} m apart; is the "
            f"translation in millimetres? {EXPECTED}"
        )
    return turn, shift


def _parts(content):
    if isinstance(content, dict):
        turn = np.array(content["rotation"], np.float64)
        turn = turn.reshape(3, 3).T if turn.ndim == 1 else turn.reshape(3, 3)
        return turn, np.array(content["translation"], np.float64).reshape(3)
    matrix = np.array(content, np.float64)
    matrix = matrix.reshape((-1, 4))
    if len(matrix) not in (3, 4):
        raise ValueError
    return matrix[:3, :3], matrix[:3, 3]
