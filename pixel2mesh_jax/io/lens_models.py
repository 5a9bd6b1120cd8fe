"""The distortion that a camera file states, by the names and orders of each format.

    OpenCV, ROS   k1 k2 p1 p2 [k3 [k4 k5 k6]]: plumb_bob, rational_polynomial
    RealSense     the same five; model: Brown-Conrady, modified or inverse
    COLMAP        SIMPLE_RADIAL, RADIAL, OPENCV, FULL_OPENCV
    nerfstudio    k1 k2 k3 k4 p1 p2 by name

Fisheye lenses are refused by name: their image is none of a pinhole camera.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry.distortion import Distortion
from pixel2mesh_jax.io.stated_numbers import NoNumberError, number

# Words in the names of models that are not undone.
FISHEYE = ("fisheye", "equidistant", "kannala", "ftheta", "f_theta", "fov", "equirect")
# librealsense numbers its models; rs_types.h, rs2_distortion.
REALSENSE = {
    0: "none",
    1: "modified_brown_conrady",
    2: "inverse_brown_conrady",
    3: "ftheta",
    4: "brown_conrady",
    5: "kannala_brandt4",
}
# COLMAP's name -> number of radial and tangential terms, then those of the denominator.
COLMAP = {
    "SIMPLE_PINHOLE": 0,
    "PINHOLE": 0,
    "SIMPLE_RADIAL": 1,
    "RADIAL": 2,
    "OPENCV": 4,
    "FULL_OPENCV": 8,
}
MODEL_KEYS = ("model", "distortion_model", "camera_model")
LISTS = ("coeffs", "distortion_coefficients", "D", "d", "dist_coeffs", "distortion")
# Numbers of OpenCV's list that are undone; thin prisms and tilted sensors follow.
MOST = 8


def of_object(content: Mapping[str, Any], path: object) -> Distortion | None:
    """What parsed JSON or YAML says; None if nothing is bent.

    Raises:
      InputError: a fisheye lens, or terms that are not undone.
    """
    name = _model(content, path)
    for key in LISTS:
        if key in content:
            return of_list(_numbers(content[key]), name, path)
    values = {key: _finite(content.get(key, 0)) for key in _NAMED}
    *radial, p1, p2 = (values[key] for key in _NAMED)
    if not any(values.values()):
        return None
    return Distortion(tuple(radial), (p1, p2))


def of_list(
    values: Sequence[float], name: str = "", path: object = ""
) -> Distortion | None:
    """OpenCV's order: k1, k2, p1, p2, k3, k4, k5, k6; None if all are 0.

    Raises:
      InputError: more terms than these.
    """
    if not any(values):
        return None
    if any(values[MOST:]):
        raise InputError(
            f"{path}: {len(values)} numbers of distortion; expected at most {MOST} "
            "(k1 k2 p1 p2 k3 k4 k5 k6): thin prisms and tilted sensors are not undone; "
            "undistort image and depth first"
        )
    k1, k2, p1, p2, k3, *rest = [*values[:MOST], *[0.0] * (5 - len(values))]
    model = next((word for word in ("modified", "inverse") if word in name), "brown")
    return Distortion((k1, k2, k3), (p1, p2), tuple(rest), model)


def of_colmap(
    model: str, parameters: Sequence[float], path: object
) -> Distortion | None:
    """Parameters of a line of cameras.txt that follow the principal point.

    Raises:
      InputError: a fisheye lens, or another number of parameters.
    """
    refuse_fisheye(model, path)
    count = COLMAP[model]
    if len(parameters) != count:
        raise InputError(
            f"{path}: {len(parameters)} numbers of distortion; {model} has {count}"
        )
    if count > 2:
        return of_list(parameters, path=path)
    return Distortion(tuple(parameters)) if any(parameters) else None


def refuse_fisheye(name: str, path: object) -> None:
    """Raises InputError for the name of a lens that is none of a pinhole camera."""
    if any(word in name.lower() for word in FISHEYE):
        raise InputError(
            f"{path}: the lens model {name!r} is a fisheye, which is not undone; "
            "expected a pinhole camera with or without Brown-Conrady distortion "
            "(plumb_bob, rational_polynomial): undistort image and depth first"
        )


# Names of single terms: nerfstudio.
_NAMED = ("k1", "k2", "k3", "k4", "p1", "p2")


def _model(content, path):
    """Lower case, words joined by underscores."""
    if content.get("is_fisheye") is True:  # instant-ngp
        refuse_fisheye("fisheye", path)
    for key in MODEL_KEYS:
        if key in content:
            value = content[key]
            name = REALSENSE.get(value, "") if isinstance(value, int) else str(value)
            refuse_fisheye(name, path)
            return name.lower().replace(" ", "_").replace("-", "_")
    return ""


def _numbers(values):
    if isinstance(values, Mapping):
        values = values["data"]
    if not isinstance(values, Sequence) or isinstance(values, str):
        return []
    return [_finite(value) for value in values]


def _finite(value):
    term = number(value, "a term of the distortion")
    if not abs(term) < float("inf"):
        raise NoNumberError(f"a term of the distortion is {value}, not finite")
    return term
