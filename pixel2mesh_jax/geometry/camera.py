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
# distance in metres; nywang16/Pixel2Mesh, GenerateData.
P2M_SCALE = 0.57
# Ranges of `rendering_metadata.txt`: degrees, degrees, ratio of the largest distance.
R2N2_AZIMUTH = (0.0, 360.0)
R2N2_ELEVATION = (25.0, 30.0)
R2N2_DISTANCE_RATIO = (0.65, 0.95)
# Mesh R-CNN: clip planes of its projection, and the least distance of a point from the
# plane of the camera; metres of a model of unit diagonal.
# facebookresearch/meshrcnn, shapenet/utils/coords.py.
NDC_NEAR, NDC_FAR = 0.1, 100.0
NDC_MIN_DEPTH = 0.1
# Least distance in metres that a projection divides by.
MIN_DEPTH = 1e-6


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
      projection: they are projected as if they stood `MIN_DEPTH` before the camera.
    """
    xp = points.__array_namespace__()
    depth = xp.maximum(-points[..., 2], MIN_DEPTH)
    return _perspective(points, depth, intrinsics)


def project_lines(
    points: Float[Array, "*batch V 3"], intrinsics: Float[Array, "*batch 3 3"]
) -> Float[Array, "*batch V 2"]:
    """Where the lines through the camera and the points meet the image, in pixels.

    As `project`, but points behind the camera appear too, mirrored through it. The
    published Pixel2Mesh programs project like this.
    """
    xp = points.__array_namespace__()
    size = xp.maximum(xp.abs(points[..., 2]), MIN_DEPTH)
    return _perspective(points, xp.where(points[..., 2] > 0, -size, size), intrinsics)


def _perspective(points, depth, intrinsics):
    """Pixels of points whose distance from the plane of the camera is `depth`."""
    xp = points.__array_namespace__()
    focal = xp.stack([intrinsics[..., 0, 0], intrinsics[..., 1, 1]], axis=-1)
    center = intrinsics[..., :2, 2]
    flipped = xp.stack([points[..., 0], -points[..., 1]], axis=-1)
    return flipped / depth[..., None] * focal[..., None, :] + center[..., None, :]


def project_ndc(
    points: Float[Array, "*batch V 3"],
    intrinsics: Float[Array, "*batch 3 3"],
    image_shape: tuple[int, int],
) -> Float[Array, "*batch V 3"]:
    """Projects camera-frame points to normalised device coordinates, as Mesh R-CNN.

    Args:
      points: metres, camera frame.
      intrinsics: pinhole matrix in pixels, pixel centres at integers.
      image_shape: height and width in pixels.

    Returns:
      (x, y, z): x to the right and y up, -1 and 1 at the borders of the image; z grows
      from -1 at `NDC_NEAR` to 1 at `NDC_FAR`. Points behind the camera are mirrored
      through it: the sign of their depth is kept, only its size is at least
      `NDC_MIN_DEPTH`.
    """
    xp = points.__array_namespace__()
    height, width = image_shape
    focal_u, focal_v = intrinsics[..., 0, 0, None], intrinsics[..., 1, 1, None]
    center_u, center_v = intrinsics[..., 0, 2, None], intrinsics[..., 1, 2, None]
    depth = -points[..., 2]
    size = xp.maximum(xp.abs(depth), NDC_MIN_DEPTH)
    divisor = xp.where(depth < 0, -size, size)
    u = focal_u * points[..., 0] / divisor + center_u
    v = -focal_v * points[..., 1] / divisor + center_v
    scale = (NDC_FAR + NDC_NEAR) / (NDC_FAR - NDC_NEAR)
    shift = 2 * NDC_FAR * NDC_NEAR / (NDC_FAR - NDC_NEAR)
    z = (scale * depth - shift) / divisor
    return xp.stack([(2 * u + 1) / width - 1, 1 - (2 * v + 1) / height, z], axis=-1)


def pixels_from_ndc(
    ndc: Float[Array, "*batch V 3"], image_shape: tuple[int, int]
) -> Float[Array, "*batch V 2"]:
    """Pixels (u, v) of normalised device coordinates."""
    xp = ndc.__array_namespace__()
    height, width = image_shape
    u = (ndc[..., 0] + 1) * (width / 2) - 0.5
    v = (1 - ndc[..., 1]) * (height / 2) - 0.5
    return xp.stack([u, v], axis=-1)


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

    Source: nywang16/Pixel2Mesh, GenerateData/generate_data.py.
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


def camera_from_r2n2_metadata(
    row: Float[np.ndarray, "5"],
) -> Float[np.ndarray, "4 4"]:
    """Camera of one line of `rendering_metadata.txt` for a model of `P2M_SCALE` metres.

    The distance ratio is taken for metres, as Pixel2Mesh does. 3D-R2N2 rendered models
    of unit diagonal from 1.75 times the ratio; at 0.57 of that size, this is 0.25 % too
    far, a tenth of a pixel at the border of an object.

    Args:
      row: azimuth and elevation in degrees, in-plane rotation (0 in all published
        renderings and ignored here), distance ratio, and a field of view (25) that the
        renderer of 3D-R2N2 never used.
    """
    azimuth, elevation, _, ratio, _ = (float(value) for value in row)
    return camera_from_object(azimuth, elevation, ratio)


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


def opengl_from_pytorch3d(
    points: Float[Array, "*batch V 3"],
) -> Float[Array, "*batch V 3"]:
    """Camera-frame points from the PyTorch3D frame (+x left, +y up, +z forward).

    Mesh R-CNN and the poses of Pix3D use it as well.
    """
    return points * np.array([-1, 1, -1], points.dtype)


def _shifted(intrinsics, du, dv):
    return np.array([[1, 0, du], [0, 1, dv], [0, 0, 1]], np.float32) @ intrinsics


def _scaled(intrinsics, su, sv):
    return np.diag(np.array([su, sv, 1], np.float32)) @ intrinsics
