"""The formats that cameras are read from, in one table, and what they mean.

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

import logging
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import lens_models, units
from pixel2mesh_jax.io.pinhole import MAX_PIXELS, Camera, matrix, matrix_of
from pixel2mesh_jax.io.stated_numbers import NoNumberError, array, number

FORMATS = (
    "a 3x3 matrix, fx fy cx cy, Open3D, RealSense, ROS CameraInfo, COLMAP cameras.txt, "
    "nerfstudio transforms.json or BOP scene_camera.json"
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

logger = logging.getLogger(__name__)


def of_text(text: str, path: pathlib.Path) -> Camera:
    """A camera of numbers, or of COLMAP. Raises InputError: neither."""
    lines = [line.split("#")[0].replace(",", " ").split() for line in text.splitlines()]
    rows = [row for row in lines if row]
    if rows and len(rows[0]) > 4:
        lens_models.refuse_fisheye(rows[0][1], path)
    if rows and all(len(row) > 4 and row[1] in _COLMAP_FOCALS for row in rows):
        return _of_colmap(rows, path)
    values = plain_numbers([word for row in rows for word in row])
    if values is not None and len(values) == 4:
        return Camera(matrix(*values))
    if values is not None and len(values) in (9, 16):
        side = math.isqrt(len(values))
        return Camera(np.reshape(values, (side, side))[:3, :3])
    raise InputError(
        f"{path}: expected 4, 9 or 16 numbers or a COLMAP cameras.txt of the models "
        f"{', '.join(_COLMAP_FOCALS)}"
    )


def plain_numbers(words: list[str]) -> list[float] | None:
    """The words as numbers; None if one of them is none."""
    try:
        return [float(word) for word in words]
    except (TypeError, ValueError):
        return None


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
    found = matrix(focals[0], focals[-1], u - 0.5, v - 0.5)
    return Camera(found, _size(width, height), distortion=lens)


def of_object(content: Any, path: pathlib.Path, stem: str | None) -> Camera:
    """A camera of parsed JSON or YAML.

    Args:
      content: of the file, or a part of it.
      path: of the file, for messages.
      stem: name of the image, which chooses among several cameras.

    Raises:
      InputError: of no known format, or several cameras of which none is the image's.
      ArithmeticError, LookupError, TypeError, ValueError: what a format needs is
        missing or of another kind.
    """
    if isinstance(content, list):
        return Camera(matrix_of(content))
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
    return of_object(entries[0], path, stem)


def _of_intrinsics(content, path, stem):
    inner = content["intrinsics"]
    if isinstance(inner, dict):
        return of_object(inner, path, stem)
    return Camera(matrix_of(inner), _stated_size(content))


def _of_fields(focal_u, focal_v, u, v, shift=0.0):
    def read(content, path, stem):
        del path, stem
        keys = (focal_u, focal_v, u, v)
        fx, fy, cx, cy = (number(content[key], key) for key in keys)
        return Camera(matrix(fx, fy, cx - shift, cy - shift), _stated_size(content))

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
    return Camera(matrix(focal, focal, u, v), size)


def _of_open3d(content, path, stem):
    del path, stem
    given = array(content["intrinsic_matrix"], "intrinsic_matrix").reshape(-1)
    if len(given) != 9:
        raise NoNumberError(f"intrinsic_matrix has {len(given)} numbers, not 9")
    given = given.reshape(3, 3)
    if given[2, 2] != 1 or given[:2, 2].any():  # rows were written, not columns
        given = given.T
    return Camera(given.T, _stated_size(content))


def _of_nine(key):
    def read(content, path, stem):
        del path, stem
        given = content[key]
        given = given["data"] if isinstance(given, Mapping) else given
        return Camera(matrix_of(given), _stated_size(content))

    return read


def _of_wrapped(key):
    def read(content, path, stem):
        return of_object(content[key], path, stem)

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
