"""A coloured surface and a camera in, an RGB-D view or surface points out.

Rays through Embree, no display needed. Light travels with the camera and comes from its
upper left, so that the three visible sides of a box differ; both sides of a face are
lit, because published models wind their faces at random.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.geometry import surface as surface_geometry
from pixel2mesh_jax.io import materials
from pixel2mesh_jax.io.meshes import Surface
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.structures import SurfaceSamples, View

# Rays per pixel side; odd, so that one of them goes through the pixel centre.
SUPERSAMPLE = 3
# Share of the light that comes from everywhere; chosen by eye.
AMBIENT = 0.35
# Towards the light, camera frame; chosen by eye.
LIGHT_DIRECTION = np.array([-0.35, 0.6, 1.0]) / np.linalg.norm([-0.35, 0.6, 1.0])


class Viewpoint(NamedTuple):
    """Where a camera stands, as in the metadata of 3D-R2N2.

    Attributes:
      azimuth: degrees.
      elevation: degrees.
      distance: from the origin of the object frame, metres.
    """

    azimuth: float
    elevation: float
    distance: float


def sample_viewpoint(rng: np.random.Generator) -> Viewpoint:
    """A random camera of the 3D-R2N2 rendering set."""
    return Viewpoint(
        azimuth=rng.uniform(*camera.R2N2_AZIMUTH),
        elevation=rng.uniform(*camera.R2N2_ELEVATION),
        distance=rng.uniform(*camera.R2N2_DISTANCE_RATIO),
    )


def render(
    surface: Surface,
    viewpoint: Viewpoint,
    intrinsics: Float[np.ndarray, "3 3"],
    size: int,
    scene: raycast.Scene | None = None,
) -> View:
    """Renders a square image.

    Colour is averaged over the rays of a pixel that hit (in linear light), alpha is the
    share of rays that hit, depth is that of the ray through the pixel centre.

    Args:
      surface: object frame, metres.
      viewpoint: the camera looks at the origin from here.
      intrinsics: pinhole matrix in pixels.
      size: width and height in pixels.
      scene: `make_scene` of the surface, to share among its images.
    """
    scene = scene or raycast.make_scene(surface.vertices, surface.faces)
    transform = camera.camera_from_object(*viewpoint)
    hits = raycast.cast_scene(scene, transform, intrinsics, (size, size), SUPERSAMPLE)
    center = slice(SUPERSAMPLE // 2, None, SUPERSAMPLE)
    return View(
        rgba=_antialias(_shade(surface, transform, hits), hits.triangle >= 0),
        depth=hits.depth[center, center].astype(np.float32),
        intrinsics=np.asarray(intrinsics, np.float32),
    )


def sample_surface(
    surface: Surface, num_points: int, rng: np.random.Generator
) -> SurfaceSamples:
    """Points uniform in area, in the frame of the surface.

    A face without area is never drawn. Normals follow the winding of the faces.

    Args:
      surface: any unit.
      num_points: how many.
      rng: decides everything.
    """
    triangle, barycentric = surface_geometry.sample_places_on_host(
        surface.vertices, surface.faces, num_points, rng
    )
    faces = surface.faces[triangle]
    points = np.einsum("nc,ncd->nd", barycentric, surface.vertices[faces])
    normals = surface_geometry.face_normals(surface.vertices, faces)
    return SurfaceSamples(
        points=points.astype(np.float32),
        normals=normals.astype(np.float32),
        colors=colors_at(surface, triangle, barycentric),
    )


def colors_at(
    surface: Surface,
    triangle: Int[np.ndarray, " N"],
    barycentric: Float[np.ndarray, "N 3"],
) -> UInt8[np.ndarray, "N 3"]:
    """Unlit sRGB colours at points on triangles."""
    light = materials.color_at(surface.paint, triangle, barycentric)
    return _bytes(materials.srgb_from_linear(light))


def move_samples(
    samples: SurfaceSamples, transform: Float[np.ndarray, "4 4"]
) -> SurfaceSamples:
    """Samples after a rigid transform."""
    return samples._replace(
        points=camera.transform_points(samples.points, transform).astype(np.float32),
        normals=(samples.normals @ transform[:3, :3].T).astype(np.float32),
    )


def _shade(surface, camera_from_object, hits) -> Float[np.ndarray, "N 3"]:
    """Linear RGB of every ray that hit, in row order."""
    hit = hits.triangle >= 0
    triangle, barycentric = hits.triangle[hit], hits.barycentric[hit]
    shade = _light(surface, camera_from_object)
    color = materials.color_at(surface.paint, triangle, barycentric)
    return color * shade[triangle, None].astype(np.float32)


def _light(surface, camera_from_object) -> Float[np.ndarray, " F"]:
    """Light on the side of every face that the camera sees."""
    rotation, shift = camera_from_object[:3, :3], camera_from_object[:3, 3]
    corners = [surface.vertices[surface.faces[:, i]] for i in range(3)]
    normals = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    length = np.sqrt(np.einsum("fi,fi->f", normals, normals))
    towards_camera = -np.einsum("fi,fi->f", normals, corners[0] + shift @ rotation)
    cosine = normals @ (LIGHT_DIRECTION @ rotation) / np.maximum(length, 1e-30)
    cosine *= np.where(towards_camera < 0, -1, 1)
    return AMBIENT + (1 - AMBIENT) * np.maximum(cosine, 0)


def _antialias(color, hit) -> UInt8[np.ndarray, "H W 4"]:
    """Straight sRGB and coverage of pixels from the linear colours of their rays."""
    height, width = (side // SUPERSAMPLE for side in hit.shape)
    row, column = np.nonzero(hit)
    pixel = row // SUPERSAMPLE * width + column // SUPERSAMPLE
    rays = np.bincount(pixel, minlength=height * width)
    light = [np.bincount(pixel, x, height * width) for x in color.T]
    covered = rays > 0
    light, rays = np.stack(light, axis=1)[covered], rays[covered, None]
    rgba = np.zeros((height * width, 4), np.uint8)
    rgba[covered, :3] = _bytes(materials.srgb_from_linear(light / rays))
    rgba[covered, 3:] = _bytes(rays / SUPERSAMPLE**2)
    return rgba.reshape(height, width, 4)


def _bytes(unit):
    return np.round(np.clip(unit, 0, 1) * 255).astype(np.uint8)
