"""The texture of a mesh: the image where the camera sees it, else vertex colours.

Every texel is a point of the surface. It takes its colour from the image as far as it
is seen, faces the camera and is away from outlines, where the mesh may be a little off
and the image shows something else; over a margin it fades into the colours of the
vertices. Texels beside the charts have the colour of the nearest chart.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy import ndimage

from pixel2mesh_jax.geometry import camera, surface
from pixel2mesh_jax.rendering import atlas as atlases
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.rendering.atlas import Atlas
from pixel2mesh_jax.structures import HostMesh, Texture, View

# Cosine between ray and normal: below the first the image is not used, above the
# second it alone counts (85 and 66 degrees).
FACING = (0.09, 0.4)
# Share of the box of a mesh: how far a point may lie behind what a ray meets first and
# be seen, and by how much depth jumps at an outline.
SEEN, EDGE = 2e-3, 0.05
# Pixels over which the image fades in from an outline, as a share of the longer side
# of the object in the image.
MARGIN = 0.015
# Coverage of a pixel that belongs to the object alone.
OPAQUE = 250
# sRGB of a mesh without colours where nothing is seen of it.
UNKNOWN = 0.6


class _Points(NamedTuple):
    """Texels as points of the surface, camera frame.

    Attributes:
      position: where.
      color: sRGB of the vertices around, in [0, 1].
      cosine: between normal and ray.
    """

    position: Float[np.ndarray, "N 3"]
    color: Float[np.ndarray, "N 3"]
    cosine: Float[np.ndarray, " N"]


def make_texture(mesh: HostMesh, view: View, size: int) -> Texture:
    """Cuts a mesh into charts and paints them.

    Args:
      mesh: in the camera frame of the view.
      view: colours and coverage at any size, and its camera; depth is not used.
      size: texels per side.

    Raises:
      InputError: see `atlas.unwrap`.
    """
    atlas = atlases.unwrap(mesh.vertices, mesh.faces, size)
    return Texture(paint(mesh, atlas, view, size), atlas.uv, atlas.rows, atlas.faces)


def paint(
    mesh: HostMesh, atlas: Atlas, view: View, size: int
) -> UInt8[np.ndarray, "S S 3"]:
    """sRGB of every texel, top row first; arguments as of `make_texture`."""
    hits = atlases.texels(atlas, size)
    covered = hits.triangle >= 0
    points = _points(mesh, hits.triangle[covered], hits.barycentric[covered])
    color, share = image_colors(mesh, points.position, points.cosine, view)
    result = np.zeros((size, size, 3))
    result[covered] = points.color + share[:, None] * (color - points.color)
    return np.round(_spread(result, covered) * 255).astype(np.uint8)


def image_colors(
    mesh: HostMesh,
    points: Float[np.ndarray, "N 3"],
    cosine: Float[np.ndarray, " N"],
    view: View,
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, " N"]]:
    """What the image says about points of a mesh.

    Args:
      mesh: in the camera frame.
      points: on it.
      cosine: between its normals and the rays there, of any sign.
      view: the image.

    Returns:
      sRGB in [0, 1], and how far it is to be believed, in [0, 1].
    """
    diagonal = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    scene = raycast.make_scene(mesh.vertices, mesh.faces)
    low, high = FACING
    share = np.clip((np.abs(cosine) - low) / (high - low), 0, 1)
    share = share * (points[:, 2] < 0)
    asked = np.flatnonzero(share)
    share[asked] *= _seen(scene, points[asked], SEEN * diagonal)
    pixels = camera.project(points, view.intrinsics).T[::-1]
    trust = _trust(scene, view, EDGE * diagonal)
    share *= ndimage.map_coordinates(trust, pixels, order=1, cval=0)
    color, alpha = _sampled(view.rgba, pixels)
    return color, np.where(alpha > 0, share, 0)


def _points(mesh, triangle, weights):
    corners = mesh.faces[triangle]
    vertices = np.asarray(mesh.vertices, np.float64)
    normals = np.asarray(surface.vertex_normals(vertices, mesh.faces), np.float64)
    position, normal = _mix(vertices[corners], weights), _mix(normals[corners], weights)
    lengths = np.linalg.norm(position, axis=1) * np.linalg.norm(normal, axis=1)
    facing = -np.einsum("ni,ni->n", position, normal) / np.maximum(lengths, 1e-12)
    if mesh.colors is None:
        color = np.full(position.shape, UNKNOWN)
    else:
        color = _mix(np.asarray(mesh.colors, np.float64)[corners], weights)
    return _Points(position, color, facing)


def _mix(corners, weights):
    return np.einsum("nk,nkc->nc", weights, corners)


def _seen(scene, points, tolerance) -> Bool[np.ndarray, " N"]:
    """Whether a ray from the camera meets nothing before the points."""
    share = raycast.first_hits(scene, np.zeros(points.shape), points)[1]
    return (1 - share) * np.linalg.norm(points, axis=1) <= tolerance


def _trust(scene, view, jump):
    """Of every pixel: 1 away from outlines and jumps of the depth, 0 on them."""
    own = view.rgba[..., 3] >= OPAQUE
    depth = raycast.cast_scene(scene, np.eye(4), view.intrinsics, own.shape).depth
    span = ndimage.maximum_filter(depth, 3) - ndimage.minimum_filter(depth, 3)
    inside = own & (span < jump)
    if not inside.any():
        return np.zeros(own.shape)
    sides = [np.ptp(places) + 1 for places in np.nonzero(inside)]
    margin = max(MARGIN * max(sides), 1.0)
    return np.clip(ndimage.distance_transform_edt(inside) / margin, 0, 1)


def _sampled(rgba: UInt8[np.ndarray, "H W 4"], pixels):
    """Bilinear colours, without those of transparent pixels, and coverage."""
    values = rgba.astype(np.float32) / 255
    alpha = values[..., 3]
    layers = [*np.moveaxis(values[..., :3] * alpha[..., None], -1, 0), alpha]
    *light, alpha = (
        ndimage.map_coordinates(layer, pixels, order=1, mode="nearest")
        for layer in layers
    )
    return np.stack(light, axis=1) / np.maximum(alpha, 1e-6)[:, None], alpha


def _spread(colors, covered: Bool[np.ndarray, "S S"]):
    """Fills what no chart covers with the nearest texel that one does."""
    nearest: Int[np.ndarray, "2 S S"] = ndimage.distance_transform_edt(
        ~covered, return_distances=False, return_indices=True
    )
    return colors[tuple(nearest)]
