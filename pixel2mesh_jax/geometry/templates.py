"""The meshes that a deformation starts from, generated rather than loaded."""

import functools

import numpy as np
import scipy.spatial
from jaxtyping import Float

from pixel2mesh_jax.geometry import topology
from pixel2mesh_jax.structures import MeshTopology, Template

# Measured from `info_ellipsoid.dat` of the released Pixel2Mesh (FACTS 0.2): half axes
# in x, y, z and the centre, in metres, camera frame.
ELLIPSOID_RADII = (0.2798, 0.1978, 0.1979)
ELLIPSOID_CENTER = (0.0, 0.0, -0.8)
ELLIPSOID_VERTICES = 156
NUM_LEVELS = 3


@functools.cache
def ellipsoid(
    num_vertices: int = ELLIPSOID_VERTICES, num_levels: int = NUM_LEVELS
) -> Template:
    """The Pixel2Mesh ellipsoid: 156 -> 618 -> 2466 vertices.

    Points of a Fibonacci lattice are in convex position, so their hull has V vertices,
    3V - 6 edges and 2V - 4 faces: 156 / 462 / 308 as in the released file.
    """
    sphere = fibonacci_sphere(num_vertices)
    vertices = sphere * np.float32(ELLIPSOID_RADII) + np.float32(ELLIPSOID_CENTER)
    levels = [topology.make_topology(outward_hull(sphere))]
    while len(levels) < num_levels:
        levels.append(topology.subdivide(levels[-1]))
    return Template(vertices.astype(np.float32), tuple(levels))


def fibonacci_sphere(num_points: int) -> Float[np.ndarray, "V 3"]:
    """Evenly spread points on the unit sphere, from pole to pole along a spiral."""
    golden_angle = np.pi * (3 - np.sqrt(5))
    index = np.arange(num_points)
    y = 1 - 2 * (index + 0.5) / num_points
    radius, angle = np.sqrt(1 - y**2), golden_angle * index
    return np.stack([radius * np.cos(angle), y, radius * np.sin(angle)], axis=1)


def outward_hull(points: Float[np.ndarray, "V 3"]) -> np.ndarray:
    """Faces (F, 3) of the convex hull of points around the origin, outward."""
    faces = scipy.spatial.ConvexHull(points).simplices
    corners = points[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = np.einsum("fi,fi->f", normal, corners.mean(axis=1)) < 0
    faces[inward] = faces[inward][:, ::-1]
    return faces[np.lexsort(faces.T)].astype(np.int32)


def finest_vertices(template: Template) -> Float[np.ndarray, "V 3"]:
    """Positions of the undeformed template at its finest level, on the host."""
    vertices = np.asarray(template.vertices)
    for level in template.levels[:-1]:
        vertices = np.concatenate([vertices, edge_midpoints(vertices, level)])
    return vertices


def edge_midpoints(
    vertices: Float[np.ndarray, "V 3"], level: MeshTopology
) -> Float[np.ndarray, "E 3"]:
    """Middle of every edge, in the order of `level.edges`."""
    return vertices[np.asarray(level.edges)].mean(axis=1)
