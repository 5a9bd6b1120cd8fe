"""Slow, obvious reference implementations: float64 numpy, one loop per sum sign."""

import numpy as np

from pixel2mesh_jax.io import dat


def nearest(a, b):
    """Row of `b` that is nearest to each row of `a`, and the squared distance."""
    index = np.zeros(len(a), int)
    squared = np.zeros(len(a))
    for i, p in enumerate(np.asarray(a, np.float64)):
        distances = [np.sum((p - q) ** 2) for q in np.asarray(b, np.float64)]
        index[i] = np.argmin(distances)
        squared[i] = distances[index[i]]
    return index, squared


def chamfer(a, b):
    """Mean squared distance from `a` to `b` plus from `b` to `a`."""
    return np.mean(nearest(a, b)[1]) + np.mean(nearest(b, a)[1])


def f_score(a, b, threshold):
    """Harmonic mean of the shares of points within the squared threshold."""
    precision = sum(d <= threshold for d in nearest(a, b)[1]) / len(a)
    recall = sum(d <= threshold for d in nearest(b, a)[1]) / len(b)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def directed_edges(faces):
    """Both directions of every edge of the triangles, without repetition, sorted."""
    pairs = set()
    for a, b, c in faces.tolist():
        pairs |= {(a, b), (b, a), (b, c), (c, b), (c, a), (a, c)}
    return sorted(pairs)


def neighbors(faces):
    """Sorted one-ring of every vertex."""
    rings = [[] for _ in range(int(np.max(faces)) + 1)]
    for a, b in directed_edges(faces):
        rings[a].append(b)
    return rings


def adjacency(faces):
    """Dense symmetric 0/1 matrix."""
    rings = neighbors(faces)
    matrix = np.zeros((len(rings), len(rings)))
    for vertex, ring in enumerate(rings):
        matrix[vertex, ring] = 1
    return matrix


def chebyshev_operator(faces):
    """Dense T1 = 2 / lmax (I - D^-1/2 A D^-1/2) - I."""
    matrix = adjacency(faces)
    scale = np.diag(matrix.sum(axis=1) ** -0.5)
    identity = np.eye(len(matrix))
    laplacian = identity - scale @ matrix @ scale
    return 2 / np.linalg.eigvalsh(laplacian).max() * laplacian - identity


def normalized_adjacency(faces):
    """Dense D^-1/2 (A + I) D^-1/2, D the row sums of A + I."""
    matrix = adjacency(faces)
    matrix = matrix + np.eye(len(matrix))
    scale = np.diag(matrix.sum(axis=1) ** -0.5)
    return scale @ matrix @ scale


def laplacian_coordinates(vertices, faces):
    """Vertex minus the mean of its neighbours."""
    vertices = np.asarray(vertices, np.float64)
    return np.stack(
        [
            vertices[i] - vertices[ring].mean(axis=0)
            for i, ring in enumerate(neighbors(faces))
        ]
    )


def edge_loss(vertices, faces):
    """Mean squared length of the edges."""
    vertices = np.asarray(vertices, np.float64)
    return np.mean(
        [np.sum((vertices[a] - vertices[b]) ** 2) for a, b in directed_edges(faces)]
    )


def laplacian_loss(after, before, faces):
    """Mean squared change of the Laplacian coordinates."""
    change = laplacian_coordinates(after, faces) - laplacian_coordinates(before, faces)
    return np.mean([np.sum(row**2) for row in change])


def move_loss(after, before):
    """Mean squared displacement."""
    return np.mean([np.sum((p - q) ** 2) for p, q in zip(after, before, strict=True)])


def normal_loss(vertices, faces, points, normals):
    """Mean |cosine| between edges and the true normal nearest to their first vertex."""
    vertices = np.asarray(vertices, np.float64)
    index, _ = nearest(vertices, points)
    cosines = []
    for a, b in directed_edges(faces):
        edge, normal = vertices[a] - vertices[b], np.asarray(normals, float)[index[a]]
        lengths = np.linalg.norm(edge) * np.linalg.norm(normal)
        cosines.append(abs(edge @ normal) / lengths if lengths else 0.0)
    return np.mean(cosines)


def squared_normal_loss(vertices, faces, points, normals):
    """Mean squared inner product of edges and the unit normal of their first vertex."""
    vertices = np.asarray(vertices, np.float64)
    index, _ = nearest(vertices, points)
    products = []
    for a, b in directed_edges(faces):
        normal = np.asarray(normals, float)[index[a]]
        edge = vertices[a] - vertices[b]
        products.append((edge @ normal / np.linalg.norm(normal)) ** 2)
    return np.mean(products)


def cross_entropy(predicted, true):
    """Sum over all values of -t log p - (1 - t) log(1 - p)."""
    pairs = zip(np.ravel(predicted), np.ravel(true), strict=True)
    return sum(-t * np.log(p) - (1 - t) * np.log(1 - p) for p, t in pairs)


def bilinear(feature_map, u, v):
    """Value of one (H, W, C) map at one position in cells, clamped to the border."""
    height, width, _ = feature_map.shape
    u, v = min(max(u, 0), width - 1), min(max(v, 0), height - 1)
    total = 0
    for row in range(height):
        for column in range(width):
            weight = max(0, 1 - abs(u - column)) * max(0, 1 - abs(v - row))
            total = total + weight * np.asarray(feature_map[row, column], np.float64)
    return total


def batched(function, *arrays):
    """Mean of `function` over the leading axis of all arrays."""
    return np.mean([function(*row) for row in zip(*arrays, strict=True)])


def released_levels(path):
    """Faces and edges of the three levels in `info_ellipsoid.dat`.

    The file holds [end, end, opposite, opposite] for every edge, and the edges of the
    two coarse levels in the order of unpooling. Winding is not recorded.
    """
    contents = dat.load(path)
    faces = []
    for wings in contents[5]:
        triangles = np.concatenate([wings[:, [0, 1, 2]], wings[:, [0, 1, 3]]])
        faces.append(np.unique(np.sort(triangles, axis=1), axis=0).astype(np.int32))
    return list(zip(faces, [*contents[4], None], strict=True))
