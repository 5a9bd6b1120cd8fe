"""Pictures with depth and camera -> `View` -> the batch that a network takes.

Done with Pillow: whoever uses a trained network needs no TensorFlow.
"""

import logging
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy import ndimage

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera, foreground, object_crop
from pixel2mesh_jax.geometry.depth import depth_from_relative
from pixel2mesh_jax.geometry.flying_pixels import flying_pixels
from pixel2mesh_jax.io import (
    cameras,
    depth_maps,
    exif,
    images,
    limits,
    masks,
    units,
)
from pixel2mesh_jax.io.in_memory import Source
from pixel2mesh_jax.io.matting import Matting
from pixel2mesh_jax.structures import Batch, View

# Resized depth is missing where less than this part of it was valid; as in
# data_pipelines/augment.py.
VALID_PART = 0.5
# Whether to show the network the whole picture or the object, see `canonicalize`.
FITS = ("auto", "always", "never")

# Depth maps and masks may be smaller than their picture if width over height agrees to
# this part: phones store 256x192 distances beside 1920x1440 colours.
SAME_SHAPE = 0.01

# Pixels around an object that are looked at for a ground that is nearer than it: their
# median depth is below this part of the object's, and nearly none is farther away.
RING = 5
NEARER_GROUND = 0.9
RING_QUANTILE = 0.9

logger = logging.getLogger(__name__)


class Capture(NamedTuple):
    """A view, and what its files say beside it.

    Attributes:
      view: upright; depth is missing (0) where alpha is 0.
      unit: metres per stored depth value; None without measured depth.
      lens_assumed: whether the camera is that of 3D-R2N2 because no file tells.
      orientation: EXIF tag by which picture, depth, mask and camera were turned.
    """

    view: View
    unit: float | None
    lens_assumed: bool
    orientation: int


def load_view(
    image_path: Source,
    depth_path: Source | None = None,
    intrinsics: Float[np.ndarray, "3 3"] | cameras.Camera | None = None,
    mask_path: Source | None = None,
    depth_unit: float | str | None = None,
    matting: Matting | None = None,
) -> View:
    """The view of `load_capture`."""
    return load_capture(
        image_path, depth_path, intrinsics, mask_path, depth_unit, matting
    ).view


def load_capture(
    image_path: Source,
    depth_path: Source | None = None,
    intrinsics: Float[np.ndarray, "3 3"] | cameras.Camera | None = None,
    mask_path: Source | None = None,
    depth_unit: float | str | None = None,
    matting: Matting | None = None,
    label: int | None = None,
    box: tuple[int, int, int, int] | None = None,
) -> Capture:
    """Loads a picture and what belongs to it.

    A picture with an EXIF orientation is turned upright, and depth, mask and camera,
    which are those of the sensor, along with it.

    Pictures, masks and depth maps may be in memory (`InMemory`), whatever the others
    are.

    Args:
      image_path: any picture; see `images.load_image` for its alpha.
      depth_path: depth map of the same size, or of the same shape at another size; by
        default none (all zero).
      intrinsics: pinhole matrix in pixels of the stored picture, or what a file says
        about it; by default the camera of 3D-R2N2, looking at the middle of the
        picture.
      mask_path: object mask of the same size, which replaces the alpha of the picture.
      depth_unit: metres per stored value, or `units.INVERSE` for relative inverse depth
        that is taken for an estimate; by default what the camera file says, else
        see `depth_maps.load_depth`.
      matting: makes the alpha of a picture that has neither alpha nor mask.
      label: which value of the mask is the object; see `masks.load_mask`.
      box: left, top, right, bottom of the object, pixels of the upright picture. Where
        depth is all there is to cut the object out with, see `geometry/foreground.py`,
        it is looked for there.

    Raises:
      InputError: a file is unusable, or sizes differ, or no object pixel has depth.
    """
    if label is not None and mask_path is None:
        raise InputError(
            f"{image_path}: --label {label} needs a mask beside the picture"
        )
    tag = exif.orientation(image_path)
    known = _camera(intrinsics)
    if mask_path is not None:
        rgba = _masked(image_path, mask_path, label, tag)
    elif depth_path is None or depth_unit == units.INVERSE:
        rgba = images.load_image(image_path, matting)
    else:
        scene = _Scene(image_path, depth_path, known, depth_unit, box, tag)
        rgba = images.load_image(image_path, matting, scene.object_alpha)
    rgba[..., 3] = masks.without_specks(rgba[..., 3], mask_path or image_path)
    matrix = np.asarray(_matrix(known, rgba.shape[:2], tag), np.float32)
    depth, unit, estimated = np.zeros(rgba.shape[:2], np.float32), None, None
    if depth_path is not None and depth_unit == units.INVERSE:
        estimated = _relative_depth(image_path, depth_path, rgba, tag)
    elif depth_path is not None:
        stated = None if known is None else known.depth_unit
        unit = stated if depth_unit is None else depth_unit
        focal = float(min(matrix[0, 0], matrix[1, 1]))
        depth, unit = _measured_depth(image_path, depth_path, rgba, unit, tag, focal)
        if depth_unit is None and stated is not None:
            depth, unit = _believable(depth, unit, depth_path, rgba, matrix)
    if tag != exif.UPRIGHT and not (depth_path is mask_path is intrinsics is None):
        logger.warning(
            "%s: turned upright by its EXIF tag (%d), depth, mask and camera with it",
            *(image_path, tag),
        )
    return Capture(View(rgba, depth, matrix, estimated), unit, known is None, tag)


class _Scene(NamedTuple):
    """A picture with measured depth that is not cut out, to find the object in it."""

    image_path: Source
    depth_path: Source
    known: cameras.Camera | None
    depth_unit: float | None
    box: tuple[int, int, int, int] | None
    tag: int

    def object_alpha(
        self, rgb: UInt8[np.ndarray, "H W 3"]
    ) -> UInt8[np.ndarray, "H W"] | None:
        """Coverage of what stands on the plane of the scene; None without one."""
        shape = rgb.shape[:2]
        depth = depth_maps.load_depth(self.depth_path, self.depth_unit)
        depth = _with_picture(depth, self.depth_path, self.image_path, shape, self.tag)
        matrix = _matrix(self.known, shape, self.tag)
        found = foreground.object_mask(depth, np.asarray(matrix), self.box)
        if found is None:
            return None
        rows, columns = np.nonzero(found)
        logger.warning(
            "%s is not cut out: what stands on the plane of the scene is taken for the "
            "object, pixels %d,%d,%d,%d (left, top, right, bottom). --box says where "
            "another one is; a mask is better.",
            self.image_path,
            *(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1),
        )
        return np.where(found, np.uint8(255), np.uint8(0))


def distance_and_size(view: View) -> tuple[float, float]:
    """Of what is seen of an object with depth: median distance, diagonal; metres."""
    inside = view.rgba[..., 3] >= images.OPAQUE_LEVEL
    distance = object_crop.object_depth(view.depth, inside)
    box = object_crop.object_box(inside)
    width = (box.right - box.left) / view.intrinsics[0, 0]
    height = (box.bottom - box.top) / view.intrinsics[1, 1]
    return distance, distance * float(np.hypot(width, height))


def cut(view: View, square: object_crop.Square) -> View:
    """The part of a view inside a square; transparent beyond the picture."""
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


def _masked(image_path, mask_path, label, tag):
    """The colours of one file with the mask of another as alpha."""
    rgba, mask = images.load_rgba(image_path), masks.load_mask(mask_path, label)
    mask = _with_picture(mask, mask_path, image_path, rgba.shape[:2], tag)
    return np.concatenate([rgba[..., :3], mask[..., None]], axis=-1)


def _measured_depth(image_path, depth_path, rgba, unit, tag, focal):
    depth, unit = depth_maps.read_depth(depth_path, unit)
    depth = _with_picture(depth, depth_path, image_path, rgba.shape[:2], tag)
    inside = rgba[..., 3] >= images.OPAQUE_LEVEL
    _warn_of_nearer_ground(depth, inside, depth_path)
    wrong = flying_pixels(depth, rgba[..., 3] > 0, focal)
    depth = np.where(rgba[..., 3] > 0, depth, np.float32(0))
    if not depth[inside].any():
        raise InputError(f"{depth_path}: no depth on the object, only beside it")
    if wrong.any() and depth[inside & ~wrong].any():
        depth = np.where(wrong, np.float32(0), depth)
        logger.info("%s: %d flying pixels are left out", depth_path, wrong.sum())
    return depth, unit


def _warn_of_nearer_ground(depth, inside, depth_path):
    """All around an object the ground is farther or as far, unless near is far."""
    around = ndimage.binary_dilation(inside, iterations=RING) & ~inside & (depth > 0)
    seen = inside & (depth > 0)
    if np.count_nonzero(around) < RING or not seen.any():
        return
    ratio = depth[around] / np.median(depth[seen])
    if np.median(ratio) < NEARER_GROUND and np.quantile(ratio, RING_QUANTILE) < 1:
        logger.warning(
            "%s: what surrounds the object is nearer than it (%.3g of its depth). Give "
            "--depth_unit inverse if larger values are nearer.",
            depth_path,
            np.median(ratio),
        )


def _believable(depth, unit, depth_path, rgba, matrix):
    """Depth in the unit of the camera file, or in the usual one if only that fits.

    Data sets that were converted to millimetres often keep the old depth_scale.
    """
    usual = depth_maps.usual_unit(depth_path)
    distance, size = distance_and_size(View(rgba, depth, matrix))
    factor = usual / unit
    if units.is_plausible(distance, size) or not units.is_plausible(
        distance * factor, size * factor
    ):
        return depth, unit
    logger.warning(
        "%s: the camera file says %s per value, which makes an object %s away: it is "
        "read in %s instead. --depth_unit decides.",
        depth_path,
        units.name_of(unit),
        units.format_length(distance),
        units.name_of(usual),
    )
    return depth * np.float32(factor), usual


def _relative_depth(image_path, depth_path, rgba, tag):
    """Inverse depth of a file, scaled to [0, 1] over the object."""
    values = depth_maps.load_inverse(depth_path)
    values = _with_picture(values, depth_path, image_path, rgba.shape[:2], tag)
    inside = rgba[..., 3] >= images.OPAQUE_LEVEL
    least, most = values[inside].min(), values[inside].max()
    if least == most:
        raise InputError(f"{depth_path}: the same inverse depth all over the object")
    return np.where(inside, (values - least) / (most - least), 0).astype(np.float32)


def _camera(intrinsics):
    if intrinsics is None or isinstance(intrinsics, cameras.Camera):
        return intrinsics
    return cameras.Camera(np.asarray(intrinsics, np.float64))


def _matrix(known, shape, tag):
    """Intrinsics of the upright picture of (height, width) `shape`."""
    if known is None:
        square = object_crop.square_of_image(shape)
        lens = camera.r2n2_intrinsics(square.side)
        return camera.crop_intrinsics(lens, -square.left, -square.top)
    height, width = shape
    stored = shape[::-1] if exif.swaps_sides(tag) else shape
    if known.size == (width, height) and stored != shape:
        return known.for_picture(width, height)  # of the picture held upright
    matrix = known.for_picture(stored[1], stored[0])
    return exif.turn_intrinsics(matrix, tag, stored)


def _with_picture(values, path, image_path, shape, tag):
    """What belongs to a picture, turned and sized as the picture is."""
    height, width = values.shape
    fits = abs(height * shape[1] / (width * shape[0]) - 1) <= SAME_SHAPE
    square = abs(height / width - 1) <= SAME_SHAPE
    turned = exif.swaps_sides(tag) and fits and not square  # held upright already
    if tag != exif.UPRIGHT and exif.orientation(path) == exif.UPRIGHT and not turned:
        values = exif.turn_image(values, tag)
        height, width = values.shape
        fits = abs(height * shape[1] / (width * shape[0]) - 1) <= SAME_SHAPE
    if (height, width) == shape:
        return values
    if not fits:
        raise InputError(
            f"{path}: expected the size of the picture {image_path}, "
            f"{shape[1]}x{shape[0]} pixels, or the same shape at another size; got "
            f"{width}x{height}"
            + f" (the picture is turned by its EXIF tag {tag})"
            * (tag != exif.UPRIGHT)
        )
    logger.info("%s: enlarged from %dx%d pixels", path, width, height)
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(shape, (height, width), strict=True)
    )
    return values[rows[:, None], columns]


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
