"""Shows the network an object the way that it saw objects in training.

The networks learned from 3D-R2N2 views: one lens, the object in the middle, about 0.8 m
away in a world where its box diagonal is 0.57 m, hence its front at about 0.72 m. A
real image has another lens, and the object may be small, off-centre and of any size.
So: cut a square around the object, take it for an image of the R2N2 camera, and move
and scale depth along. An image that looks like that already stays as it is; its depth
is scaled all the same, so that the networks see every object in one unit.

    image, f, c                      square = canonical image, f' = 35/32 side
    +------------------+               +--------+
    |      +-----+     |  cut          |  ____  |    front at 0.72 m
    |      |  o  |     |  -------->    | (    ) |    0.6 of the side
    |      +-----+     |               |  ‾‾‾‾  |
    +------------------+               +--------+

Between the two frames the pixel of a point stays and its depth is mapped by
`z' = 0.72 + scale (z - z_object)`, where `scale` makes the object as deep as it is
wide: weak perspective. An image that stays keeps its lens too, and the map then is a
scaling of the world around the camera. The map has an exact inverse, which puts a
predicted mesh back into the real camera frame in real metres.

Everything is numpy on the host; lengths are metres.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from pixel2mesh_jax.geometry import camera

# Median depth of what is seen of an object in the canonical frame, metres: the mean of
# the R2N2 distances 0.65..0.95, minus 0.08 by which the visible side is nearer than the
# middle of the object (median over 158 rendered views of 79 models).
CANONICAL_DEPTH = 0.72
# Longer side of the object's box as a part of the image. In 54 public R2N2 views: 0.34
# to 0.82, median 0.57; in 158 views rendered from 79 models the median is 0.62.
TARGET_FILL = 0.6
# What still passes for an R2N2 view: box side over image side, distance of the box from
# the middle over image side (0.11 in those 54 views), and relative deviation of the
# focal length and of the principal point. Not the distance: depth is scaled anyway.
TYPICAL_FILL = (0.3, 0.9)
TYPICAL_OFFSET = 0.15
TYPICAL_LENS_DEVIATION = 0.05
# A pixel belongs to the object where at least half of it is covered.
COVERED = 0.5
# Points that the inverse map would put behind the camera stop here, as a part of the
# depth of the object. Happens only to outliers of a wide lens.
NEAREST = 0.05
# A prediction is moved to the measured depth if it covers this many pixels of it; with
# fewer, where it covers none of the object, the middles of both have to do.
MIN_OVERLAP = 16


class Box(NamedTuple):
    """Pixels [left, right) x [top, bottom)."""

    left: int
    top: int
    right: int
    bottom: int


class Square(NamedTuple):
    """Pixels of an image that are cut out; may reach beyond its borders."""

    left: int
    top: int
    side: int


class CanonicalView(NamedTuple):
    """How the canonical frame came about, and all that it takes to leave it.

    Attributes:
      square: the canonical image, in pixels of the image.
      intrinsics: of the image, pixels.
      depth: metres to the visible side of the object in the image (median).
      scale: canonical metres per metre, along the optical axis.
      lens: of the canonical camera, in pixels of the image.
      kept: whether that is the lens of the image itself.
    """

    square: Square
    intrinsics: Float[np.ndarray, "3 3"]
    depth: float
    scale: float
    lens: Float[np.ndarray, "3 3"]
    kept: bool = False


def object_box(mask: Shaped[np.ndarray, "H W"]) -> Box:
    """Bounding box of the covered pixels; raises ValueError if there is none.

    Args:
      mask: coverage in [0, 1], or whether a pixel is covered.
    """
    covered = mask >= COVERED
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        raise ValueError("the mask is empty")
    return Box(
        int(columns.min()),
        int(rows.min()),
        int(columns.max()) + 1,
        int(rows.max()) + 1,
    )


def object_depth(
    depth: Float[np.ndarray, "H W"], mask: Shaped[np.ndarray, "H W"]
) -> float | None:
    """Median depth of the object in metres; None if no object pixel has depth."""
    seen = depth[(mask >= COVERED) & (depth > 0)]
    return float(np.median(seen)) if seen.size else None


def square_of_box(box: Box, fill: float = TARGET_FILL) -> Square:
    """Square around a box, whose longer side becomes `fill` of the square's side."""
    width, height = box.right - box.left, box.bottom - box.top
    side = round(max(width, height) / fill)
    return Square(
        round((box.left + box.right - side) / 2),
        round((box.top + box.bottom - side) / 2),
        side,
    )


def square_of_image(shape: tuple[int, int]) -> Square:
    """The smallest square that holds the whole (height, width) image in its middle."""
    height, width = shape
    side = max(height, width)
    return Square((width - side) // 2, (height - side) // 2, side)


def is_canonical(box: Box, side: int, intrinsics: Float[np.ndarray, "3 3"]) -> bool:
    """Whether a square image passes for an R2N2 view as it is.

    Args:
      box: of the object, pixels of the image.
      side: of the image, pixels.
      intrinsics: of the image.
    """
    longest = max(box.right - box.left, box.bottom - box.top) / side
    middle = np.array([box.left + box.right, box.top + box.bottom]) / 2 / side
    return bool(
        TYPICAL_FILL[0] <= longest <= TYPICAL_FILL[1]
        and np.abs(middle - 0.5).max() <= TYPICAL_OFFSET
        and _lens_deviation(intrinsics, side) <= TYPICAL_LENS_DEVIATION
    )


def fit(
    square: Square, intrinsics: Float[np.ndarray, "3 3"], depth: float | None
) -> CanonicalView:
    """Chooses the depth scale that keeps the object as deep as it is wide.

    An object of w pixels at depth z is w z / f wide; in the canonical frame, where the
    same w pixels stand at 0.72 m, it is w 0.72 / f' wide. `scale` is their ratio.

    Args:
      square: what becomes the canonical image.
      intrinsics: of the image, pixels.
      depth: metres to the visible side of the object; without it the frame keeps the
        canonical distance, and lengths have no meaning beyond the canonical ones.
    """
    distance = CANONICAL_DEPTH if depth is None else depth
    focal = np.sqrt(intrinsics[0, 0] * intrinsics[1, 1])
    canonical_focal = camera.R2N2_FOCAL_PER_PIXEL * square.side
    scale = CANONICAL_DEPTH * focal / (distance * canonical_focal)
    lens = camera.crop_intrinsics(
        camera.r2n2_intrinsics(square.side), -square.left, -square.top
    )
    return CanonicalView(square, intrinsics, distance, float(scale), lens)


def keep(
    square: Square, intrinsics: Float[np.ndarray, "3 3"], depth: float
) -> CanonicalView:
    """A view that keeps its lens: the world is scaled until the object is at 0.72 m.

    Args:
      square: what becomes the canonical image.
      intrinsics: of the image, pixels.
      depth: metres to the visible side of the object.
    """
    scale = CANONICAL_DEPTH / depth
    return CanonicalView(square, intrinsics, depth, scale, intrinsics, kept=True)


def depth_ratio(
    measured: Float[np.ndarray, "H W"], predicted: Float[np.ndarray, "H W"]
) -> float:
    """By how much a prediction is too near to the camera (below 1: too far).

    Scaling a mesh by the ratio around the camera leaves its outline where it is and
    puts its visible side, in the median, at the measured depth.

    Args:
      measured: depth of the object, 0 = missing or beside it.
      predicted: depth of the mesh as the same camera sees it, 0 = beside it.

    Returns:
      Median of the ratios where both are known; where they hardly overlap, the ratio of
      the medians; 1 if nothing of the mesh is seen.
    """
    both = (measured > 0) & (predicted > 0)
    if np.count_nonzero(both) >= MIN_OVERLAP:
        return float(np.median(measured[both] / predicted[both]))
    if not (measured > 0).any() or not (predicted > 0).any():
        return 1.0
    return float(
        np.median(measured[measured > 0]) / np.median(predicted[predicted > 0])
    )


def canonical_depth(
    depth: Float[np.ndarray, "*shape"], view: CanonicalView
) -> Float[np.ndarray, "*shape"]:
    """Depth in the canonical frame; 0 (missing) stays 0.

    Depth that would land behind the canonical camera, far from any object, is missing.
    """
    mapped = CANONICAL_DEPTH + view.scale * (depth - view.depth)
    return np.where((depth > 0) & (mapped > 0), mapped, 0).astype(depth.dtype)


def camera_depth(
    depth: Float[np.ndarray, "*shape"], view: CanonicalView
) -> Float[np.ndarray, "*shape"]:
    """Depth in the real camera frame of depth in the canonical one; 0 stays 0."""
    mapped = view.depth + (depth - CANONICAL_DEPTH) / view.scale
    mapped = np.maximum(mapped, NEAREST * view.depth)
    return np.where(depth > 0, mapped, 0).astype(depth.dtype)


def canonical_from_camera(
    points: Float[np.ndarray, "N 3"], view: CanonicalView
) -> Float[np.ndarray, "N 3"]:
    """Points of the real camera frame (z < 0) in the canonical camera frame."""
    mapped = CANONICAL_DEPTH + view.scale * (-points[:, 2] - view.depth)
    return _on_rays(
        camera.project(points, view.intrinsics),
        mapped,
        view.lens,
    )


def camera_from_canonical(
    points: Float[np.ndarray, "N 3"], view: CanonicalView
) -> Float[np.ndarray, "N 3"]:
    """Points of the canonical camera frame (z < 0) in the real camera frame, metres."""
    depth = view.depth + (-points[:, 2] - CANONICAL_DEPTH) / view.scale
    return _on_rays(
        camera.project(points, view.lens),
        np.maximum(depth, NEAREST * view.depth),
        view.intrinsics,
    )


def cut(
    image: Shaped[np.ndarray, "H W *channels"], square: Square
) -> Shaped[np.ndarray, "S S *channels"]:
    """The pixels of a square, zero beyond the borders of the image."""
    height, width = image.shape[:2]
    result = np.zeros((square.side, square.side, *image.shape[2:]), image.dtype)
    left, top = max(square.left, 0), max(square.top, 0)
    right = min(square.left + square.side, width)
    bottom = min(square.top + square.side, height)
    result[
        top - square.top : bottom - square.top, left - square.left : right - square.left
    ] = image[top:bottom, left:right]
    return result


def _lens_deviation(intrinsics, side):
    """Largest relative deviation from the R2N2 camera."""
    deviation = (intrinsics - camera.r2n2_intrinsics(side))[:2] / side
    deviation[0, 0] /= camera.R2N2_FOCAL_PER_PIXEL
    deviation[1, 1] /= camera.R2N2_FOCAL_PER_PIXEL
    return np.abs(deviation).max()


def _on_rays(pixels, depth, intrinsics):
    """Points at `depth` along the optical axis that project to `pixels`."""
    focal = np.array([intrinsics[0, 0], -intrinsics[1, 1]])
    sideways = (pixels - intrinsics[:2, 2]) / focal * depth[:, None]
    return np.concatenate([sideways, -depth[:, None]], axis=1).astype(pixels.dtype)
