"""Colours of the vertices of a mesh that was cut out of a view volume; on the host.

The visible side takes those of the picture, the rest what a network says of the far
side.
"""

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from pixel2mesh_jax.geometry.frustum import COVERED

# Cells behind the first crossing of its ray up to which a vertex is visible.
VISIBLE = 1.5


def paint(
    vertices: Float[np.ndarray, "V 3"],
    index: Float[np.ndarray, "V 3"],
    field: Float[np.ndarray, "R R L"],
    picture: tuple[np.ndarray, np.ndarray, np.ndarray],
    far_colors: Float[np.ndarray, "R R 3"],
) -> Float[np.ndarray, "V 3"]:
    """sRGB in [0, 1] of every vertex.

    Args:
      vertices: camera frame.
      index: their (row, column, layer) in the volume.
      field: that they were cut out of; negative inside.
      picture: colours (H, W, 3) composited on white, mask (H, W), intrinsics (3, 3).
      far_colors: sRGB of the far end of every ray.
    """
    places = np.clip(np.round(index[:, :2]).astype(int), 0, len(field) - 1)
    row, column = places.T
    inside = field < 0
    first = np.where(inside.any(axis=-1), inside.argmax(axis=-1), field.shape[-1])
    visible = index[:, 2] < first[row, column] + VISIBLE
    seen = _seen(vertices, *picture)
    return np.where(visible[:, None], seen, far_colors[row, column]).astype(np.float32)


def _seen(vertices, rgb, mask, intrinsics):
    """Colours where the vertices project: of the nearest pixel of the object."""
    plain = _nearest_of_object(np.asarray(rgb), np.asarray(mask))
    u = intrinsics[0, 2] - intrinsics[0, 0] * vertices[:, 0] / vertices[:, 2]
    v = intrinsics[1, 2] + intrinsics[1, 1] * vertices[:, 1] / vertices[:, 2]
    rows, columns = plain.shape[:2]
    v = np.clip(np.round(v).astype(int), 0, rows - 1)
    return plain[v, np.clip(np.round(u).astype(int), 0, columns - 1)]


def _nearest_of_object(rgb, mask):
    """The picture with every pixel replaced by the nearest one that is covered."""
    covered = mask >= COVERED
    if not covered.any():
        return rgb
    coverage = np.where(covered, mask, 1)[..., None]
    plain = np.clip((rgb - (1 - coverage)) / coverage, 0, 1)
    rows, columns = ndimage.distance_transform_edt(
        ~covered, return_distances=False, return_indices=True
    )
    return plain[rows, columns]
