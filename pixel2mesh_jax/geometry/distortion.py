"""Lenses that bend straight lines: Brown and Conrady's models, and how to undo them.

Points are (x, y) on the plane at distance 1 before the camera, x right, y down, as
OpenCV has them. With r the distance from the optical axis, P and Q polynomials in r^2
that begin with 1, and p1, p2 the tangential terms,

    bend(x, y) = (x, y) P(r^2) / Q(r^2)
                 + (2 p1 x y + p2 (r^2 + 2 x^2),  p1 (r^2 + 2 y^2) + 2 p2 x y).

OpenCV, ROS, COLMAP and nerfstudio bend what an ideal camera sees into what the lens
shows. RealSense's inverse model bends what the lens shows into the ideal, and its
modified one takes the tangential terms at the point that is bent already (librealsense,
rsutil.h and doc/projection.md).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Steps of the fixed-point iteration, and how exact its result has to be, pixels.
STEPS, EXACT = 30, 1e-2
# Radii that are tried for where a lens begins to fold over, as a part of the largest.
RADII = 1000


class Distortion(NamedTuple):
    """How a lens bends.

    Attributes:
      radial: factors of r^2, r^4, ... of P.
      tangential: p1, p2.
      denominator: factors of r^2, r^4, ... of Q.
      model: "brown", "modified" or "inverse", see above.
    """

    radial: tuple[float, ...]
    tangential: tuple[float, float] = (0.0, 0.0)
    denominator: tuple[float, ...] = ()
    model: str = "brown"


def bend(
    points: Float[np.ndarray, "*batch 2"], lens: Distortion
) -> Float[np.ndarray, "*batch 2"]:
    """The formula above."""
    squared = np.sum(points**2, axis=-1, keepdims=True)
    scaled = points * _factor(squared, lens)
    base = scaled if lens.model == "modified" else points
    x, y = base[..., :1], base[..., 1:]
    p1, p2 = lens.tangential
    along = 2 * p1 * x * y + p2 * (squared + 2 * x**2)
    down = p1 * (squared + 2 * y**2) + 2 * p2 * x * y
    return scaled + np.concatenate([along, down], axis=-1)


def shown_at(
    points: Float[np.ndarray, "*batch 2"], lens: Distortion, exact: float
) -> Float[np.ndarray, "*batch 2"]:
    """Where a lens shows what an ideal camera sees at points; NaN where it does not.

    Args:
      points: of the ideal camera.
      lens: how it bends.
      exact: largest error of a result.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _shown_at(points, lens, exact)


def _shown_at(points, lens, exact):
    limit = _folds_at(lens, 2 * float(np.abs(points).max()))
    if lens.model != "inverse":
        found, radius = bend(points, lens), points
    else:
        found = radius = _solved(points, lens)
        error = np.abs(bend(found, lens) - points).max(axis=-1, keepdims=True)
        found = np.where(error <= exact, found, np.nan)
    beyond = np.linalg.norm(radius, axis=-1, keepdims=True) > limit
    return np.where(beyond, np.nan, found)


def sources(
    intrinsics: Float[np.ndarray, "3 3"], shape: tuple[int, int], lens: Distortion
) -> Float[np.ndarray, "2 H W"]:
    """Where every pixel of the ideal image is in that of the lens.

    Args:
      intrinsics: of both images, pixels.
      shape: height and width of both.
      lens: how it bends.

    Returns:
      Row and column, NaN where the lens does not show it.
    """
    focal, center = np.diag(intrinsics)[:2], intrinsics[:2, 2]
    rows, columns = np.indices(shape)
    ideal = (np.stack([columns, rows], axis=-1) - center) / focal
    shown = shown_at(ideal, lens, EXACT / float(focal.max())) * focal + center
    return np.moveaxis(shown[..., ::-1], -1, 0)


def _factor(squared, lens):
    return _polynomial(squared, lens.radial) / _polynomial(squared, lens.denominator)


def _polynomial(squared, factors):
    value = np.zeros_like(squared)
    for factor in reversed(factors):
        value = squared * (factor + value)
    return 1 + value


def _folds_at(lens, largest):
    """The radius beyond which a point is bent nearer to the axis than another one."""
    radii = np.linspace(0, largest, RADII + 1)
    bent = radii * _factor(radii**2, lens)
    falls = np.flatnonzero(~(np.diff(bent) > 0))
    return radii[falls[0]] if falls.size else np.inf


def _solved(points, lens):
    """The points that are bent into these, by a fixed-point iteration."""
    found = points
    for _ in range(STEPS):
        squared = np.sum(found**2, axis=-1, keepdims=True)
        factor = _factor(squared, lens)
        sideways = bend(found, lens) - found * factor
        found = (points - sideways) / factor
    return found
