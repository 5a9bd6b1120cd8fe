"""A square image of one annotated object of Pix3D, with camera and depth.

Pose (xingyuansun/pix3d, README and demo.py): the camera stands at the origin, +x left,
+y up, +z forward, which is the frame of PyTorch3D; a point p of the model is at
`rot_mat p + trans_mat`. The lens is `focal_length` mm in front of a sensor whose 32 mm
are the width of the whole photo, and looks at its middle.

Scale. A pinhole camera cannot tell a large object from a near one. So the scene is
scaled around the camera until the box diagonal of the model is 0.57 m, the P2M metre;
its distance follows from the pose. The object always fills the same part of its
image, so the longer the lens of that image, the farther away the object: not always
at the 0.8 m of the renderings.
"""

import pathlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from data_pipelines.building.examples import ViewImage
from data_pipelines.surfaces import alignment
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera, object_crop
from pixel2mesh_jax.io import images, masks, meshes
from pixel2mesh_jax.io.meshes import Surface
from pixel2mesh_jax.rendering import raycast

SENSOR_WIDTH = 32.0  # mm; README of Pix3D
# Largest deviation of `rot_mat` times its transpose from the identity.
ROTATION_TOLERANCE = 1e-3


class Pose(NamedTuple):
    """Where the camera of a photo sees a model.

    Attributes:
      rotation: of the model, in the frame of the camera (PyTorch3D).
      translation: of the model, in its unit.
      focal_length: mm, see `SENSOR_WIDTH`.
      box: of the object in the photo, pixels.
      size: width and height of the photo, pixels.
    """

    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]
    focal_length: float
    box: object_crop.Box
    size: tuple[int, int]


def check_pose(annotation: dict) -> Pose:
    """Takes a pose out of an entry of `pix3d.json`.

    Raises:
      InputError: a value is missing, or not what its name says.
    """
    rotation = _numbers(annotation, "rot_mat", (3, 3))
    if (
        np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE
        or np.linalg.det(rotation) < 0
    ):
        raise InputError(f"rot_mat {rotation.tolist()} is not a rotation")
    focal_length = _numbers(annotation, "focal_length", ())
    width, height = _numbers(annotation, "img_size", (2,))
    left, top, right, bottom = _numbers(annotation, "bbox", (4,))
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise InputError(
            f"bbox {annotation['bbox']} is not a box in a photo of "
            f"{width:g}x{height:g} pixels"
        )
    if focal_length <= 0:
        raise InputError(f"focal_length {focal_length} is not positive")
    return Pose(
        rotation=rotation,
        translation=_numbers(annotation, "trans_mat", (3,)),
        focal_length=float(focal_length),
        box=object_crop.Box(int(left), int(top), int(right), int(bottom)),
        size=(int(width), int(height)),
    )


def load_photo(
    photo: pathlib.Path, mask: pathlib.Path, size: tuple[int, int]
) -> UInt8[np.ndarray, "H W 4"]:
    """Reads a photo with its mask as alpha.

    Raises:
      InputError: unreadable, or not of the annotated (width, height).
    """
    rgb, alpha = images.load_rgba(photo)[..., :3], masks.load_mask(mask)
    for path, pixels in ((photo, rgb), (mask, alpha)):
        if pixels.shape[1::-1] != size:
            raise InputError(
                f"{path}: {pixels.shape[1]}x{pixels.shape[0]} pixels, expected "
                f"{size[0]}x{size[1]} as in img_size"
            )
    return np.concatenate([rgb, alpha[..., None]], axis=-1)


def image(
    rgba: UInt8[np.ndarray, "H W 4"], surface: Surface, pose: Pose, size: int
) -> ViewImage:
    """Cuts the object out of its photo and adds the depth of its model.

    Args:
      rgba: photo and mask.
      surface: model, as in its file.
      pose: of the model in the photo.
      size: width and height of the image in pixels.

    Raises:
      InputError: the model is behind the camera, or does not fit the mask.
    """
    square = object_crop.square_of_box(pose.box)
    cut = _resized(object_crop.cut(rgba, square), size)
    cut[cut[..., 3] == 0] = 0
    intrinsics = crop_intrinsics(pose, square, size)
    transform = camera_from_object(surface, pose)
    normalized = meshes.normalize(surface)
    if camera.transform_points(normalized.vertices, transform)[:, 2].max() >= 0:
        raise InputError("the model is beside or behind the camera")
    scene = raycast.make_scene(normalized.vertices, normalized.faces)
    view, silhouette = alignment.view_with_depth(cut, scene, transform, intrinsics)
    photo = object_crop.cut(np.ones(rgba.shape[:2], np.uint8), square)
    silhouette &= _resized(photo, size, Image.Resampling.NEAREST) > 0
    alignment.check_overlap(alignment.overlap(cut[..., 3] > 0, silhouette))
    return ViewImage(view, transform, 0)


def camera_from_object(surface: Surface, pose: Pose) -> Float[np.ndarray, "4 4"]:
    """Transform of the normalised model (`meshes.normalize`) into the camera frame.

    The model has its middle c at the origin and is scaled by s: p' = s (p - c). The
    scene scaled by s has R p' + s (R c + t) where the pose has R p + t.
    """
    low, high = meshes.bounding_box(surface)
    scale = camera.P2M_SCALE / np.linalg.norm(high - low)
    moved = scale * (pose.rotation @ ((low + high) / 2) + pose.translation)
    columns = np.concatenate([pose.rotation.T, moved[None]])
    transform = np.eye(4)
    transform[:3] = camera.opengl_from_pytorch3d(columns).T
    return transform


def crop_intrinsics(
    pose: Pose, square: object_crop.Square, size: int
) -> Float[np.ndarray, "3 3"]:
    """Pinhole matrix of a square of the photo that was scaled to `size` pixels."""
    width, height = pose.size
    focal_length = pose.focal_length / SENSOR_WIDTH * width
    photo = camera.pinhole(focal_length, (width - 1) / 2, (height - 1) / 2)
    cut = camera.crop_intrinsics(photo, square.left, square.top)
    return camera.resize_intrinsics(cut, size / square.side, size / square.side)


def _numbers(annotation, key, shape):
    try:
        values = np.array(annotation.get(key), np.float64)
    except (TypeError, ValueError):
        values = np.zeros(())
    if values.shape != shape or not np.isfinite(values).all():
        raise InputError(
            f"{key}: expected {'x'.join(map(str, shape)) or 'a'} finite number(s), "
            f"got {annotation.get(key)!r}"
        )
    return values


def _resized(pixels, size, filter=Image.Resampling.BILINEAR):
    """Pillow weights the colours of RGBA images by their alpha."""
    return np.array(Image.fromarray(pixels).resize((size, size), filter))
