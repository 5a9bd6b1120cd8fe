"""Meshes of voxels that touch along an edge, made into manifolds. On the host.

Where two voxels share nothing but an edge, four faces meet there, and a program that
wants two calls the mesh open. Each voxel gets a middle of the edge of its own; no
surface moves, and no vertex that was there.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int


def owners(
    lattice: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Int[np.ndarray, " F"]:
    """Numbers of the voxels that the faces belong to.

    Args:
      lattice: vertices of half squares of side 1, as `cubify` makes them.
      faces: counter-clockwise seen from outside of the voxel.
    """
    corners = lattice[faces].astype(np.float64)
    middle = (corners.min(axis=1) + corners.max(axis=1)) / 2  # of the whole square
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    # (d, r, c) is (x, y, z) turned by a rotation and a mirror.
    inward = np.cross(first, second)
    voxel = np.round(2 * middle + inward).astype(np.int64)
    return np.unique(voxel, axis=0, return_inverse=True)[1].ravel()


def separated(
    stages: Sequence[Float[np.ndarray, "V 3"]],
    faces: Int[np.ndarray, "F 3"],
    owner: Int[np.ndarray, " F"],
) -> tuple[list[Float[np.ndarray, "W 3"]], Int[np.ndarray, "G 3"]]:
    """Positions and faces in which every edge has two faces.

    Args:
      stages: any number of positions of the vertices of one mesh.
      faces: closed; edges of more than two faces have two of each owner.
      owner: of every face.

    Returns:
      The positions with further vertices, each in the middle of an edge or a face, and
      the faces, those at crowded edges cut around their middle.
    """
    sides = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1)  # (F, 3, 2)
    edges = np.sort(sides.reshape(-1, 2), axis=1)
    _, edge, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    edge = edge.reshape(faces.shape)
    crowded = count[edge] > 2
    cut = crowded.any(axis=1)
    keys = np.stack([edge, np.broadcast_to(owner[:, None], edge.shape)], axis=-1)
    _, first, middle = np.unique(
        keys[crowded], axis=0, return_index=True, return_inverse=True
    )
    ends = sides[crowded][first]
    new = [
        np.concatenate([x, x[ends].mean(axis=1), x[faces[cut]].mean(axis=1)])
        for x in stages
    ]
    num_old, num_middles = len(stages[0]), len(ends)
    center = num_old + num_middles + np.cumsum(cut) - 1
    between = np.full(faces.shape, -1)
    between[crowded] = num_old + middle.ravel()
    return new, np.concatenate(
        [faces[~cut], *_around(sides, between, crowded, cut, center)]
    ).astype(np.int32)


def _around(sides, between, crowded, cut, center):
    """Triangles from the middle of each cut face to the parts of its sides."""
    for side in range(3):
        start, end = sides[:, side].T
        whole, halved = cut & ~crowded[:, side], crowded[:, side]
        middle = between[:, side]
        yield np.stack([center, start, end], axis=1)[whole]
        yield np.stack([center, start, middle], axis=1)[halved]
        yield np.stack([center, middle, end], axis=1)[halved]
