"""Pictures with depth and camera -> `View` -> the batch that a network takes.

Done with Pillow: whoever uses a trained network needs no TensorFlow.
"""

import pathlib

import numpy as np
from jaxtyping import Float
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera, object_crop
from pixel2mesh_jax.geometry.depth import depth_from_relative
from pixel2mesh_jax.io import depth_maps, images
from pixel2mesh_jax.io.matting import Matting
from pixel2mesh_jax.structures import Batch, View

# Resized depth is missing where less than this part of it was valid; as in
# data_pipelines/augment.py.
VALID_PART = 0.5
# Whether to show the network the whole picture or the object, see `canonicalize`.
FITS = ("auto", "always", "never")

Path = str | pathlib.Path


def load_view(
    image_path: Path,
    depth_path: Path | None = None,
    intrinsics: Float[np.ndarray, "3 3"] | None = None,
    mask_path: Path | None = None,
    depth_unit: float | None = None,
    matting: Matting | None = None,
) -> View:
    """Loads a picture and what belongs to it.

    Args:
      image_path: any picture; see `images.load_image` for its alpha.
      depth_path: depth map of the same size; by default none (all zero).
      intrinsics: pinhole matrix in pixels of the picture; by default the camera of
        3D-R2N2, looking at the middle of the picture.
      mask_path: object mask of the same size, which replaces the alpha of the picture.
      depth_unit: metres per stored value; see `depth_maps.load_depth`.
      matting: makes the alpha of a picture that has neither alpha nor mask.

    Returns:
      The view; depth is missing (0) where alpha is 0.

    Raises:
      InputError: a file is unusable, or sizes differ, or no object pixel has depth.
    """
    rgba = (
        images.load_image(image_path, matting)
        if mask_path is None
        else _masked(image_path, mask_path)
    )
    shape = rgba.shape[:2]
    depth = np.zeros(shape, np.float32)
    if depth_path is not None:
        depth = depth_maps.load_depth(depth_path, depth_unit)
        _check_same_size(image_path, shape, depth_path, depth.shape)
        depth = np.where(rgba[..., 3] > 0, depth, np.float32(0))
        if not (depth[rgba[..., 3] >= images.OPAQUE_LEVEL]).any():
            raise InputError(f"{depth_path}: no depth on the object, only beside it")
    if intrinsics is None:
        square = object_crop.square_of_image(shape)
        intrinsics = camera.crop_intrinsics(
            camera.r2n2_intrinsics(square.side), -square.left, -square.top
        )
    return View(rgba, depth, np.asarray(intrinsics, np.float32))


def cut(view: View, square: object_crop.Square) -> View:
    """The part of a view inside a square; transparent beyond the picture."""
    return View(
        object_crop.cut(view.rgba, square),
        object_crop.cut(view.depth, square),
        camera.crop_intrinsics(view.intrinsics, square.left, square.top),
    )


def canonicalize(
    view: View, fit: str = "auto"
) -> tuple[View, object_crop.CanonicalView | None]:
    """Makes a view square, and like the views of the training data.

    Args:
      view: any size.
      fit: whether to cut out the object and move it to where the networks expect it:
        "auto" (if it is elsewhere), "always", "never".

    Returns:
      The square view; and the map back to the original one, or None if the camera
      frame is still that of the view.
    """
    whole = cut(view, object_crop.square_of_image(view.depth.shape))
    mask = whole.rgba[..., 3] / np.float32(255)
    depth = object_crop.object_depth(whole.depth, mask)
    typical = object_crop.is_canonical(mask, whole.intrinsics, depth)
    if fit == "never" or (fit == "auto" and typical):
        return whole, None
    square = object_crop.square_of_box(object_crop.object_box(mask))
    fitted = object_crop.fit(square, whole.intrinsics, depth)
    close = cut(whole, square)
    return (
        View(
            close.rgba,
            object_crop.canonical_depth(close.depth, fitted),
            camera.r2n2_intrinsics(square.side),
        ),
        fitted,
    )


def with_relative_depth(view: View, relative: Float[np.ndarray, "H W"]) -> View:
    """The view with an estimate in place of measured depth.

    Args:
      view: of any size.
      relative: inverse depth in [0, 1] over the object; see `depth_from_relative`.
    """
    mask = view.rgba[..., 3] / np.float32(255)
    depth = np.asarray(depth_from_relative(relative, mask), np.float32)
    return view._replace(depth=depth, estimated=relative)


def resize(view: View, size: int) -> View:
    """A square view at `size` x `size` pixels, filtered as in `batch_of_view`."""
    light, alpha, depth = _resized(view, size)
    rgb = light / np.maximum(alpha, 1 / 255)
    rgba = np.clip(np.concatenate([rgb, alpha], axis=-1), 0, 1)
    return View(
        np.round(rgba * 255).astype(np.uint8),
        depth[..., 0],
        _resized_intrinsics(view, size),
    )


def batch_of_view(view: View, image_size: int) -> Batch:
    """Resizes a square view to a batch of one, without ground truth.

    Equals data_pipelines/augment.py `resize_view`: triangle filter that widens when the
    picture shrinks; colours weighted by coverage and put on white, depth weighted by
    validity.
    """
    light, alpha, depth = _resized(view, image_size)
    nothing = np.zeros((1, 1, 3), np.float32)
    return Batch(
        rgb=np.clip(light + 1 - alpha, 0, 1)[None],
        depth=depth[None, ..., 0],
        mask=np.clip(alpha[None, ..., 0], 0, 1),
        intrinsics=_resized_intrinsics(view, image_size)[None],
        points=nothing,
        normals=nothing,
        colors=nothing,
        category=np.zeros(1, np.int32),
        weight=np.ones(1, np.float32),
    )


def _masked(image_path, mask_path):
    """The colours of one file with the mask of another as alpha."""
    rgba, mask = images.load_rgba(image_path), images.load_mask(mask_path)
    _check_same_size(image_path, rgba.shape[:2], mask_path, mask.shape)
    return np.concatenate([rgba[..., :3], mask[..., None]], axis=-1)


def _resized(view, size):
    """Colours times coverage, coverage, depth; each (size, size, channels)."""
    rgba = view.rgba.astype(np.float32) / 255
    alpha, valid = rgba[..., 3:], (view.depth > 0).astype(np.float32)[..., None]
    channels = [rgba[..., :3] * alpha, alpha, view.depth[..., None] * valid, valid]
    resized = _antialiased(np.concatenate(channels, axis=-1), size)
    light, alpha, depth, valid = np.split(resized, (3, 4, 5), axis=-1)
    depth = np.where(valid >= VALID_PART, depth / np.maximum(valid, VALID_PART), 0)
    return light, alpha, depth.astype(np.float32)


def _resized_intrinsics(view, size):
    factor = size / view.depth.shape[0]
    return camera.resize_intrinsics(view.intrinsics, factor, factor)


def _antialiased(channels, size):
    """(S, S, C) float32 to (size, size, C)."""
    planes = [
        Image.fromarray(np.ascontiguousarray(channels[..., i])).resize(
            (size, size), Image.Resampling.BILINEAR
        )
        for i in range(channels.shape[-1])
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def _check_same_size(image_path, image_shape, other_path, other_shape):
    if image_shape != other_shape:
        sizes = [f"{width}x{height}" for height, width in (image_shape, other_shape)]
        raise InputError(
            f"{other_path}: expected the size of the picture {image_path}, {sizes[0]} "
            f"pixels, got {sizes[1]}"
        )
