"""Faces of a mesh that cross each other; float64 on the host.

Two triangles cross where an edge of one passes through the inside of the other. Faces
that share a corner are neighbours, which touch by right.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

# An edge that passes a triangle this close to its border, as a share of its sides,
# touches it and does not cross it.
MARGIN = 1e-9
# Pairs of faces that are looked at together; bounds the memory.
CHUNK = 200_000


def crossing_faces(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Bool[np.ndarray, " F"]:
    """Which faces cross another face that is not their neighbour.

    Faces in one plane that overlap are not found.
    """
    found = np.zeros(len(faces), bool)
    corners = np.asarray(vertices, np.float64)[faces]
    pairs = _near_pairs(corners)
    for start in range(0, len(pairs), CHUNK):
        first, second = pairs[start : start + CHUNK].T
        shared = (faces[first][:, :, None] == faces[second][:, None]).any(axis=(1, 2))
        first, second = first[~shared], second[~shared]
        cross = _pierces(corners[first], corners[second])
        cross |= _pierces(corners[second], corners[first])
        found[first[cross]] = found[second[cross]] = True
    return found


def self_intersection(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> float:
    """Share of the faces that cross another one, in [0, 1]."""
    return float(crossing_faces(vertices, faces).mean()) if len(faces) else 0.0


def _near_pairs(corners):
    """Pairs of faces, (N, 2), whose boxes overlap."""
    low, high = corners.min(axis=1), corners.max(axis=1)
    middle, radius = (low + high) / 2, np.linalg.norm(high - low, axis=1) / 2
    # Large faces look for all that they reach, small ones for those as small.
    large = radius > 2 * np.median(radius)
    small = np.flatnonzero(~large)
    pairs = [np.zeros((0, 2), np.int64)]
    if len(small):
        tree = cKDTree(middle[small])
        near = tree.query_pairs(2 * radius[small].max(), output_type="ndarray")
        pairs.append(small[near])
    everything = cKDTree(middle)
    for face in np.flatnonzero(large):
        others = everything.query_ball_point(middle[face], radius[face] + radius.max())
        others = np.array([other for other in others if other != face], np.int64)
        pairs.append(np.column_stack([np.full_like(others, face), others]))
    first, second = np.concatenate(pairs).T
    overlap = (low[first] <= high[second]) & (low[second] <= high[first])
    keep = overlap.all(axis=1)
    return np.column_stack([first[keep], second[keep]])


def _pierces(a, b):
    """Whether an edge of `a` passes through the inside of `b`; triangles (N, 3, 3)."""
    side, other = b[:, 1] - b[:, 0], b[:, 2] - b[:, 0]
    normal = np.cross(side, other)
    heights = np.einsum("nki,ni->nk", a - b[:, :1], normal)
    found = np.zeros(len(a), bool)
    for start, end in ((0, 1), (1, 2), (2, 0)):
        crosses = heights[:, start] * heights[:, end] < 0
        drop = np.where(crosses, heights[:, start] - heights[:, end], 1)
        share = (heights[:, start] / drop)[:, None]
        place = a[:, start] + share * (a[:, end] - a[:, start]) - b[:, 0]
        area = np.einsum("ni,ni->n", normal, normal)
        area = np.where(area > 0, area, np.inf)
        u = np.einsum("ni,ni->n", np.cross(place, other), normal) / area
        v = np.einsum("ni,ni->n", np.cross(side, place), normal) / area
        inside = (u > MARGIN) & (v > MARGIN) & (u + v < 1 - MARGIN)
        found |= crosses & inside
    return found
