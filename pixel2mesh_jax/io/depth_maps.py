"""Depth maps from files: metres along the optical axis, 0 = missing."""

import logging
import pathlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import cameras, images, in_memory, limits, netpbm, units
from pixel2mesh_jax.io.in_memory import InMemory, Source, named

# What renderers call the depth channel of an EXR file, after the name of the layer.
EXR_DEPTH_CHANNELS = ("Z", "V", "depth")
# What sensors store where they saw nothing, beside 0: the largest 16-bit value.
SATURATED = 2**16 - 1
# What some programs store where they saw nothing.
NO_DEPTH = -1
# Stored values of which the highest reach this part of the 16-bit range were stretched
# to it, as relative inverse depth is; in millimetres they would be 59 m away.
STRETCHED = 0.9
STRETCHED_PERCENTILE = 99

logger = logging.getLogger(__name__)


class MeasuredDepth(NamedTuple):
    """A depth map of a file.

    Attributes:
      values: metres along the optical axis, 0 = missing.
      unit: metres per stored value, as they were read.
      usual: metres per stored value if nothing says so: floats in m, integers in mm.
    """

    values: Float32[np.ndarray, "H W"]
    unit: float
    usual: float


def load_depth(path: Source, unit: float | None = None) -> Float32[np.ndarray, "H W"]:
    """Reads a depth map: metres along the optical axis, 0 = missing.

    NaN, infinity, -1, the largest 16-bit value and distances beyond
    `limits.MAX_DISTANCE` are missing too. Values that look like relative inverse depth
    are read as they are asked for, with a warning.

    Args:
      path: an image of 16 or 32 bits (PNG, TIFF, PGM, PFM), `.npy` of integers of at
        least 16 bits or floats, or `.exr` (needs OpenEXR).
      unit: metres per stored value; by default integers are millimetres and floats are
        metres.

    Raises:
      InputError: no such file, too large, damaged, 8-bit or not a single channel,
        negative values, or no pixel with depth.
    """
    return read_depth(path, unit).values


def read_depth(path: Source, unit: float | None = None) -> MeasuredDepth:
    """As `load_depth`; and the units."""
    path = named(path)
    stored = load_stored(path)
    usual = _usual_unit(stored)
    if unit is None:
        _warn_of_inverse(stored, path)
        unit = usual
    values = stored.astype(np.float64) * unit
    missing = _missing(stored, path) | (values > limits.MAX_DISTANCE)
    _check_negative(values[~missing], stored.size, path)
    depth = np.where(missing, 0, values).astype(np.float32)
    if not depth.any():
        raise InputError(_no_depth(stored, values, path))
    return MeasuredDepth(depth, unit, usual)


def load_inverse(path: Source) -> Float32[np.ndarray, "H W"]:
    """Reads relative inverse depth: larger is nearer, without a unit, 0 = missing.

    Raises:
      InputError: as `load_depth`, and for the same value everywhere.
    """
    path = named(path)
    stored = load_stored(path)
    values = np.where(np.isfinite(stored), stored, 0).astype(np.float32)
    _check_negative(values, stored.size, path)
    if np.ptp(values) == 0:
        raise InputError(f"{path}: no inverse depth, every value is {values.flat[0]:g}")
    return values


def load_stored(path: pathlib.Path | InMemory) -> Shaped[np.ndarray, "H W"]:
    """The values of a depth map as they are stored. Raises InputError."""
    if isinstance(path, InMemory):
        return _native(_stored_in_memory(path), path)
    readers = {".npy": _stored_array, ".exr": _stored_exr, ".pgm": netpbm.load_pgm}
    return _native(readers.get(path.suffix.lower(), _stored_image)(path), path)


def load_intrinsics(source: str | pathlib.Path) -> Float[np.ndarray, "3 3"]:
    """Reads a pinhole matrix in pixels, pixel centres at integers.

    Args:
      source: "fx,fy,cx,cy", or a file in one of the formats of io/camera_formats.py.

    Raises:
      InputError: see `cameras.load_camera`.
    """
    return cameras.load_camera(source).matrix


def _usual_unit(stored):
    floats = np.issubdtype(stored.dtype, np.floating)
    return units.METRE if floats else units.MILLIMETRE


def _stored_array(path):
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            _check_header(file, path)
        return np.load(path, allow_pickle=False)
    except InputError:
        raise
    except limits.BAD_NPY as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not a readable .npy file: {reason}") from None


def _check_header(file, path):
    """Refuses what the header asks for before memory is taken for it."""
    shape, dtype = limits.npy_header(file)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise ValueError(f"{dtype}, expected numbers")
    if len(shape) == 2:
        limits.check_pixels(path, shape[1], shape[0])
    elif len(shape) > 3 or np.prod(shape, dtype=float) > limits.MAX_PIXELS:
        raise InputError(f"{path}: expected a depth map of one channel, got {shape}")


def _stored_exr(path):
    try:
        import OpenEXR
    except ImportError:
        raise InputError(
            f"{path}: EXR files need the package OpenEXR: pip install OpenEXR"
        ) from None
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with OpenEXR.File(str(path), header_only=True) as file:
            low, high = file.header()["dataWindow"]
        limits.check_pixels(path, *(int(n) for n in np.subtract(high, low) + 1))
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {
                name: channel.pixels for name, channel in file.channels().items()
            }
    except InputError:
        raise
    except (RuntimeError, TypeError, ValueError, LookupError, MemoryError) as error:
        raise InputError(f"{path}: not a readable EXR file: {error}") from None
    return channels[_depth_channel(list(channels), path)]


def _depth_channel(names, path):
    """The only channel, or the one whose name says depth."""
    called = [name for name in names if name.split(".")[-1] in EXR_DEPTH_CHANNELS]
    candidates = names if len(names) == 1 else called
    if len(candidates) != 1:
        raise InputError(
            f"{path}: expected one channel, or one called "
            f"{' or '.join(EXR_DEPTH_CHANNELS)}; found {', '.join(names)}"
        )
    return candidates[0]


def _stored_image(path):
    image = images.open_image(path)
    stored = np.asarray(image)
    if image.mode == "I" and 0 <= stored.min() and stored.max() < 2**16:
        return stored.astype(np.uint16)  # how some versions of Pillow hold 16 bits
    return stored


def _stored_in_memory(source):
    if isinstance(source.values, Image.Image):
        return _stored_image(source)
    stored = in_memory.array_of(source)
    if stored.ndim == 2:
        limits.check_pixels(source, *stored.shape[::-1])
    return stored


def _native(stored, path):
    """Checked, in the byte order of this machine."""
    _check_layout(stored, path)
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)


def _check_layout(stored, path):
    wide = stored.dtype.kind in "iu" and stored.dtype.itemsize >= 2
    if stored.ndim != 2 or not stored.size or not (wide or stored.dtype.kind == "f"):
        raise InputError(
            f"{path}: expected a depth map of one channel, 16-bit integers "
            f"(millimetres) or floats (metres); got {stored.dtype} of shape "
            f"{stored.shape}"
        )


def _missing(stored, path) -> Bool[np.ndarray, "H W"]:
    """Where the values are none; says how many stand for a saturated sensor."""
    missing = ~np.isfinite(stored) | (stored == NO_DEPTH)
    if count := np.count_nonzero(missing):
        logger.info(
            "%s: %d of %d values are NaN, infinite or -1: taken for missing",
            path,
            count,
            stored.size,
        )
    if stored.dtype == np.uint16:
        saturated = stored == SATURATED
        if (count := np.count_nonzero(saturated)) and not _looks_inverse(stored):
            logger.warning(
                "%s: %d of %d values are %d, which is no distance: taken for missing",
                *(path, count, stored.size, SATURATED),
            )
        missing = missing | saturated
    return missing


def _check_negative(values, size, path):
    if count := np.count_nonzero(values < 0):
        raise InputError(
            f"{path}: {count} of {size} depth values are negative; "
            "expected depth along the optical axis, 0 where it is missing"
        )


def _no_depth(stored, values, path):
    if not stored.any():
        return f"{path}: no depth, all {stored.size} values are 0 (missing)"
    far = np.count_nonzero(values > limits.MAX_DISTANCE)
    if far:
        return (
            f"{path}: no depth: {far} of {stored.size} values are farther than "
            f"{limits.MAX_DISTANCE / 1000:g} km; is another unit meant? See "
            f"--depth_unit ({units.CHOICES})"
        )
    return f"{path}: no depth, all {stored.size} values are missing"


def _warn_of_inverse(stored, path):
    if _looks_inverse(stored):
        logger.warning(
            "%s: the values fill their whole range, as relative inverse depth (MiDaS, "
            "Depth Anything) does; it is read as depth. Give --depth_unit inverse if "
            "larger values are nearer.",
            path,
        )


def _looks_inverse(stored):
    """16 bits stretched from 0 to the top, or floats from 0 to 1 exactly."""
    if stored.dtype.kind == "f":
        seen = stored[np.isfinite(stored)]
        return bool(seen.size) and seen.min() == 0 and seen.max() == 1
    if stored.dtype != np.uint16 or stored.max() < SATURATED:
        return False
    seen = stored[(stored > 0) & (stored < SATURATED)]
    top = np.percentile(seen, STRETCHED_PERCENTILE) if seen.size else 0
    return bool(top > STRETCHED * SATURATED)
