"""Cameras and frames: the one page that every other module refers to.

Frames, all right-handed:
  object frame   y up; the object is centred on the middle of its bounding box and
                 scaled so that the box diagonal is 0.57 (`P2M_SCALE`).
  camera frame   OpenGL: +x right, +y up, the camera looks down -z. Visible points
                 have z < 0; depth = -z, along the optical axis, not along the ray.
  pixels         u right, v down, centres at integers: the centre of an image of S
                 pixels is (S - 1) / 2 and its left border is at u = -0.5.

          v                        y
    +----->  u                     ^   object at z ~ -0.8
    |  image                       |  /
    v                     camera   o----> x     (-z points into the scene)

Other conventions are converted at the border by a named function.

The functions accept numpy and JAX arrays and return what they were given.
"""

import numpy as np
from jaxtyping import Float

from pixel2mesh_jax.structures import Array

# 3D-R2N2 renders with Blender's default lens: 35 mm focal length on a 32 mm sensor.
R2N2_FOCAL_PER_PIXEL = 35 / 32
# Pixel2Mesh shrinks a model of unit diagonal by 0.57 = 1 / 1.75, where 1.75 is
# `MAX_CAMERA_DIST` of 3D-R2N2, and uses the distance ratio of the R2N2 metadata as the
# distance in metres (FACTS 0.7).
P2M_SCALE = 0.57
# Ranges of `rendering_metadata.txt`: degrees, degrees, ratio of the largest distance.
R2N2_AZIMUTH = (0.0, 360.0)
R2N2_ELEVATION = (25.0, 30.0)
R2N2_DISTANCE_RATIO = (0.65, 0.95)


def r2n2_intrinsics(size: int) -> Float[np.ndarray, "3 3"]:
    """Pinhole matrix of a 3D-R2N2 rendering of `size` x `size` pixels."""
    return pinhole(R2N2_FOCAL_PER_PIXEL * size, (size - 1) / 2, (size - 1) / 2)


def pinhole(
    focal_length: float | int, u: float | int, v: float | int
) -> Float[np.ndarray, "3 3"]:
    """Pinhole matrix with square pixels; `focal_length`, centre `u`, `v` in pixels."""
    return np.array(
        [[focal_length, 0, u], [0, focal_length, v], [0, 0, 1]], dtype=np.float32
    )


def project(
    points: Float[Array, "*batch V 3"], intrinsics: Float[Array, "*batch 3 3"]
) -> Float[Array, "*batch V 2"]:
    """Projects camera-frame points to pixels.

    Args:
      points: metres, camera frame; visible where z < 0.
      intrinsics: pinhole matrix in pixels, pixel centres at integers.

    Returns:
      (u, v) in pixels, not clipped to the image. Points with z >= 0 have no
      projection: they are projected as if they stood 1e-6 m before the camera.
    """
    xp = points.__array_namespace__()
    depth = xp.maximum(-points[..., 2], 1e-6)
    focal = xp.stack([intrinsics[..., 0, 0], intrinsics[..., 1, 1]], axis=-1)
    center = intrinsics[..., :2, 2]
    flipped = xp.stack([points[..., 0], -points[..., 1]], axis=-1)
    return flipped / depth[..., None] * focal[..., None, :] + center[..., None, :]


def unproject(
    depth: Float[Array, "*batch H W"], intrinsics: Float[Array, "*batch 3 3"]
) -> Float[Array, "*batch H W 3"]:
    """Camera-frame points (metres) of every pixel of a depth map; (0, 0, 0) if 0."""
    rays = pixel_rays(depth.shape[-2:], intrinsics)
    return rays * depth[..., None]


def pixel_rays(
    shape: tuple[int, int], intrinsics: Float[Array, "*batch 3 3"]
) -> Float[Array, "*batch H W 3"]:
    """Directions through the pixel centres, camera frame, scaled to z = -1."""
    xp = intrinsics.__array_namespace__()
    height, width = shape
    focal_u, focal_v = intrinsics[..., 0, 0], intrinsics[..., 1, 1]
    center_u, center_v = intrinsics[..., 0, 2], intrinsics[..., 1, 2]
    u = xp.arange(width, dtype=intrinsics.dtype)
    v = xp.arange(height, dtype=intrinsics.dtype)
    x = (u - center_u[..., None]) / focal_u[..., None]
    y = -(v - center_v[..., None]) / focal_v[..., None]
    batch = x.shape[:-1]
    x = xp.broadcast_to(x[..., None, :], (*batch, height, width))
    y = xp.broadcast_to(y[..., :, None], (*batch, height, width))
    return xp.stack([x, y, -xp.ones_like(x)], axis=-1)


def camera_from_object(
    azimuth: float | int, elevation: float | int, distance: float | int
) -> Float[np.ndarray, "4 4"]:
    """Rigid transform of a camera that looks at the origin of the object frame.

    Args:
      azimuth: degrees around +y, 0 puts the camera on +x, 90 on +z.
      elevation: degrees above the xz plane, inside (-90, 90).
      distance: from the origin, in the unit of the object frame.

    Source: nywang16/Pixel2Mesh, GenerateData (FACTS 1.2.7).
    """
    a, e = np.radians(azimuth), np.radians(elevation)
    backward = np.array([np.cos(e) * np.cos(a), np.sin(e), np.cos(e) * np.sin(a)])
    right = np.cross([0.0, 1.0, 0.0], backward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(backward, right), backward])
    transform = np.eye(4)
    transform[:3, :3] = rotation
    transform[:3, 3] = -rotation @ (distance * backward)
    return transform


def transform_points(
    points: Float[Array, "*batch V 3"], transform: Float[Array, "4 4"]
) -> Float[Array, "*batch V 3"]:
    """Applies a rigid transform: `b = b_from_a @ a` for every point."""
    return points @ transform[:3, :3].T + transform[:3, 3]


def resize_intrinsics(
    intrinsics: Float[Array, "*batch 3 3"], scale_u: float | int, scale_v: float | int
) -> Float[Array, "*batch 3 3"]:
    """Intrinsics after the image was resized by these factors (new size / old size)."""
    return _shifted(
        _scaled(_shifted(intrinsics, 0.5, 0.5), scale_u, scale_v), -0.5, -0.5
    )


def crop_intrinsics(
    intrinsics: Float[Array, "*batch 3 3"], left: float | int, top: float | int
) -> Float[Array, "*batch 3 3"]:
    """Intrinsics after `left` columns, `top` rows were cut off (negative: added)."""
    return _shifted(intrinsics, -left, -top)


def flip_intrinsics(
    intrinsics: Float[Array, "*batch 3 3"], width: int
) -> Float[Array, "*batch 3 3"]:
    """Intrinsics after the image was mirrored left-right (the scene is x -> -x)."""
    mirror = np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], np.float32)
    unmirror = np.diag(np.array([-1, 1, 1], np.float32))
    return mirror @ intrinsics @ unmirror


def opengl_from_opencv(
    points: Float[Array, "*batch V 3"],
) -> Float[Array, "*batch V 3"]:
    """Camera-frame points from the OpenCV frame (+x right, +y down, +z forward)."""
    return points * np.array([1, -1, -1], points.dtype)


def _shifted(intrinsics, du, dv):
    return np.array([[1, 0, du], [0, 1, dv], [0, 0, 1]], np.float32) @ intrinsics


def _scaled(intrinsics, su, sv):
    return np.diag(np.array([su, sv, 1], np.float32)) @ intrinsics
