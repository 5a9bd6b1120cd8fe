"""Images with depth, mask and camera -> `Capture`.

files or arrays -> turned upright, cut out -> `Capture` -> io/views.py -> `Batch`
"""

import functools
import logging
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, UInt8

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera, distortion, foreground, object_crop
from pixel2mesh_jax.geometry.distortion import Distortion
from pixel2mesh_jax.io import (
    cameras,
    depth_maps,
    exif,
    images,
    masks,
    object_depth,
    undistort,
    units,
)
from pixel2mesh_jax.io.beside_image import like_image
from pixel2mesh_jax.io.depth_cameras import DepthCamera
from pixel2mesh_jax.io.in_memory import InMemory, Source
from pixel2mesh_jax.io.matting import Matting, within
from pixel2mesh_jax.structures import View

logger = logging.getLogger(__name__)


class Capture(NamedTuple):
    """A view, and what its files say beside it.

    Attributes:
      view: upright; depth is missing (0) where alpha is 0.
      unit: metres per stored depth value; None without measured depth.
      lens_assumed: whether the camera is that of 3D-R2N2 because no file tells.
      orientation: EXIF tag by which image, depth, mask and camera were turned.
      surroundings: depth of all that is not the object, metres; None if not measured.
      undone: distortion of the lens that the view is free of, if there was one.
    """

    view: View
    unit: float | None
    lens_assumed: bool
    orientation: int
    surroundings: Float32[np.ndarray, "H W"] | None = None
    undone: Distortion | None = None


def load_capture(
    image_path: Source,
    depth_path: Source | None = None,
    intrinsics: Float[np.ndarray, "3 3"] | cameras.Camera | None = None,
    mask_path: Source | None = None,
    depth_unit: float | str | None = None,
    matting: Matting | None = None,
    label: int | None = None,
    box: tuple[int, int, int, int] | None = None,
    depth_camera: DepthCamera | None = None,
) -> Capture:
    """Loads an image and what belongs to it.

    An image with an EXIF orientation is turned upright, and depth, mask and camera,
    which are those of the sensor, along with it. Distortion of the lens is undone in
    all of them; what the lens does not show is transparent and without depth.

    Images, masks and depth maps may be in memory (`InMemory`), whatever the others
    are.

    Args:
      image_path: any image; see `images.load_image` for its alpha.
      depth_path: depth map of the same size, or of the same shape at another size; by
        default none (all zero).
      intrinsics: pinhole matrix in pixels of the stored image, or what a file says
        about it; by default the camera of 3D-R2N2, looking at the middle of the
        image.
      mask_path: object mask of the same size, which replaces the alpha of the image.
      depth_unit: metres per stored value, or `units.INVERSE` for relative inverse depth
        that is taken for an estimate; by default what the camera file says, else
        see `depth_maps.load_depth`.
      matting: makes the alpha of an image that has neither alpha nor mask.
      label: which value of the mask is the object; see `masks.load_mask`.
      box: left, top, right, bottom of the object, pixels of the upright image. Where
        depth is all there is to cut the object out with, see `geometry/foreground.py`,
        or with GrabCut, it is looked for there. Mask and alpha come first.
      depth_camera: of the depth map, if it is not that of the image.

    Raises:
      InputError: a file is unusable, or sizes differ, or no object pixel has depth.
    """
    if label is not None and mask_path is None:
        raise InputError(f"{image_path}: --label {label} needs a mask beside the image")
    known, tag = _camera(intrinsics), exif.orientation(image_path)
    sensor = _Sensor(image_path, known, tag, depth_camera)
    if depth_camera is not None and known is None:
        raise InputError(
            f"{image_path}: depth of another camera needs the intrinsics of the image"
        )
    if known is not None and known.distortion is not None:
        sensor = _straightened(sensor)
        image_path = sensor.image_path
    measured = None
    if depth_path is not None and depth_unit != units.INVERSE:
        measured = depth_maps.read_depth(depth_path, sensor.unit(depth_unit))
    matting = within(matting, box)
    if box is not None and (mask_path is not None or images.has_alpha(image_path)):
        logger.warning(
            "%s: the box is not used, %s says what the object is",
            image_path,
            "its transparency" if mask_path is None else mask_path,
        )
    if mask_path is not None:
        rgba = _masked(sensor, mask_path, label)
    elif measured is not None:
        find = functools.partial(_find_object, sensor, measured.values, depth_path, box)
        rgba = images.load_image(image_path, matting, find)
    else:
        rgba = images.load_image(image_path, matting)
    if sensor.bent is not None:
        rgba[..., 3][sensor.bent.holes()] = 0
    rgba[..., 3] = masks.without_specks(rgba[..., 3], mask_path or image_path)
    if sensor.tag != exif.UPRIGHT and not (
        depth_path is mask_path is intrinsics is None
    ):
        logger.warning(
            "%s: turned upright by its EXIF tag (%d), depth, mask and camera with it",
            *(image_path, sensor.tag),
        )
    nothing = np.zeros(rgba.shape[:2], np.float32)
    view = View(rgba, nothing, sensor.matrix(rgba.shape[:2]))
    undone = None if known is None else known.distortion
    capture = Capture(view, None, known is None, sensor.tag, undone=undone)
    if measured is not None:
        return _with_depth(capture, sensor, measured, depth_path, depth_unit)
    if depth_path is not None:
        return _with_estimate(capture, sensor, depth_path)
    return capture


class _Bent(NamedTuple):
    """Where the pixels of a lens without distortion are in the image of the real one.

    Attributes:
      places: see `distortion.sources`.
      tag: EXIF orientation that turns the image which the lens belongs to upright.
    """

    places: Float[np.ndarray, "2 H W"]
    tag: int

    def undone(self, values, sample):
        """What is distorted as the upright image was, without that."""
        stored = exif.unturn_image(values, self.tag)
        return exif.turn_image(sample(stored, self.places), self.tag)

    def holes(self):
        """What the upright image does not show."""
        return exif.turn_image(undistort.holes(self.places), self.tag)


class _Sensor(NamedTuple):
    """What took an image, and all that lies beside it.

    Attributes:
      image_path: of the image.
      known: what is known of the camera, if anything is.
      tag: EXIF orientation by which the image is turned upright.
      depth_camera: of the depth map, if it is another one.
      bent: how the image was distorted, if it was.
    """

    image_path: Source
    known: cameras.Camera | None
    tag: int
    depth_camera: DepthCamera | None
    bent: _Bent | None = None

    def unit(self, wanted: float | None) -> float | None:
        """Metres per stored depth value as the user or else the camera file says."""
        if wanted is not None or self.known is None:
            return wanted
        return self.known.depth_unit

    def upright(self, values, path, shape):
        """A mask or a depth map, turned, sized and straight as the upright image."""
        values = like_image(values, path, self.image_path, shape, self.tag)
        if self.bent is None:
            return values
        return self.bent.undone(values, undistort.nearest)

    def depth(self, values, path, shape):
        """A depth map as the upright image would have it."""
        if self.depth_camera is not None:
            stored = _stored_shape(shape, self.tag)
            lens = self.known.for_image(*stored[::-1])
            values = self.depth_camera.registered(values, lens, stored, path)
            return like_image(values, path, self.image_path, shape, self.tag)
        return self.upright(values, path, shape)

    def matrix(self, shape: tuple[int, int]) -> Float32[np.ndarray, "3 3"]:
        """Intrinsics of the upright image of (height, width) `shape`."""
        return np.asarray(_matrix(self.known, shape, self.tag), np.float32)


def _straightened(sensor):
    """The sensor with an image, in memory, that is free of distortion."""
    rgba, known = images.load_rgba(sensor.image_path), sensor.known
    shape, tag = rgba.shape[:2], sensor.tag
    if _is_of_upright(known, shape, tag):
        tag = exif.UPRIGHT
    stored = _stored_shape(shape, tag)
    lens = known.for_image(*stored[::-1])
    bent = _Bent(distortion.sources(lens, stored, known.distortion), tag)
    straight = InMemory(str(sensor.image_path), bent.undone(rgba, undistort.image))
    return sensor._replace(image_path=straight, bent=bent)


def _masked(sensor, mask_path, label):
    """The colours of one file with the mask of another as alpha."""
    rgba, mask = images.load_rgba(sensor.image_path), masks.load_mask(mask_path, label)
    mask = sensor.upright(mask, mask_path, rgba.shape[:2])
    return np.concatenate([rgba[..., :3], mask[..., None]], axis=-1)


def _find_object(
    sensor, depth, depth_path, box, rgb: UInt8[np.ndarray, "H W 3"]
) -> UInt8[np.ndarray, "H W"] | None:
    """Coverage of what stands on the plane of the scene; None without one."""
    shape = rgb.shape[:2]
    depth = sensor.depth(depth, depth_path, shape)
    found = foreground.object_mask(depth, sensor.matrix(shape), box)
    if found is None:
        return None
    rows, columns = np.nonzero(found)
    logger.warning(
        "%s is not cut out: what stands on the plane of the scene is taken for the "
        "object, pixels %d,%d,%d,%d (left, top, right, bottom). --box says where "
        "another one is; a mask is better.",
        sensor.image_path,
        *(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1),
    )
    return np.where(found, np.uint8(255), np.uint8(0))


def _with_depth(capture, sensor, measured, path, depth_unit):
    """The capture with measured depth; in a believable unit unless the user said it."""
    view = capture.view
    alpha, lens = view.rgba[..., 3], view.intrinsics
    whole = sensor.depth(measured.values, path, alpha.shape)
    focal = float(min(lens[0, 0], lens[1, 1]))
    depth, unit = object_depth.of_object(whole, alpha, focal, path), measured.unit
    if depth_unit is None and sensor.unit(None) is not None:
        seen = view._replace(depth=depth)
        unit = object_depth.believable_unit(seen, measured, path)
    scale = np.float32(unit / measured.unit)
    return capture._replace(
        view=view._replace(depth=depth * scale),
        unit=unit,
        surroundings=np.where(alpha > 0, np.float32(0), whole * scale),
    )


def _with_estimate(capture, sensor, path):
    """The capture with relative inverse depth of a file."""
    alpha = capture.view.rgba[..., 3]
    values = sensor.upright(depth_maps.load_inverse(path), path, alpha.shape)
    estimated = object_depth.relative(values, alpha >= images.OPAQUE_LEVEL, path)
    return capture._replace(view=capture.view._replace(estimated=estimated))


def _camera(intrinsics):
    if intrinsics is None or isinstance(intrinsics, cameras.Camera):
        return intrinsics
    return cameras.Camera(np.asarray(intrinsics, np.float64))


def _stored_shape(shape, tag):
    """Of the image in its file, from that of the upright one."""
    return shape[::-1] if exif.swaps_sides(tag) else shape


def _matrix(known, shape, tag):
    if known is None:
        square = object_crop.square_of_image(shape)
        lens = camera.r2n2_intrinsics(square.side)
        return camera.crop_intrinsics(lens, -square.left, -square.top)
    if _is_of_upright(known, shape, tag):
        return known.for_image(shape[1], shape[0])
    stored = _stored_shape(shape, tag)
    matrix = known.for_image(stored[1], stored[0])
    return exif.turn_intrinsics(matrix, tag, stored)


def _is_of_upright(known, shape, tag):
    """Whether a camera is that of the image held upright, not of its file."""
    return known.size == shape[::-1] and _stored_shape(shape, tag) != shape
