"""Patches of a triangle soup: faces that agree about which side is which.

Vertices of mesh files are split at every seam of normals or texture, so they are joined
by position first. A model may repeat a face, often wound the other way round, to be
seen from both sides; the copies count as one face here.
"""

from typing import NamedTuple

import igl
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

# Patches that `igl.bfs_orient` gets at once: its time grows with their square.
MOST_PATCHES = 2**13
# Vertices nearer than this share of the longest side of the bounding box are one.
WELD = 2.0**-16


class Patches(NamedTuple):
    """Faces gathered across the edges that belong to exactly two of them.

    Attributes:
      patch: number of the patch of a face; -1 for a face without area.
      reverse: the face is wound against its patch.
      first: no earlier face has the same three corners; false without area.
    """

    patch: Int[np.ndarray, " F"]
    reverse: Bool[np.ndarray, " F"]
    first: Bool[np.ndarray, " F"]


def find_patches(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Patches:
    """Gathers the faces of any triangle soup; see `Patches`."""
    used = np.unique(faces)
    places = np.zeros(len(vertices), np.int64)
    places[used] = weld(vertices[used])
    welded = places[faces]
    rows, copy_of = _distinct_faces(welded)
    patch = np.full(len(faces), -1)
    reverse, first = np.zeros(len(faces), bool), np.zeros(len(faces), bool)
    if len(rows):
        agreed, number = _bfs_orient(welded[rows])
        known = copy_of >= 0
        patch[known] = number[copy_of[known]]
        reverse[known] = ~_same_winding(welded[known], agreed[copy_of[known]])
        first[rows] = True
    return Patches(patch, reverse, first)


def weld(vertices: Float[np.ndarray, "V 3"]) -> Int[np.ndarray, " V"]:
    """Numbers the places where vertices lie; equal for equal places, see `WELD`."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    unit = (vertices - low) / max((high - low).max(), np.finfo(float).tiny)
    x, y, z = np.round(unit / WELD).astype(np.int64).T
    return np.unique((x << 40) | (y << 20) | z, return_inverse=True)[1]


def _bfs_orient(faces):
    """`igl.bfs_orient`, with many patches in several turns."""
    if len(faces) <= MOST_PATCHES:
        return igl.bfs_orient(faces)
    number = _connected(faces)
    agreed, patch, count = faces.copy(), np.zeros(len(faces), np.int64), 0
    order = np.argsort(number, kind="stable")
    turns = np.searchsorted(number[order], np.arange(0, number.max() + 1, MOST_PATCHES))
    for turn in np.split(order, turns[1:]):
        rows = np.sort(turn)
        own, corners = np.unique(faces[rows], return_inverse=True)
        turned, numbers = igl.bfs_orient(corners.reshape(-1, 3))
        agreed[rows], patch[rows] = own[turned], numbers + count
        count += numbers.max() + 1
    return agreed, patch


def _connected(faces):
    """Numbers of the patches: faces across edges that belong to exactly two of them."""
    ends = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2), axis=2)
    edge = ends[..., 0].ravel() * (faces.max() + 1) + ends[..., 1].ravel()
    order = np.argsort(edge, kind="stable")
    _, start, count = np.unique(edge[order], return_index=True, return_counts=True)
    start = start[count == 2]
    pairs = order[start] // 3, order[start + 1] // 3
    links = sparse.coo_array(
        (np.ones(len(start), bool), pairs), shape=(len(faces), len(faces))
    )
    return sparse.csgraph.connected_components(links, directed=False)[1]


def _distinct_faces(faces):
    """Rows of the first face of each set of corners; for every face its place there.

    A face of fewer than three corners has place -1.
    """
    a, b, c = np.sort(faces, axis=1).T
    count = c.max(initial=0) + 1
    pair = np.unique(a * count + b, return_inverse=True)[1]
    proper = np.flatnonzero((a < b) & (b < c))
    _, first, place = np.unique(
        (pair * count + c)[proper], return_index=True, return_inverse=True
    )
    copy_of = np.full(len(faces), -1)
    copy_of[proper] = place
    return proper[first], copy_of


def _same_winding(a, b):
    """Whether faces with the same corners name them in the same cyclic order."""
    start = (b == a[:, :1]).argmax(axis=1)
    follower = np.take_along_axis(b, ((start + 1) % 3)[:, None], axis=1)[:, 0]
    return follower == a[:, 1]
