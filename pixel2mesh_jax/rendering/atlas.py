"""A surface cut into flat charts, packed into one square: where every texel lies.

xatlas (extra `texture`) cuts and packs. Meshes of marching cubes are rough, which makes
hundreds of charts; they are cut along a smoothed copy, which makes a few dozen in a
quarter of the time. The texture lies on the mesh itself.
"""

from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Int

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.rendering import raycast

# Passes of Taubin's filter over the copy that is cut: 34 charts instead of 609 for the
# taxi of examples/.
SMOOTHING = 10
# Diagonal of that copy: what xatlas does depends on the unit of a mesh.
DIAGONAL = 100.0
# Texels between charts.
PADDING = 4
# Texels per side of an atlas.
SIZES = (64, 8192)


class Atlas(NamedTuple):
    """Texture coordinates of a mesh; a vertex on a seam has several.

    Attributes:
      uv: u right, v up, in [0, 1].
      rows: vertex of the mesh that every row of `uv` belongs to.
      faces: rows of `uv`; the triangles of the mesh in their order.
    """

    uv: Float[np.ndarray, "N 2"]
    rows: Int[np.ndarray, " N"]
    faces: Int[np.ndarray, "F 3"]


def check_size(size: int) -> None:
    """Raises InputError for a number of texels that is out of bounds."""
    low, high = SIZES
    if not low <= size <= high:
        raise InputError(
            f"texture is {size}; expected {low} to {high} texels a side, or 0 for none"
        )


def load_xatlas():
    """The library; raises InputError if it is not installed."""
    try:
        import xatlas
    except ImportError:
        raise InputError(
            "a texture needs xatlas: pip install 'pixel2mesh-jax[texture]'"
        ) from None
    return xatlas


def unwrap(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], size: int
) -> Atlas:
    """Cuts a mesh into charts and packs them.

    Args:
      vertices: any unit.
      faces: rows of `vertices`.
      size: texels per side that the space between charts is meant for.

    Raises:
      InputError: xatlas is not installed, or does not give back the triangles.
    """
    xatlas = load_xatlas()
    made, packing = xatlas.Atlas(), xatlas.PackOptions()
    packing.resolution, packing.padding = size, PADDING
    made.add_mesh(_smoothed(vertices, faces), np.asarray(faces, np.uint32))
    made.generate(pack_options=packing)
    rows, corners, uv = made.get_mesh(0)
    if made.atlas_count != 1 or not np.array_equal(rows[corners], faces):
        raise InputError("xatlas cannot cut this mesh into charts of one texture")
    return Atlas(uv.astype(np.float32), rows.astype(np.int32), corners.astype(np.int32))


def texels(atlas: Atlas, size: int) -> raycast.Hits:
    """Which triangle every texel lies on, and where: an image of the flat charts.

    Returns:
      Hits of (size, size) texels, top row first, as of a camera above the charts.
    """
    above = -np.ones((len(atlas.uv), 1))
    flat = np.concatenate([atlas.uv.astype(np.float64), above], axis=1)
    lens = np.array([[size, 0, -0.5], [0, size, size - 0.5], [0, 0, 1]], np.float64)
    return raycast.cast(flat, atlas.faces, lens, (size, size))


def _smoothed(vertices, faces):
    """The copy that is cut."""
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    trimesh.smoothing.filter_taubin(mesh, iterations=SMOOTHING)
    points = np.asarray(mesh.vertices)
    diagonal = np.linalg.norm(np.ptp(points, axis=0))
    return (points * (DIAGONAL / diagonal)).astype(np.float32)
