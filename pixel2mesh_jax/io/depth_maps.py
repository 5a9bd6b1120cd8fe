"""Depth maps and camera matrices from files."""

import json
import pathlib

import numpy as np
from jaxtyping import Float, Float32

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import images

# What sensors write into 16-bit pictures: metres per stored value.
MILLIMETRE = 1e-3
METRE = 1.0
# How renderers call the depth channel of an EXR file, after the name of the layer.
EXR_DEPTH_CHANNELS = ("Z", "V", "depth")
# What renderers write to EXR files where there is no surface: infinity, Blender 1e10.
EXR_BACKGROUND = 1e9  # metres, and beyond


def load_depth(
    path: str | pathlib.Path, unit: float | None = None
) -> Float32[np.ndarray, "H W"]:
    """Reads a depth map: metres along the optical axis, 0 = missing.

    Args:
      path: a 16-bit picture, `.npy` of uint16 or float, or `.exr` (needs OpenEXR).
      unit: metres per stored value; by default integers are millimetres and floats are
        metres.

    Raises:
      InputError: no such file, damaged, 8-bit or not a single channel, values that are
        not finite or negative, or no pixel with depth.
    """
    path = pathlib.Path(path)
    readers = {".npy": _stored_array, ".exr": _stored_exr}
    stored = readers.get(path.suffix.lower(), _stored_picture)(path)
    _check_layout(stored, path)
    _check_values(stored, path)
    default = METRE if np.issubdtype(stored.dtype, np.floating) else MILLIMETRE
    return (stored * (default if unit is None else unit)).astype(np.float32)


def load_intrinsics(source: str | pathlib.Path) -> Float[np.ndarray, "3 3"]:
    """Reads a pinhole matrix in pixels, pixel centres at integers.

    Args:
      source: "fx,fy,cx,cy", or a JSON file that holds a 3x3 matrix or
        {"intrinsics": 3x3 matrix}.

    Raises:
      InputError: no such file, or not a pinhole matrix without skew.
    """
    text = str(source)
    matrix = _matrix_from_text(text) if "," in text else _matrix_from_json(text)
    return _checked_pinhole(matrix, text)


def _stored_array(path):
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{path}: not a readable .npy file: {error}") from None


def _stored_exr(path):
    try:
        import OpenEXR
    except ImportError:
        raise InputError(
            f"{path}: EXR files need the package OpenEXR: pip install OpenEXR"
        ) from None
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {
                name: channel.pixels for name, channel in file.channels().items()
            }
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a readable EXR file: {error}") from None
    depth = channels[_depth_channel(list(channels), path)]
    return np.where(depth >= EXR_BACKGROUND, depth.dtype.type(0), depth)


def _depth_channel(names, path):
    """The only channel, or the one whose name says depth."""
    called = [name for name in names if name.split(".")[-1] in EXR_DEPTH_CHANNELS]
    candidates = names if len(names) == 1 else called
    if len(candidates) != 1:
        raise InputError(
            f"{path}: expected one channel, or one called "
            f"{' or '.join(EXR_DEPTH_CHANNELS)}; found {', '.join(names)}"
        )
    return candidates[0]


def _stored_picture(path):
    picture = images.open_image(path)
    stored = np.asarray(picture)
    if picture.mode == "I" and 0 <= stored.min() and stored.max() < 2**16:
        return stored.astype(np.uint16)  # how some versions of Pillow hold 16 bits
    return stored


def _check_layout(stored, path):
    integers = stored.dtype == np.uint16
    if stored.ndim != 2 or not (integers or np.issubdtype(stored.dtype, np.floating)):
        raise InputError(
            f"{path}: expected a depth map of one channel, 16-bit integers "
            f"(millimetres) or floats (metres); got {stored.dtype} of shape "
            f"{stored.shape}"
        )


def _check_values(stored, path):
    for problem, where in (
        ("NaN", np.isnan(stored)),
        ("infinite", np.isinf(stored)),
        ("negative", stored < 0),
    ):
        if count := np.count_nonzero(where):
            raise InputError(
                f"{path}: {count} of {stored.size} depth values are {problem}; "
                "expected finite depth along the optical axis, 0 where it is missing"
            )
    if not stored.any():
        raise InputError(f"{path}: no depth, all {stored.size} values are 0 (missing)")


def _matrix_from_text(text):
    try:
        focal_u, focal_v, u, v = (float(number) for number in text.split(","))
    except ValueError:
        raise InputError(
            f"intrinsics {text!r}: expected four numbers fx,fy,cx,cy or a JSON file"
        ) from None
    return [[focal_u, 0, u], [0, focal_v, v], [0, 0, 1]]


def _matrix_from_json(text):
    path = pathlib.Path(text)
    if not path.is_file():
        raise InputError(
            f"intrinsics {text!r}: no such file; expected a JSON file or four numbers "
            "fx,fy,cx,cy"
        )
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path}: not a JSON file: {error}") from None
    if isinstance(content, dict):
        if "intrinsics" not in content:
            found = ", ".join(sorted(content)) or "nothing"
            raise InputError(f'{path}: expected the key "intrinsics", found {found}')
        content = content["intrinsics"]
    return content


def _checked_pinhole(matrix, text):
    try:
        matrix = np.array(matrix, np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(())
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise InputError(f"intrinsics {text!r}: expected a 3x3 matrix of numbers")
    pinhole = camera.pinhole(matrix[0, 0], matrix[0, 2], matrix[1, 2])
    pinhole[1, 1] = matrix[1, 1]
    if not np.allclose(matrix, pinhole) or min(matrix[0, 0], matrix[1, 1]) <= 0:
        raise InputError(
            f"intrinsics {text!r}: expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with "
            f"positive fx and fy, got {matrix.tolist()}"
        )
    return pinhole
