"""Which side of a face is outside, for models whose faces are wound at random.

Faces are gathered into patches and made to agree within a patch (`patches.py`). Then
rays start from random points of a patch on both of its sides: outside is where more of
them leave the scene. A patch that no ray leaves is hidden inside the object; its
outside is where its volume is positive.

Source: Takayama, Jacobson, Kavan, Sorkine-Hornung, *A Simple Method for Correcting
Facet Orientations in Polygon Meshes Based on Ray Casting*, JCGT 2014. The program of
its authors (`igl.embree.reorient_facets_raycast`) seeds its rays with the time of day;
here equal models give equal answers.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from data_pipelines.surfaces.patches import find_patches
from pixel2mesh_jax.geometry import surface as surface_geometry
from pixel2mesh_jax.io.meshes import Surface
from pixel2mesh_jax.rendering import raycast

# Rays per object and side, shared by its patches in proportion to their areas; and at
# least per patch. 16 times as many change 0.1 % of the area of the development objects.
RAYS_PER_OBJECT = 2**13
RAYS_PER_PATCH = 32
# Rays per object and side at most, unless it has even more patches: up to 16384 patches
# get `RAYS_PER_PATCH`, more of them share these. For 400,000 separate triangles, whose
# outside is a guess either way, that is 5 s and 0.6 GB in place of 99 s and 5.75 GB.
MOST_RAYS = 2**19
# Rays start this share of the diagonal of the bounding box off the surface, far above
# the rounding of Embree (float32).
OFFSET = 2.0**-16
# Confidence from which on rays decide about a patch, and not the file: two sides of
# which one is seen half as well again as the other.
CLEAR = 0.2


class Oriented(NamedTuple):
    """A surface whose faces are wound counter-clockwise seen from outside.

    Attributes:
      surface: the same triangles, some of them reversed together with their colours.
      escapes: share of the rays from the patch of a face that leave the scene, from its
        two sides, the larger one first. Both are zero where the patch is hidden inside
        the object and where a face has no area.
      first: no earlier face has the same three corners; false without area.
    """

    surface: Surface
    escapes: Float[np.ndarray, "F 2"]
    first: Bool[np.ndarray, " F"]


def orient_outward(surface: Surface) -> Oriented:
    """Winds all faces counter-clockwise seen from outside.

    A patch that is seen about equally well from both sides, such as a flat sheet, keeps
    the winding that most of its area has. Faces that repeat each other get the same
    outside, as do all faces of a patch.

    Args:
      surface: any unit and frame.
    """
    patch, reverse, first = find_patches(surface.vertices, surface.faces)
    known = patch >= 0
    agreed = surface._replace(faces=_reversed_where(reverse, surface.faces))
    escapes = _escapes(agreed, patch)
    inward = np.where(
        escapes.any(axis=1),
        escapes[:, 0] < escapes[:, 1],
        _volumes(agreed, patch) < 0,
    )
    unclear = escapes.any(axis=1) & (confidence(escapes) < CLEAR)
    inward = np.where(unclear, _mostly_reversed(surface, patch, reverse), inward)
    reverse[known] ^= inward[patch[known]]
    of_faces = np.zeros((len(patch), 2))
    of_faces[known] = np.sort(escapes, axis=1)[patch[known], ::-1]
    return Oriented(reverse_faces(surface, reverse), of_faces, first)


def start_offset(surface: Surface) -> float:
    """How far from a surface its rays start, in its unit; see `OFFSET`."""
    used = surface.vertices[np.unique(surface.faces)]
    return float(OFFSET * np.linalg.norm(used.max(axis=0) - used.min(axis=0)))


def confidence(escapes: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, " N"]:
    """How sure the outside is: 1 surely, 0 both sides are seen equally well, or none.

    Args:
      escapes: share of the rays from both sides that leave the scene.
    """
    total = escapes.sum(axis=1)
    difference = np.abs(escapes[:, 0] - escapes[:, 1])
    return difference / np.where(total > 0, total, 1)


def reverse_faces(surface: Surface, reverse: Bool[np.ndarray, " F"]) -> Surface:
    """Turns some faces around, together with their colours."""
    paint = surface.paint._replace(
        corner_colors=_reversed_where(reverse, surface.paint.corner_colors),
        corner_uv=_reversed_where(reverse, surface.paint.corner_uv),
    )
    return surface._replace(faces=_reversed_where(reverse, surface.faces), paint=paint)


def _reversed_where(reverse, corners):
    """Corners of faces, (F, 3) or (F, 3, C), in reverse order where asked."""
    mask = reverse.reshape(-1, *[1] * (corners.ndim - 1))
    return np.where(mask, corners[:, ::-1], corners)


def _escapes(surface, patch):
    """Share of the rays of every patch that leave the scene: in front and behind."""
    area = surface_geometry.face_areas(surface.vertices, surface.faces) * (patch >= 0)
    face = _draw_faces(area, patch)
    corners, rng = surface.vertices[surface.faces[face]], np.random.default_rng(0)
    points = _random_points(corners, rng)
    normal = surface_geometry.face_normals(surface.vertices, surface.faces[face])
    direction = _lambertian(normal, rng)
    offset = start_offset(surface) * normal
    scene = raycast.make_scene(surface.vertices, surface.faces)
    number = patch.max(initial=-1) + 1
    rays = np.bincount(patch[face], minlength=number)
    shares = []
    for side in (1, -1):
        triangle, _ = raycast.first_hits(
            scene, points + side * offset, side * direction
        )
        free = np.bincount(patch[face], triangle < 0, number)
        shares.append(free / np.maximum(rays, 1))
    return np.stack(shares, axis=1)


def _draw_faces(area, patch):
    """Faces from which rays start, equally spaced in area within every patch."""
    order = np.argsort(patch, kind="stable")
    order = order[area[order] > 0]
    if not len(order):
        return order
    ends = np.cumsum(area[order])
    of_patch = np.bincount(patch[order], area[order])
    least = np.clip(MOST_RAYS // np.count_nonzero(of_patch), 1, RAYS_PER_PATCH)
    rays = np.maximum(np.ceil(RAYS_PER_OBJECT * of_patch / ends[-1]), least)
    rays = np.where(of_patch > 0, rays, 0).astype(int)
    number = np.repeat(np.arange(len(rays)), rays)
    place = np.arange(len(number)) - (np.cumsum(rays) - rays)[number] + 0.5
    start = np.cumsum(of_patch) - of_patch
    target = start[number] + place / rays[number] * of_patch[number]
    return order[np.minimum(np.searchsorted(ends, target), len(order) - 1)]


def _random_points(corners, rng):
    """A point of every triangle, uniform in area."""
    root, v = np.sqrt(rng.random((len(corners), 1))), rng.random((len(corners), 1))
    a, b, c = np.moveaxis(corners, 1, 0)
    return (1 - root) * a + root * ((1 - v) * b + v * c)


def _lambertian(normal, rng):
    """Unit vectors in front of a face, with probability as the cosine to its normal."""
    sphere = rng.normal(size=normal.shape)
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    direction = (1 + 1e-6) * normal + sphere
    return direction / np.linalg.norm(direction, axis=1, keepdims=True)


def _volumes(surface, patch):
    """Volume between every patch and its centre, negative if its front is inside."""
    known = patch >= 0
    patch, corners = patch[known], surface.vertices[surface.faces[known]]
    count = np.bincount(patch)
    center = [np.bincount(patch, x) / count for x in corners.mean(axis=1).T]
    a, b, c = np.moveaxis(corners - np.stack(center, axis=1)[patch, None], 1, 0)
    return np.bincount(patch, np.einsum("fi,fi->f", a, np.cross(b, c)))


def _mostly_reversed(surface, patch, reverse):
    """Whether more than half of the area of a patch is wound against it."""
    area = surface_geometry.face_areas(surface.vertices, surface.faces)
    known = patch >= 0
    return np.bincount(patch[known], (area * np.where(reverse, 1, -1))[known]) > 0
