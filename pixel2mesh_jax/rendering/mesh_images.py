"""Images of meshes and depth maps, without a display.

A mesh is rendered as clay: smooth normals, a key light from the upper left, a weaker
one from the right, light from the sky, darker creases, several rays per pixel, white
background. Surfaces that exist only as points are drawn in the same light (splats.py).
"""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy import ndimage

from pixel2mesh_jax.geometry import camera, surface
from pixel2mesh_jax.rendering import raycast

# Rays per pixel side.
SUPERSAMPLE = 3
# sRGB of the material, between plaster and clay.
CLAY = (0.80, 0.78, 0.75)
# (direction to the light in the camera frame, intensity): key, fill.
LIGHTS = (((-0.45, 0.65, 0.6), 0.56), ((0.75, 0.0, 0.5), 0.22))
SKY_LIGHT, GROUND_LIGHT = 0.42, 0.24
# Part of the cosine by which light reaches around the edge of the lit side.
WRAP = 0.2
# Darkening of creases: its strength, its radius as a part of the image, and the depth
# of full darkness as a part of the depth of the object.
CREASE_STRENGTH, CREASE_RADIUS, CREASE_DEPTH = 0.4, 0.03, 0.25
# Turntable views assume that the input camera looked down on an upright object from the
# middle of the R2N2 elevations, in degrees.
ASSUMED_ELEVATION = sum(camera.R2N2_ELEVATION) / 2
# Part of a turntable image that the bounding sphere fills.
TURNTABLE_FILL = 0.92
# Focal length of turntable images over their size: a portrait lens.
TURNTABLE_FOCAL_PER_PIXEL = 2.5
# Perceptually uniform, bright = near.
DEPTH_COLORMAP = "viridis"


class ImageCamera(NamedTuple):
    """From where a square image is taken.

    Attributes:
      transform: rigid, from the camera frame of the input to that of the image.
      intrinsics: of the image, pixels.
      size: of the image, pixels per side.
    """

    transform: Float[np.ndarray, "4 4"]
    intrinsics: Float[np.ndarray, "3 3"]
    size: int


class Fragments(NamedTuple):
    """What the rays of a supersampled image see.

    Attributes:
      covered: rays that see something.
      depth: 0 elsewhere.
      normals: of the covered rays, row by row; any length.
      colors: likewise, sRGB in [0, 1].
    """

    covered: Bool[np.ndarray, "H W"]
    depth: Float[np.ndarray, "H W"]
    normals: Float[np.ndarray, "N 3"]
    colors: Float[np.ndarray, "N 3"]


def input_camera(
    intrinsics: Float[np.ndarray, "3 3"], image_size: int, size: int
) -> ImageCamera:
    """The camera of the input, whose square image has `image_size` pixels."""
    factor = size / image_size
    return ImageCamera(
        np.eye(4), camera.resize_intrinsics(intrinsics, factor, factor), size
    )


def turntable_camera(
    points: Float[np.ndarray, "N 3"], azimuth: float, elevation: float, size: int
) -> ImageCamera:
    """A camera that looks at the middle of the points, which fill its image.

    Args:
      points: what has to be seen, camera frame of the input.
      azimuth: degrees to the right of the input camera, around the up axis of an object
        that the input camera saw from `ASSUMED_ELEVATION`.
      elevation: degrees above the horizon of that object.
      size: of the image, pixels per side.
    """
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = np.linalg.norm(points - middle, axis=1).max()
    focal = TURNTABLE_FOCAL_PER_PIXEL * size
    distance = radius * np.hypot(1, 2 * TURNTABLE_FOCAL_PER_PIXEL / TURNTABLE_FILL)
    transform = camera.camera_from_object(90.0 - azimuth, elevation, distance)
    transform[:3, :3] = transform[:3, :3] @ _object_from_input()
    transform[:3, 3] -= transform[:3, :3] @ middle
    center = (size - 1) / 2
    return ImageCamera(transform, camera.pinhole(focal, center, center), size)


def upright(points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
    """Points of the input camera frame, the object put upright, its box on the origin.

    Upright if the input camera saw the object from `ASSUMED_ELEVATION`.
    """
    turned = points @ _object_from_input().T
    return turned - (turned.min(axis=0) + turned.max(axis=0)) / 2


def mesh_image(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    viewpoint: ImageCamera,
    colors: Float[np.ndarray, "V 3"] | None = None,
) -> UInt8[np.ndarray, "S S 3"]:
    """Clay-shaded image of a mesh; arguments as of `mesh_images`."""
    return mesh_images(vertices, faces, [viewpoint], colors)[0]


def mesh_images(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    viewpoints: Sequence[ImageCamera],
    colors: Float[np.ndarray, "V 3"] | None = None,
    supersample: int = SUPERSAMPLE,
) -> list[UInt8[np.ndarray, "S S 3"]]:
    """Clay-shaded images of a mesh.

    Args:
      vertices: camera frame of the input, metres.
      faces: counter-clockwise seen from outside.
      viewpoints: from where.
      colors: sRGB in [0, 1] per vertex; clay if None.
      supersample: rays per pixel side.
    """
    vertices = np.asarray(vertices, np.float64)
    scene = raycast.make_scene(vertices, faces)
    normals = np.asarray(surface.vertex_normals(vertices, faces), np.float32)
    paint = np.broadcast_to(CLAY, vertices.shape) if colors is None else colors
    values = np.concatenate([normals, np.asarray(paint, np.float32)], axis=1)[faces]
    return [_image(scene, values, view, supersample) for view in viewpoints]


def _image(scene, values, viewpoint, supersample):
    """An image of a scene; normals and colours of the corners of its faces."""
    shape = (viewpoint.size, viewpoint.size)
    hits = raycast.cast_scene(
        scene, viewpoint.transform, viewpoint.intrinsics, shape, supersample
    )
    covered = hits.triangle >= 0
    triangle, weights = hits.triangle[covered], hits.barycentric[covered]
    mixed = sum(weights[:, i, None] * values[:, i][triangle] for i in range(3))
    normals = mixed[:, :3] @ viewpoint.transform[:3, :3].T
    fragments = Fragments(covered, hits.depth, normals, mixed[:, 3:])
    return develop(fragments, viewpoint.size)


def depth_image(
    depth: Float[np.ndarray, "H W"], mask: Float[np.ndarray, "H W"] | None = None
) -> UInt8[np.ndarray, "H W 3"]:
    """Depth in colours, near = bright, over the range of the object; missing = white.

    Args:
      depth: metres, 0 = missing.
      mask: object coverage in [0, 1]; pixels below one half are left white.
    """
    valid = depth > 0 if mask is None else (depth > 0) & (mask >= 0.5)
    if not valid.any():
        return np.full((*depth.shape, 3), 255, np.uint8)
    near, far = np.percentile(depth[valid], (1, 99))
    nearness = np.clip((far - depth) / max(far - near, 1e-6), 0, 1)
    colors = matplotlib.colormaps[DEPTH_COLORMAP](nearness)[..., :3]
    return _bytes(np.where(valid[..., None], colors, 1.0))


def _object_from_input():
    """Rotation; the input camera stands at azimuth 90: its right is +x."""
    return camera.camera_from_object(90.0, ASSUMED_ELEVATION, 1.0)[:3, :3].T


def develop(fragments: Fragments, size: int) -> UInt8[np.ndarray, "S S 3"]:
    """Shades what the rays see and averages them to `size` pixels a side, on white."""
    covered = fragments.covered
    rays = covered.shape[0] // size
    normals = fragments.normals.astype(np.float32)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    light = _light(normals / np.maximum(length, 1e-12))
    light *= _creases(fragments.depth, covered, rays)[covered]
    shaded = np.ones((*covered.shape, 3), np.float32)
    shaded[covered] = np.minimum(fragments.colors * light[:, None], 1)
    parts = [(row, column) for row in range(rays) for column in range(rays)]
    total = sum(shaded[row::rays, column::rays] for row, column in parts)
    return _bytes(total / len(parts))


def _light(normals):
    """Brightness of a white surface; softened Lambert, sky and ground."""
    sky = (normals[..., 1] + 1) / 2
    light = GROUND_LIGHT + (SKY_LIGHT - GROUND_LIGHT) * sky
    for direction, intensity in LIGHTS:
        toward = np.float32(direction) / np.linalg.norm(direction).astype(np.float32)
        cosine = normals @ toward
        light = light + intensity * np.maximum((cosine + WRAP) / (1 + WRAP), 0)
    return light


def _creases(depth, covered, rays):
    """Darkens what lies behind its surroundings: depth minus blurred depth.

    Blurred on one ray per pixel, which is enough for something smooth.
    """
    if not covered.any():
        return np.ones(depth.shape)
    coarse = (slice(rays // 2, None, rays),) * 2
    sigma = CREASE_RADIUS * depth.shape[0] / rays
    weight = ndimage.gaussian_filter(covered[coarse].astype(float), sigma)
    mean = ndimage.gaussian_filter(np.where(covered, depth, 0)[coarse], sigma)
    mean = mean / np.maximum(weight, 1e-6)
    mean = mean.repeat(rays, axis=0).repeat(rays, axis=1)
    seen = depth[coarse][covered[coarse]]
    near, far = np.percentile(seen if seen.size else depth[covered], (1, 99))
    relative = (depth - mean) / max(CREASE_DEPTH * (far - near), 1e-6)
    return 1 - CREASE_STRENGTH * np.clip(relative, 0, 1)


def _bytes(values):
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)
