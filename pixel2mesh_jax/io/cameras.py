"""Cameras from files: the formats that are read, in one table, and what they mean.

    plain        [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], alone or as "intrinsics"
    numbers      a text file of 4, 9 or 16 numbers (ScanNet, 7-Scenes, BundleFusion)
    fields       fx, fy, cx, cy (BOP camera.json, Azure Kinect, Record3D)
    Open3D       intrinsic_matrix: nine numbers, column by column; width, height
    RealSense    fx, fy, ppx, ppy; width, height
    ROS          CameraInfo as YAML or JSON: K, or camera_matrix with data
    COLMAP       cameras.txt: SIMPLE_PINHOLE, PINHOLE and the models that add distortion
    nerfstudio   transforms.json: fl_x, fl_y, cx, cy, w, h, or camera_angle_x
    BOP          scene_camera.json or an entry of it: cam_K, depth_scale

COLMAP and nerfstudio put pixel (0, 0) between 0 and 1; here its centre is at 0, so half
a pixel is subtracted. A matrix whose principal point lies within one pixel of the
corner is in parts of the width and height. Distortion: io/lens_models.py.
"""

import json
import logging
import math
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.geometry.distortion import Distortion
from pixel2mesh_jax.io import lens_models, limits, units
from pixel2mesh_jax.io.stated_numbers import NoNumberError, array, number, quoted

# No focal length and no principal point is this large; pixels.
MAX_PIXELS = 1e7
# Largest values of a matrix in parts of the image: a lens of 3 degrees.
NORMALIZED_FOCAL = 20.0
# Focal lengths below this part of the image's longer side do not exist in pinhole
# cameras: a field of view of 157 degrees.
MIN_FOCAL_PER_SIDE = 0.1
# Width over height of file and image may differ by this much: rounding.
ASPECT_TOLERANCE = 0.01
FORMATS = (
    "a 3x3 matrix, fx fy cx cy, Open3D, RealSense, ROS CameraInfo, COLMAP cameras.txt, "
    "nerfstudio transforms.json or BOP scene_camera.json"
)

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


def load_camera(
    source: str | pathlib.Path, image: str | pathlib.Path | None = None
) -> Camera:
    """Reads a camera.

    Args:
      source: "fx,fy,cx,cy" in pixels, or a file in one of the formats above.
      image: which entry to take of a file that holds one camera per image.

    Raises:
      InputError: no such file, too large, of no known format, several cameras of which
        none is that of the image, or not a pinhole camera without skew.
    """
    text = str(source)
    path = pathlib.Path(text)
    if not path.exists() and "," in text:
        numbers = _numbers(text.split(","))
        if numbers is None or len(numbers) != 4:
            raise InputError(
                f"intrinsics {text!r}: expected four numbers fx,fy,cx,cy or a file "
                f"({FORMATS})"
            )
        return _checked(_of_four(numbers), text)
    if not path.is_file():
        raise InputError(
            f"intrinsics {text!r}: no such file; expected four numbers fx,fy,cx,cy or "
            f"a file ({FORMATS})"
        )
    limits.check_bytes(path, limits.MAX_CAMERA_BYTES)
    stem = None if image is None else pathlib.Path(image).stem
    try:
        return _checked(_of_content(_decoded(path), path, stem), text)
    except InputError:
        raise
    except RecursionError:
        raise InputError(f"{path}: lists nested too deeply for a camera") from None
    except NoNumberError as error:
        raise InputError(f"{path}: {error}; expected {FORMATS}") from None
    except (TypeError, LookupError, ValueError, ArithmeticError):
        raise InputError(
            f"{path}: not a camera, something is missing in it or of another kind; "
            f"expected {FORMATS}"
        ) from None


def of_numbers(values: Any) -> Camera:
    """A camera from (fx, fy, cx, cy) in pixels or a 3x3 matrix.

    Raises:
      InputError: neither, or not a pinhole camera without skew.
    """
    try:
        return _checked(Camera(_matrix_of(values)), str(values))
    except (TypeError, ValueError):
        raise InputError(
            "intrinsics: expected four numbers fx, fy, cx, cy or a 3x3 matrix; got "
            f"{quoted(values)}"
        ) from None


def _decoded(path):
    """Text with any byte order mark (Notepad, PowerShell) and end of line."""
    content = path.read_bytes()
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file; expected {FORMATS}") from None


def _of_content(text, path, stem):
    if path.suffix.lower() in (".yaml", ".yml"):
        return _of_yaml(text, path, stem)
    if path.suffix.lower() == ".txt":
        return _of_text(text, path)
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: not a JSON file: {error}") from None
    return _of_object(content, path, stem)


def _of_yaml(text, path, stem):
    import yaml

    try:
        return _of_object(yaml.safe_load(text), path, stem)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not a YAML file: {reason}") from None


def _of_text(text, path):
    lines = [line.split("#")[0].replace(",", " ").split() for line in text.splitlines()]
    rows = [row for row in lines if row]
    if rows and len(rows[0]) > 4:
        lens_models.refuse_fisheye(rows[0][1], path)
    if rows and all(len(row) > 4 and row[1] in _COLMAP_FOCALS for row in rows):
        return _of_colmap(rows, path)
    values = _numbers([word for row in rows for word in row])
    if values is not None and len(values) == 4:
        return _of_four(values)
    if values is not None and len(values) in (9, 16):
        side = math.isqrt(len(values))
        return Camera(np.reshape(values, (side, side))[:3, :3])
    raise InputError(
        f"{path}: expected 4, 9 or 16 numbers or a COLMAP cameras.txt of the models "
        f"{', '.join(_COLMAP_FOCALS)}"
    )


# Number of focal lengths in the parameters of COLMAP's camera models; the principal
# point and distortion follow.
_COLMAP_FOCALS = {
    "SIMPLE_PINHOLE": 1,
    "PINHOLE": 2,
    "SIMPLE_RADIAL": 1,
    "RADIAL": 1,
    "OPENCV": 2,
    "FULL_OPENCV": 2,
}


def _of_colmap(rows, path):
    cameras = {tuple(row[1:]) for row in rows}
    if len(cameras) > 1:
        raise InputError(f"{path}: {len(cameras)} cameras; expected one")
    (_, model, *values) = rows[0]
    names = ("WIDTH", "HEIGHT", *["a parameter"] * len(values))
    width, height, *parameters = map(number, values, names)
    count = _COLMAP_FOCALS[model]
    if len(parameters) < count + 2:
        raise InputError(
            f"{path}: {len(parameters)} parameters; {model} has at least {count + 2}: "
            "focal lengths and the principal point"
        )
    focals, (u, v, *bent) = parameters[:count], parameters[count:]
    lens = lens_models.of_colmap(model, bent, path)
    matrix = _matrix(focals[0], focals[-1], u - 0.5, v - 0.5)
    return Camera(matrix, _size(width, height), distortion=lens)


def _of_object(content, path, stem):
    """A camera of parsed JSON or YAML."""
    if isinstance(content, list):
        return Camera(_matrix_of(content))
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected {FORMATS}")
    for keys, read in READERS:
        if all(key in content for key in keys):
            found = read(content, path, stem)
            return found._replace(
                depth_unit=found.depth_unit or _depth_unit(content, path),
                distortion=found.distortion or lens_models.of_object(content, path),
            )
    if content and all(isinstance(entry, dict) for entry in content.values()):
        return _of_entries(content, path, stem)
    keys = ", ".join(sorted(map(str, content))[:10]) or "nothing"
    raise InputError(
        f'{path}: expected the key "intrinsics" or the keys of another known format '
        f"({FORMATS}); found {keys}"
    )


def _of_entries(content, path, stem):
    """BOP: one camera per image, by its number."""
    place = str(int(stem)) if stem and stem.isdecimal() else stem
    entries = [content[key] for key in (stem, place) if key in content]
    values = list(content.values())
    if not entries and all(value == values[0] for value in values):
        entries = values
    if not entries:
        raise InputError(
            f"{path}: {len(content)} cameras, none named as the image {stem!r}"
        )
    if not any(all(key in entries[0] for key in keys) for keys, _ in READERS):
        raise InputError(f'{path}: expected the key "intrinsics" in every entry')
    return _of_object(entries[0], path, stem)


def _of_intrinsics(content, path, stem):
    inner = content["intrinsics"]
    if isinstance(inner, dict):
        return _of_object(inner, path, stem)
    return Camera(_matrix_of(inner), _stated_size(content))


def _of_fields(focal_u, focal_v, u, v, shift=0.0):
    def read(content, path, stem):
        del path, stem
        keys = (focal_u, focal_v, u, v)
        fx, fy, cx, cy = (number(content[key], key) for key in keys)
        return Camera(_matrix(fx, fy, cx - shift, cy - shift), _stated_size(content))

    return read


def _of_angle(content, path, stem):
    """NeRF without focal lengths: the horizontal field of view, radians."""
    del stem
    size = _stated_size(content)
    if size is None:
        raise InputError(f"{path}: camera_angle_x without w and h; expected fl_x, fl_y")
    angle = number(content["camera_angle_x"], "camera_angle_x")
    focal = size[0] / 2 / math.tan(angle / 2)
    u = number(content.get("cx", size[0] / 2), "cx") - 0.5
    v = number(content.get("cy", size[1] / 2), "cy") - 0.5
    return Camera(_matrix(focal, focal, u, v), size)


def _of_open3d(content, path, stem):
    del path, stem
    matrix = array(content["intrinsic_matrix"], "intrinsic_matrix").reshape(-1)
    if len(matrix) != 9:
        raise NoNumberError(f"intrinsic_matrix has {len(matrix)} numbers, not 9")
    matrix = matrix.reshape(3, 3)
    if matrix[2, 2] != 1 or matrix[:2, 2].any():  # rows were written, not columns
        matrix = matrix.T
    return Camera(matrix.T, _stated_size(content))


def _of_nine(key):
    def read(content, path, stem):
        del path, stem
        matrix = content[key]
        matrix = matrix["data"] if isinstance(matrix, Mapping) else matrix
        return Camera(_matrix_of(matrix), _stated_size(content))

    return read


def _of_wrapped(key):
    def read(content, path, stem):
        return _of_object(content[key], path, stem)

    return read


# Keys that all have to be there -> reader; the first that fits counts.
READERS = (
    (("intrinsics",), _of_intrinsics),
    (("intrinsic_matrix",), _of_open3d),
    (("intrinsic",), _of_wrapped("intrinsic")),  # Open3D PinholeCameraParameters
    (("fx", "fy", "ppx", "ppy"), _of_fields("fx", "fy", "ppx", "ppy")),
    (("fx", "fy", "cx", "cy"), _of_fields("fx", "fy", "cx", "cy")),
    (("fl_x", "fl_y", "cx", "cy"), _of_fields("fl_x", "fl_y", "cx", "cy", 0.5)),
    (("camera_angle_x",), _of_angle),
    (("cam_K",), _of_nine("cam_K")),
    (("camera_matrix",), _of_nine("camera_matrix")),
    *(((key,), _of_nine(key)) for key in ("K", "k")),
)


def _stated_size(content):
    for width, height in (
        ("width", "height"),
        ("w", "h"),
        ("image_width", "image_height"),
    ):
        if width in content and height in content:
            sides = (number(content[name], name) for name in (width, height))
            return _size(*sides)
    return None


def _size(width, height):
    if not (1 <= width < MAX_PIXELS and 1 <= height < MAX_PIXELS):
        raise NoNumberError(f"an image of {width:g}x{height:g} pixels")
    return int(width), int(height)


def _depth_unit(content, path):
    """Metres per value, from whatever the formats call it."""
    named, scale = content.get("depth_unit"), content.get("depth_scale")
    if "depth_unit_scale_factor" in content:  # nerfstudio
        return units.parse(str(content["depth_unit_scale_factor"]))
    if scale is not None:
        scale = number(scale, "depth_scale")
    stated = None if scale is None else units.of_depth_scale(scale, path)
    if named is None:
        return stated
    unit = units.of_words(str(named))
    if unit is None:
        logger.info("%s: depth_unit %r is not understood", path, named)
        return stated
    if stated is not None and not math.isclose(unit, stated, rel_tol=1e-3):
        raise InputError(
            f"{path}: depth_unit {named!r} contradicts depth_scale {scale}; expected "
            "one of them, or the same of both"
        )
    return unit


def _matrix_of(values):
    """From 3x3 lists, nine numbers row by row, or fx, fy, cx, cy."""
    matrix = array(values, "the matrix")
    if matrix.shape == (4,):
        return _matrix(*matrix)
    return matrix.reshape(3, 3) if matrix.shape == (9,) else matrix


def _matrix(focal_u, focal_v, u, v):
    return np.array([[focal_u, 0, u], [0, focal_v, v], [0, 0, 1]], np.float64)


def _of_four(numbers):
    return Camera(_matrix(*numbers))


def _numbers(words):
    try:
        return [float(word) for word in words]
    except (TypeError, ValueError):
        return None


def _checked(found, text):
    matrix = np.asarray(found.matrix, np.float64)
    if matrix.shape != (3, 3) or not (np.abs(matrix) < MAX_PIXELS).all():
        raise InputError(f"intrinsics {text!r}: expected a 3x3 matrix of numbers")
    pinhole = _matrix(matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
    if not np.allclose(matrix, pinhole) or min(matrix[0, 0], matrix[1, 1]) <= 0:
        raise InputError(
            f"intrinsics {text!r}: expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with "
            f"positive fx and fy, got {matrix.tolist()}"
        )
    center, focal = matrix[:2, 2], max(matrix[0, 0], matrix[1, 1])
    normalized = bool(
        (center > 0).all() and (center <= 1).all() and focal <= NORMALIZED_FOCAL
    )
    return found._replace(matrix=pinhole, normalized=normalized, source=text)
