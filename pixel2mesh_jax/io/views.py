"""A view of an object -> the square that a network takes.

Done with Pillow: whoever uses a trained network needs no TensorFlow.
"""

import numpy as np
from jaxtyping import Float
from PIL import Image

from pixel2mesh_jax.geometry import camera, object_crop
from pixel2mesh_jax.geometry.depth import depth_from_relative
from pixel2mesh_jax.io import images, limits
from pixel2mesh_jax.structures import Batch, View

# Resized depth is missing where less than this part of it was valid; as in
# data_pipelines/streaming/augment.py.
VALID_PART = 0.5
# Whether to show the network the whole image or the object, see `canonicalize`.
FITS = ("auto", "always", "never")


def distance_and_size(view: View) -> tuple[float, float]:
    """Of what is seen of an object with depth: median distance, diagonal; metres."""
    inside = view.rgba[..., 3] >= images.OPAQUE_LEVEL
    distance = object_crop.object_depth(view.depth, inside)
    box = object_crop.object_box(inside)
    width = (box.right - box.left) / view.intrinsics[0, 0]
    height = (box.bottom - box.top) / view.intrinsics[1, 1]
    return distance, distance * float(np.hypot(width, height))


def cut(view: View, square: object_crop.Square) -> View:
    """The part of a view inside a square; transparent beyond the image."""
    estimated = view.estimated
    return View(
        object_crop.cut(view.rgba, square),
        object_crop.cut(view.depth, square),
        camera.crop_intrinsics(view.intrinsics, square.left, square.top),
        None if estimated is None else object_crop.cut(estimated, square),
    )


def shrink(view: View, factor: int) -> View:
    """The view at an integer fraction of its size; up to `factor` - 1 rows are cut."""
    height, width = (length // factor for length in view.depth.shape)
    rgba = Image.fromarray(view.rgba[: height * factor, : width * factor])
    middle = slice(factor // 2, None, factor)

    def picked(values):  # depth is not averaged: edges would get depth between
        return values[middle, middle][:height, :width]

    return View(
        np.array(rgba.convert("RGBa").reduce(factor).convert("RGBA")),
        picked(view.depth),
        camera.resize_intrinsics(view.intrinsics, 1 / factor, 1 / factor),
        None if view.estimated is None else picked(view.estimated),
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
      The square view, whose object is `object_crop.CANONICAL_DEPTH` away if it has
      depth; and the map back to the original one, or None if the camera frame is still
      that of the view.
    """
    height, width = view.depth.shape
    mask = view.rgba[..., 3] >= images.OPAQUE_LEVEL
    box = object_crop.object_box(mask)
    square = object_crop.square_of_image((height, width))
    moved = object_crop.Box(*np.subtract(box, (square.left, square.top) * 2).tolist())
    whole = camera.crop_intrinsics(view.intrinsics, square.left, square.top)
    typical = object_crop.is_canonical(moved, square.side, whole)
    kept = fit == "never" or (fit == "auto" and typical)
    if not kept:
        square = object_crop.square_of_box(box)
    if (factor := square.side // limits.MAX_SQUARE) > 1:
        return canonicalize(shrink(view, factor), "never" if kept else "always")
    depth = object_crop.object_depth(view.depth, mask)
    close = cut(view, square)
    if kept and depth is None:
        return close, None
    if kept:
        fitted = object_crop.keep(square, view.intrinsics, depth)
    else:
        fitted = object_crop.fit(square, view.intrinsics, depth)
    return (
        close._replace(
            depth=object_crop.canonical_depth(close.depth, fitted),
            intrinsics=camera.crop_intrinsics(fitted.lens, square.left, square.top),
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

    Equals data_pipelines/streaming/augment.py `resize_view`: triangle filter that
    widens when the image shrinks; colours weighted by coverage and put on white,
    depth weighted by validity.
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


def _resized(view, size):
    """Colours times coverage, coverage, depth; each (size, size, channels)."""
    alpha = view.rgba[..., 3].astype(np.float32) / 255
    valid = (view.depth > 0).astype(np.float32)
    light = [
        _antialiased(view.rgba[..., i].astype(np.float32) / 255 * alpha, size)
        for i in range(3)
    ]
    depth = _antialiased(view.depth * valid, size)
    alpha, valid = _antialiased(alpha, size), _antialiased(valid, size)
    depth = np.where(valid >= VALID_PART, depth / np.maximum(valid, VALID_PART), 0)
    depth = depth[..., None].astype(np.float32)
    return np.stack(light, axis=-1), alpha[..., None], depth


def _resized_intrinsics(view, size):
    factor = size / view.depth.shape[0]
    return camera.resize_intrinsics(view.intrinsics, factor, factor)


def _antialiased(plane, size):
    """(S, S) float32 to (size, size)."""
    image = Image.fromarray(np.ascontiguousarray(plane))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
