"""The meshes that a deformation starts from, generated rather than loaded."""

import functools

import numpy as np
import scipy.spatial
from jaxtyping import Float, Int

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import topology
from pixel2mesh_jax.geometry.camera import P2M_SCALE
from pixel2mesh_jax.structures import MeshTopology, Template

# Measured from `info_ellipsoid.dat` of nywang16/Pixel2Mesh (its paper has others): half
# axes in x, y, z and the centre, in metres, camera frame.
ELLIPSOID_RADII = (0.2798, 0.1978, 0.1979)
ELLIPSOID_CENTER = (0.0, 0.0, -0.8)
ELLIPSOID_VERTICES = 156
NUM_LEVELS = 3
# Inside a normalised object, whose bounding-box diagonal is 0.57 metres.
ICOSPHERE_RADIUS = 0.2
ICOSPHERE_SUBDIVISIONS = 2  # 162 vertices
# Mesh R-CNN starts from a sphere around the camera, of radius 1 where the bounding-box
# diagonal of an object is 1: `ico_sphere` in shapenet/modeling/heads/mesh_head.py.
CAMERA_SPHERE_RADIUS = P2M_SCALE
CAMERA = (0.0, 0.0, 0.0)
SPHERE = (1.0, 1.0, 1.0)
# peterjheile/Pixel2Mesh2: the sphere that it deforms is flat along z.
FLATTENED = (1.0, 1.0, 0.8)


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


@functools.cache
def icosphere(
    subdivisions: int = ICOSPHERE_SUBDIVISIONS,
    num_levels: int = NUM_LEVELS,
    radius: float | int = ICOSPHERE_RADIUS,
    center: tuple[float | int, ...] = ELLIPSOID_CENTER,
    proportions: tuple[float | int, ...] = SPHERE,
) -> Template:
    """A subdivided icosahedron on a sphere: by default 162 -> 642 -> 2562 vertices.

    The coarsest level lies on the sphere: every subdivision that makes it is projected.
    The finer levels add edge midpoints, as unpooling does to any other template.

    Args:
      subdivisions: of the icosahedron before the coarsest level; 2 gives 162 vertices,
        4 gives 2562.
      num_levels: of the hierarchy.
      radius: of the sphere, metres.
      center: of the sphere, metres, camera frame.
      proportions: factors of the radius along x, y and z.
    """
    sphere = icosahedron()
    levels = [topology.make_topology(outward_hull(sphere))]
    for _ in range(subdivisions):
        sphere = np.concatenate([sphere, edge_midpoints(sphere, levels[0])])
        sphere = sphere / np.linalg.norm(sphere, axis=1, keepdims=True)
        levels[0] = topology.subdivide(levels[0])
    while len(levels) < num_levels:
        levels.append(topology.subdivide(levels[-1]))
    vertices = radius * np.array(proportions) * sphere + np.array(center)
    return Template(vertices.astype(np.float32), tuple(levels))


def icosahedron() -> Float[np.ndarray, "12 3"]:
    """Corners of three golden rectangles, scaled to the unit sphere."""
    golden = (1 + np.sqrt(5)) / 2
    rectangle = np.array([(s, t * golden, 0.0) for t in (1, -1) for s in (-1, 1)])
    corners = np.concatenate([np.roll(rectangle, axis, axis=1) for axis in range(3)])
    return corners / np.hypot(1, golden)


def from_mesh(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    parents: tuple[Int[np.ndarray, "_ 2"], ...] = (),
    num_levels: int = NUM_LEVELS,
) -> Template:
    """A hierarchy above any mesh that is closed and star-shaped around its centre.

    Args:
      vertices: of the coarsest level, metres, camera frame.
      faces: of the coarsest level; turned outward here.
      parents: edges of the first levels in the order in which their midpoints become
        vertices; on the other levels, sorted.
      num_levels: of the hierarchy.

    Raises:
      InputError: the mesh is not closed, or `parents` are not the edges of its levels.
    """
    faces = outward(vertices - vertices.mean(axis=0), faces)
    if not topology.is_watertight(faces):
        raise InputError("A template has to be a closed mesh around its centre.")
    levels = []
    for number in range(num_levels):
        if levels:
            faces = topology.subdivide(levels[-1]).faces
        edges = parents[number] if number < len(parents) else None
        levels.append(topology.make_topology(faces, edges))
    return Template(vertices.astype(np.float32), tuple(levels))


def without_unpooling(template: Template) -> Template:
    """As many stages, all on the finest level (ablation of the paper, Table 3)."""
    levels = len(template.levels) * (template.levels[-1],)
    return Template(finest_vertices(template), levels)


def fibonacci_sphere(num_points: int) -> Float[np.ndarray, "V 3"]:
    """Evenly spread points on the unit sphere, from pole to pole along a spiral."""
    golden_angle = np.pi * (3 - np.sqrt(5))
    index = np.arange(num_points)
    y = 1 - 2 * (index + 0.5) / num_points
    radius, angle = np.sqrt(1 - y**2), golden_angle * index
    return np.stack([radius * np.cos(angle), y, radius * np.sin(angle)], axis=1)


def outward_hull(points: Float[np.ndarray, "V 3"]) -> np.ndarray:
    """Faces (F, 3) of the convex hull of points around the origin, outward."""
    faces = outward(points, scipy.spatial.ConvexHull(points).simplices)
    return faces[np.lexsort(faces.T)]


def outward(
    points: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Int[np.ndarray, "F 3"]:
    """The faces counter-clockwise as seen from outside; star-shaped around the origin.

    Args:
      points: vertices; the origin sees every face from inside.
      faces: in any winding.
    """
    corners = points[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = np.einsum("fi,fi->f", normal, corners.mean(axis=1)) < 0
    return np.where(inward[:, None], faces[:, ::-1], faces).astype(np.int32)


def finest_vertices(template: Template) -> Float[np.ndarray, "V 3"]:
    """Positions of the undeformed template at its finest level, on the host."""
    vertices = np.asarray(template.vertices)
    for level in template.levels[:-1]:
        if len(vertices) == len(template.levels[-1].neighbors):
            break
        vertices = np.concatenate([vertices, edge_midpoints(vertices, level)])
    return vertices


def edge_midpoints(
    vertices: Float[np.ndarray, "V 3"], level: MeshTopology
) -> Float[np.ndarray, "E 3"]:
    """Middle of every edge, in the order of `level.edges`."""
    return vertices[np.asarray(level.edges)].mean(axis=1)
