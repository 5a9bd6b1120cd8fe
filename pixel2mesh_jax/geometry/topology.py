"""Connectivity of triangle meshes: numpy on the host, computed once per template."""

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from jaxtyping import Int

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.structures import MeshTopology


def make_topology(
    faces: Int[np.ndarray, "F 3"], edges: Int[np.ndarray, "E 2"] | None = None
) -> MeshTopology:
    """Collects everything that losses and graph layers need to know of a mesh.

    Args:
      faces: counter-clockwise seen from outside; every vertex 0..V-1 is used.
      edges: undirected edges in the order in which unpooling appends their midpoints;
        the sorted unique edges of the faces if not given.

    Raises:
      InputError: `edges` are not exactly the edges of `faces`.
    """
    faces = np.asarray(faces, np.int32)
    found = unique_edges(faces)
    edges = found if edges is None else _checked_edges(edges, found)
    neighbors, incident, signs = _one_rings(edges, num_vertices=faces.max() + 1)
    mask = np.abs(signs)
    diagonal, weights = _chebyshev(edges, neighbors, mask)
    return MeshTopology(
        faces, edges, neighbors, mask, incident, signs, weights, diagonal
    )


def unique_edges(faces: Int[np.ndarray, "F 3"]) -> Int[np.ndarray, "E 2"]:
    """Undirected edges, each once, `edges[:, 0] < edges[:, 1]`, sorted by row."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(directed, axis=1), axis=0).astype(np.int32)


def face_pairs(faces: Int[np.ndarray, "F 3"]) -> Int[np.ndarray, "P 4"]:
    """Pairs of faces that share an edge: its two ends, then the corner of each face.

    An edge of one face has no pair, one of three faces (not a manifold) has three.

          c
         / \\
        a---b      row (a, b, c, d): edge ab, faces abc and bad
         \\ /
          d
    """
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    corners = faces[:, [2, 0, 1]].ravel()
    order = np.lexsort([edges[:, 1], edges[:, 0]])
    edges, corners = edges[order], corners[order]
    pairs = [np.zeros((0, 4), np.int32)]
    for step in range(1, len(edges)):
        shared = np.flatnonzero((edges[step:] == edges[:-step]).all(axis=1))
        if not len(shared):
            break
        opposite = corners[shared], corners[shared + step]
        pairs.append(np.column_stack([edges[shared], *opposite]))
    return np.concatenate(pairs).astype(np.int32)


def subdivide(topology: MeshTopology) -> MeshTopology:
    """Splits every triangle in four at the edge midpoints, keeping the winding.

           a
          / \\
        ab---ca      vertex V + e is the middle of edge e
        / \\ / \\
       b---bc--c
    """
    faces, num_vertices = topology.faces, len(topology.neighbors)
    ab, bc, ca = (
        num_vertices + _edge_rows(topology.edges, faces[:, pair])
        for pair in ([0, 1], [1, 2], [2, 0])
    )
    a, b, c = faces.T
    split = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return make_topology(np.concatenate([np.stack(face, axis=1) for face in split]))


def is_watertight(faces: Int[np.ndarray, "F 3"]) -> bool:
    """Every edge belongs to two faces that run along it in opposite directions."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    forward = np.unique(directed, axis=0)
    backward = np.unique(directed[:, ::-1], axis=0)
    return len(forward) == len(directed) and np.array_equal(forward, backward)


def _checked_edges(edges, found):
    edges = np.asarray(edges, np.int32)
    unique = np.unique(np.sort(edges, axis=1), axis=0)
    if len(edges) != len(found) or not np.array_equal(unique, found):
        raise InputError(
            f"Edges do not match the faces: expected {len(found)} unique edges of the "
            f"triangles, got {len(edges)} rows."
        )
    return edges


def _edge_rows(edges, pairs):
    """Row of `edges` that holds each pair, in either direction."""
    size = edges.max() + 1
    keys = np.sort(edges, axis=1) @ np.array([size, 1], np.int64)
    order = np.argsort(keys)
    wanted = np.sort(pairs, axis=1) @ np.array([size, 1], np.int64)
    return order[np.searchsorted(keys, wanted, sorter=order)].astype(np.int32)


def _one_rings(edges, num_vertices):
    """Padded neighbours, incident edges and their signs, one row per vertex."""
    owner = np.concatenate([edges[:, 0], edges[:, 1]])
    other = np.concatenate([edges[:, 1], edges[:, 0]])
    edge = np.tile(np.arange(len(edges)), 2)
    sign = np.repeat([1.0, -1.0], len(edges))
    order = np.lexsort([other, owner])
    degree = np.bincount(owner, minlength=num_vertices)
    row = owner[order]
    column = np.arange(len(order)) - np.repeat(np.cumsum(degree) - degree, degree)
    shape = (num_vertices, degree.max())
    neighbors, incident = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    signs = np.zeros(shape, np.float32)
    neighbors[row, column] = other[order]
    incident[row, column] = edge[order]
    signs[row, column] = sign[order]
    return neighbors, incident, signs


def _chebyshev(edges, neighbors, mask):
    """Entries of T1 = 2 / lmax (I - D^-1/2 A D^-1/2) - I.

    Defferrard et al., Convolutional Neural Networks on Graphs, 2016: order 1.
    """
    scale = 1 / np.sqrt(mask.sum(axis=1, dtype=np.float64))
    largest = _largest_eigenvalue(normalized_laplacian(edges, len(scale)))
    weights = -(2 / largest) * mask * scale[:, None] * scale[neighbors]
    diagonal = np.full(len(scale), 2 / largest - 1, np.float32)
    return diagonal, weights.astype(np.float32)


def normalized_laplacian(
    edges: Int[np.ndarray, "E 2"], num_vertices: int
) -> scipy.sparse.csr_matrix:
    """I - D^-1/2 A D^-1/2 in float64."""
    rows = np.concatenate([edges[:, 0], edges[:, 1]])
    columns = np.concatenate([edges[:, 1], edges[:, 0]])
    degree = np.bincount(rows, minlength=num_vertices)
    values = -1 / np.sqrt(degree[rows] * degree[columns])
    shape = (num_vertices, num_vertices)
    return scipy.sparse.identity(num_vertices, format="csr") + scipy.sparse.csr_matrix(
        (values, (rows, columns)), shape
    )


def _largest_eigenvalue(matrix: scipy.sparse.csr_matrix) -> float:
    # A fixed start vector makes the iteration, and so the operator, reproducible.
    start = np.random.default_rng(0).standard_normal(matrix.shape[0])
    largest = scipy.sparse.linalg.eigsh(
        matrix, k=1, which="LA", v0=start, return_eigenvectors=False
    )
    return float(largest[0])
