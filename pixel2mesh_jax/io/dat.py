"""The `.dat` files of the released Pixel2Mesh: python-2 pickles of numpy arrays.

A pickle is a program. This reader runs it in an interpreter that knows the three names
which rebuild a numeric array and refuses every other name.
"""

import functools
import os
import pathlib
import pickle
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from pixel2mesh_jax.errors import InputError

# Kinds of numpy dtypes that are plain numbers; "O" would hold arbitrary objects.
_NUMBERS = "biuf"


class ReleasedEllipsoid(NamedTuple):
    """What `info_ellipsoid.dat` says of the meshes that it starts from.

    The file holds supports of graph convolutions and neighbour lists too; they follow
    from the faces.

    Attributes:
      vertices: positions of the coarsest level, metres, camera frame.
      faces: of the coarsest level; the file does not record their winding.
      parents: per level but the finest, the two vertices between which unpooling puts
        each new one: the edges, in the order of the new vertices.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    parents: tuple[Int[np.ndarray, "E 2"], ...]


def load_ellipsoid(path: str | os.PathLike) -> ReleasedEllipsoid:
    """Reads `info_ellipsoid.dat` of the released Pixel2Mesh.

    Raises:
      InputError: see `load`, or something else is in it.
    """
    contents = load(path)
    try:
        vertices, parents, wings = contents[0], contents[4], contents[5]
        triangles = np.concatenate([wings[0][:, [0, 1, k]] for k in (2, 3)])
        faces = np.unique(np.sort(triangles, axis=1), axis=0)
        found = ReleasedEllipsoid(
            vertices.astype(np.float32),
            faces.astype(np.int32),
            tuple(rows[:, :2].astype(np.int32) for rows in parents),
        )
    except (TypeError, IndexError, KeyError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: not an info_ellipsoid.dat: {error}") from error
    used = np.unique(found.faces)
    if found.vertices.shape != (len(used), 3) or used[0] != 0 or used[-1] >= len(used):
        raise InputError(
            f"{path}: {found.vertices.shape} vertices for faces that use {len(used)}"
        )
    return found


def load_points(
    path: str | os.PathLike,
) -> tuple[Float[np.ndarray, "N 3"], Float[np.ndarray, "N 3"]]:
    """Reads the surface points of one rendering.

    Returns:
      Points (metres, camera frame) and unit normals of arbitrary sign, float32.

    Raises:
      InputError: see `load`, or not a finite (N, 6) array.
    """
    samples = load(path)
    if not isinstance(samples, np.ndarray):
        raise InputError(
            f"{path}: expected an (N, 6) array of points and normals, "
            f"got {type(samples).__name__}"
        )
    if samples.ndim != 2 or samples.shape[1] != 6 or not len(samples):
        raise InputError(
            f"{path}: expected an (N, 6) array of points and normals, "
            f"got shape {samples.shape}"
        )
    if not np.isfinite(samples).all():
        raise InputError(f"{path}: holds NaN or infinite values")
    samples = samples.astype(np.float32)
    return samples[:, :3], samples[:, 3:]


def load(path: str | os.PathLike) -> object:
    """Reads a pickle that is made of numeric arrays, lists, tuples, dicts and numbers.

    Raises:
      InputError: no such file, damaged, or it asks for anything else by name.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        try:
            return _ArrayUnpickler(file, encoding="latin1").load()
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except Exception as error:  # a damaged pickle fails in any way
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(f"{path}: not a Pixel2Mesh .dat file: {reason}") from error


class _ArrayUnpickler(pickle.Unpickler):
    """Knows what rebuilds an array, and nothing else."""

    def find_class(self, module: str, name: str):
        if name == "_reconstruct" and module in (
            "numpy.core.multiarray",  # numpy 1
            "numpy._core.multiarray",  # numpy 2
        ):
            # A new object each time: the pickle can change only what it was given.
            return functools.partial(_empty_array)
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return functools.partial(_number_dtype)
        raise InputError(
            f"forbidden name {module}.{name} in the pickle; only numeric numpy arrays "
            "are read from it, nothing was run"
        )


def _empty_array(kind, shape, code):
    """What `numpy.core.multiarray._reconstruct` does before the contents are set."""
    if kind is not np.ndarray or shape != (0,) or code not in ("b", b"b"):
        raise InputError("not a plain numpy array")
    return np.ndarray(shape, np.int8)


def _number_dtype(code, align=False, copy=True):
    dtype = np.dtype(code, align=bool(align), copy=bool(copy))
    if dtype.kind not in _NUMBERS:
        raise InputError(f"array of {dtype}, expected numbers")
    return dtype
