"""The object of a depth map: what stands on the plane that most of the rest lies on.

A table, a floor or a wall is found by random triples of points (RANSAC, Fischler and
Bolles 1981); what rises above it falls into pieces where depth jumps, and the piece
that is large and near the middle is the object.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from pixel2mesh_jax.geometry import depth_parts

# Depth sensors at arm's length are wrong by about this part of the distance.
NOISE = 0.006
# Random planes that are tried, on so many points at most.
TRIALS = 500
MAX_POINTS = 4000
# A plane that carries an object has this part of all points on it, and at most this
# part of the other ones below it.
LEAST_ON_PLANE = 0.15
MOST_BELOW = 0.1
# A depth map is cut out if this part of the pixels at its border is missing.
CUT_OUT_BORDER = 0.95
# An object has at least this part of the pixels that are looked at.
LEAST_PART = 0.005
# Standard deviation of the weight of a pixel by its distance from the middle, in half
# sides of the image.
CENTRAL = 0.5


class Plane(NamedTuple):
    """Points x with normal · x = offset; the camera is where that is larger."""

    normal: Float[np.ndarray, "3"]
    offset: float


def object_mask(
    depth: Float[np.ndarray, "H W"],
    intrinsics: Float[np.ndarray, "3 3"],
    box: tuple[int, int, int, int] | None = None,
) -> Bool[np.ndarray, "H W"] | None:
    """Where the object is.

    Args:
      depth: along the optical axis, in any unit, 0 = missing.
      intrinsics: pixels.
      box: left, top, right, bottom of the part that holds the object, pixels; the plane
        is looked for in the whole image.

    Returns:
      The object, holes filled; None if there is no plane with something on it. A depth
      map that is cut out itself is the object.
    """
    points = unprojected(depth, intrinsics)
    valid, focal = depth > 0, float(min(intrinsics[0, 0], intrinsics[1, 1]))
    if box is None and valid.any() and _is_cut_out(valid):
        return ndimage.binary_fill_holes(valid)
    plane = supporting_plane(points[valid])
    if plane is None:
        return None
    height = points @ plane.normal - plane.offset
    above = valid & (height > 2 * NOISE * depth)
    if box is not None:
        left, top, right, bottom = box
        inside = np.zeros_like(above)
        inside[max(top, 0) : bottom, max(left, 0) : right] = True
        above &= inside
    piece = _best_piece(depth_parts.label(above, depth, focal), box)
    return None if piece is None else ndimage.binary_fill_holes(piece)


def unprojected(
    depth: Float[np.ndarray, "H W"], intrinsics: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "H W 3"]:
    """Points in OpenCV's axes (y down, z forward), unit of the depth."""
    rows, columns = np.indices(depth.shape)
    x = (columns - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (rows - intrinsics[1, 2]) / intrinsics[1, 1]
    return np.stack([x, y, np.ones_like(x)], axis=-1) * depth[..., None]


def supporting_plane(points: Float[np.ndarray, "N 3"]) -> Plane | None:
    """The plane with most points on it, and hardly any beyond it.

    Args:
      points: in a camera frame with z forward, the camera in the origin.

    Returns:
      The same for the same points; None if no plane has enough of them.
    """
    if len(points) < 3:
        return None
    random = np.random.default_rng(0)
    some = points[random.permutation(len(points))[:MAX_POINTS]]
    normals, offsets = _random_planes(some, random)
    heights = some @ normals.T - offsets  # (points, planes)
    tolerance = NOISE * some[:, 2:]
    on_plane = np.abs(heights) < tolerance
    below = (heights <= -tolerance).sum(axis=0)
    others = np.maximum((~on_plane).sum(axis=0), 1)
    counts = np.where(below <= MOST_BELOW * others, on_plane.sum(axis=0), 0)
    best = int(np.argmax(counts))
    if counts[best] < LEAST_ON_PLANE * len(some):
        return None
    return _fitted(some[on_plane[:, best]])


def _random_planes(points, random):
    """Planes through triples of points, the camera above them."""
    a, b, c = points[random.integers(len(points), size=(3, TRIALS))]
    normals = np.cross(b - a, c - a)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    kept = lengths[:, 0] > 1e-9 * (points[:, 2].max() ** 2)
    normals = normals[kept] / lengths[kept]
    offsets = np.sum(normals * a[kept], axis=1)
    sign = np.where(offsets > 0, -1, 1)  # the origin has height -offset
    return normals * sign[:, None], offsets * sign


def _fitted(points):
    """Least squares."""
    middle = points.mean(axis=0)
    normal = np.linalg.svd(points - middle, full_matrices=False)[2][-1]
    offset = float(normal @ middle)
    return Plane(-normal, -offset) if offset > 0 else Plane(normal, offset)


def _is_cut_out(valid):
    border = np.concatenate([valid[0], valid[-1], valid[:, 0], valid[:, -1]])
    return np.mean(~border) >= CUT_OUT_BORDER


def _best_piece(labels, box):
    """The piece with the largest sum of weights that fall from the middle outward."""
    height, width = labels.shape
    left, top, right, bottom = (0, 0, width, height) if box is None else box
    rows, columns = np.indices(labels.shape)
    u = (2 * columns + 1 - left - right) / max(right - left, 1)
    v = (2 * rows + 1 - top - bottom) / max(bottom - top, 1)
    weights = np.exp(-(u**2 + v**2) / (2 * CENTRAL**2))
    sums = np.bincount(labels.ravel(), weights.ravel())
    sums[0] = 0
    best = int(np.argmax(sums))
    piece = labels == best
    area = max(right - left, 0) * max(bottom - top, 0)
    return piece if best and piece.sum() >= LEAST_PART * area else None
