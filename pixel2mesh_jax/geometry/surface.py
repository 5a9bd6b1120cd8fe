"""Areas, normals, volume and random points of one triangle mesh.

Faces are counter-clockwise seen from outside, so normals point outward. The functions
accept numpy and JAX arrays and return what they were given, unless they say otherwise.
Lengths are in the unit of the vertices (metres), in whatever frame these are in.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Key

from pixel2mesh_jax.structures import Array


def face_areas(
    vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"]
) -> Float[Array, " F"]:
    """Areas; zero, with a zero gradient, where the corners lie on one line."""
    return 0.5 * safe_norm(_area_vectors(vertices, faces))


def face_normals(
    vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"]
) -> Float[Array, "F 3"]:
    """Unit normals; the zero vector, with a zero gradient, where the area is zero."""
    return _safe_unit(_area_vectors(vertices, faces))


def vertex_normals(
    vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"]
) -> Float[Array, "V 3"]:
    """Unit normals, the mean of the adjacent faces weighted by area.

    The zero vector for a vertex that no face of positive area uses. NumPy's arrays stay
    such: JAX would compile its programs anew for every size of a mesh, in 0.7 s.
    """
    vectors = _area_vectors(vertices, faces)
    if isinstance(vertices, np.ndarray):
        return _safe_unit(_sums_at_vertices(vectors, faces, vertices))
    return _safe_unit(jnp.zeros_like(vertices).at[faces].add(vectors[:, None, :]))


def _sums_at_vertices(vectors, faces, vertices):
    """Sum of the vectors of the faces around every vertex."""
    corners = np.asarray(faces).ravel()
    columns = [
        np.bincount(corners, np.repeat(column, 3), len(vertices))
        for column in np.asarray(vectors).T
    ]
    return np.stack(columns, axis=1).astype(vertices.dtype)


def safe_norm(vectors: Float[Array, "*batch D"]) -> Float[Array, "*batch"]:
    """Lengths; 0 with gradient 0 for the zero vector."""
    xp = vectors.__array_namespace__()
    squared = xp.sum(vectors * vectors, axis=-1)
    positive = squared > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, squared, 1)), 0)


def signed_volume(
    vertices: Float[Array, "V 3"], faces: Int[Array, "F 3"]
) -> Float[Array, ""] | np.floating:
    """Enclosed volume of a closed mesh, negative if its faces point inward.

    Sum of the tetrahedra between the faces and the mean vertex, which keeps the numbers
    small where the mesh is far from the origin.
    """
    xp = vertices.__array_namespace__()
    a, b, c = _corners(vertices - xp.mean(vertices, axis=0, keepdims=True), faces)
    return xp.sum(a * xp.linalg.cross(b, c)) / 6


def oriented_outward(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Int[np.ndarray, "F 3"]:
    """Faces of a consistently wound closed mesh, all pointing outward. Host only.

    Every face is reversed if the signed volume is negative; a mesh of mixed winding
    stays mixed.
    """
    inward = signed_volume(vertices.astype(np.float64), faces) < 0
    return np.ascontiguousarray(faces[:, ::-1]) if inward else faces


def sample_points(
    key: Key[Array, ""],
    vertices: Float[Array, "V 3"],
    faces: Int[Array, "F 3"],
    num_points: int,
) -> tuple[Float[jax.Array, "N 3"], Float[jax.Array, "N 3"]]:
    """Draws points uniformly from the surface.

    Differentiable with respect to the vertices; the choice of face and the barycentric
    weights are constants. Faces of zero area are never drawn, unless there are no
    others: then all points lie on the first face and their normals are zero.

    Args:
      key: random key; the same key gives the same points.
      vertices: positions.
      faces: rows of `vertices`.
      num_points: N, static.

    Returns:
      The points and the unit normals of their faces.
    """
    vertices, faces = jnp.asarray(vertices), jnp.asarray(faces)
    places = sample_places(key, vertices, faces, num_points)
    points = at_places(vertices, faces, places)
    return points, face_normals(vertices, faces)[places.face]


class Places(NamedTuple):
    """Places on a surface.

    Attributes:
      face: row of the faces.
      weights: barycentric, of its three corners.
    """

    face: Int[Array, " N"]
    weights: Float[Array, "3 N"]


def sample_places(
    key: Key[Array, ""],
    vertices: Float[Array, "V 3"],
    faces: Int[Array, "F 3"],
    num_points: int,
) -> Places:
    """Draws places as `sample_points` does; without a gradient."""
    face_key, corner_key = jax.random.split(key)
    face = _draw_faces(face_key, face_areas(vertices, faces), num_points)
    u, v = jax.random.uniform(corner_key, (2, num_points), vertices.dtype)
    root = jnp.sqrt(u)
    return Places(face, jnp.stack([1 - root, root * (1 - v), root * v]))


def at_places(
    values: Float[Array, "V C"], faces: Int[Array, "F 3"], places: Places
) -> Float[jax.Array, "N C"]:
    """Values of the vertices, such as positions or colours, linear on every face."""
    corners = jnp.stack(_corners(values, faces[places.face]))
    return jnp.sum(places.weights[..., None] * corners, axis=0)


def sample_places_on_host(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    num_points: int,
    rng: np.random.Generator,
) -> tuple[Int[np.ndarray, " N"], Float[np.ndarray, "N 3"]]:
    """Places uniform in area, on the host: face numbers and barycentric weights.

    Faces of zero area are never drawn.
    """
    return _sample_places(face_areas(vertices, faces), num_points, rng)


def _sample_places(areas, num_points, rng):
    candidates = np.flatnonzero(areas > 0)
    ends = np.cumsum(areas[candidates])
    drawn = np.searchsorted(ends, rng.random(num_points) * ends[-1], side="right")
    face = candidates[np.minimum(drawn, len(candidates) - 1)]
    # Uniform on a triangle: the square root makes up for the narrowing tip.
    root, v = np.sqrt(rng.random(num_points)), rng.random(num_points)
    return face, np.stack([1 - root, root * (1 - v), root * v], axis=1)


def sample_points_on_host(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    num_points: int,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3"]]:
    """Points uniform in area and the unit normals of their faces, on the host.

    Nothing is compiled, whatever the number of vertices. A mesh without any area gives
    its first vertex, with normals of zero.
    """
    vertices = np.asarray(vertices, np.float64)
    areas = face_areas(vertices, faces)
    if not np.any(areas > 0):
        return np.tile(vertices[:1], (num_points, 1)), np.zeros((num_points, 3))
    face, weights = _sample_places(areas, num_points, rng)
    points = np.einsum("nc,ncd->nd", weights, vertices[faces[face]])
    return points, face_normals(vertices, faces)[face]


def _draw_faces(key, areas, num_points):
    """Face numbers, in proportion to the areas."""
    cumulative = jnp.cumsum(jax.lax.stop_gradient(areas))
    target = jax.random.uniform(key, (num_points,), areas.dtype) * cumulative[-1]
    drawn = jnp.searchsorted(cumulative, target, side="right")
    # Rounding in the parallel sum can give an empty face a sliver: move it away.
    number = jnp.arange(areas.shape[0])
    previous = jax.lax.cummax(jnp.where(areas > 0, number, jnp.argmax(areas > 0)))
    return previous[jnp.minimum(drawn, areas.shape[0] - 1)]


def _corners(vertices, faces):
    return vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]


def _area_vectors(vertices, faces):
    """Normals scaled to twice the area."""
    a, b, c = _corners(vertices, faces)
    return vertices.__array_namespace__().linalg.cross(b - a, c - a)


def _safe_unit(vectors):
    """Unit vectors; 0 with gradient 0 for the zero vector."""
    xp = vectors.__array_namespace__()
    length = safe_norm(vectors)[..., None]
    return xp.where(length > 0, vectors / xp.where(length > 0, length, 1), 0)
