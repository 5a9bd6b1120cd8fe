"""The `.dat` files of the released Pixel2Mesh: python-2 pickles of numpy arrays.

The files are parsed into plain data, see io/pickled_arrays.py; nothing in them is run.
"""

import os
import pathlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import limits, pickled_arrays


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
        used = np.unique(found.faces)
    except (TypeError, LookupError, AttributeError, ValueError) as error:
        reason = type(error).__name__
        raise InputError(f"{path}: not an info_ellipsoid.dat: {reason}") from error
    if not len(used) or found.faces.ndim != 2 or found.faces.shape[1] != 3:
        raise InputError(f"{path}: not an info_ellipsoid.dat: no triangles")
    if found.vertices.shape != (len(used), 3) or used[0] != 0 or used[-1] >= len(used):
        raise InputError(
            f"{path}: {found.vertices.shape} vertices for faces that use {len(used)}"
        )
    if not np.isfinite(found.vertices).all():
        raise InputError(f"{path}: vertices hold NaN or infinite values")
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
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite
        samples = samples.astype(np.float32)
    if not np.isfinite(samples).all():
        raise InputError(f"{path}: holds NaN or infinite values")
    return samples[:, :3], samples[:, 3:]


def load(path: str | os.PathLike) -> object:
    """Reads a pickle that is made of numeric arrays, lists, tuples, dicts and numbers.

    Raises:
      InputError: no such file, too large, damaged, or it asks for anything else by
        name.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    limits.check_bytes(path, limits.MAX_DAT_BYTES)
    try:
        return pickled_arrays.parse(path.read_bytes())
    except pickled_arrays.ForbiddenError as error:
        raise InputError(f"{path}: {error}") from error
    except pickled_arrays.DamagedError as error:
        raise InputError(f"{path}: not a Pixel2Mesh .dat file: {error}") from error
