"""Whether a true mesh lies where its image shows the object.

A mesh in millimetres, or in the frame of the object or of another program, is a valid
mesh: only its image can tell. So its silhouette and depth are drawn in the camera of
the image and compared with mask and sensor.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import images
from pixel2mesh_jax.io.meshes import Surface
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.structures import View

# Pixels of the longer side of the drawing, about.
DRAWN_SIZE = 128
# Least share of the mask that the mesh must cover, and largest median difference of
# depth, as a part of the distance and of the diagonal of the mesh. The models of three
# captures of YCB-Video cover 0.99 and differ by 0.1 % of the distance.
COVERED = 0.5
DEPTH_PART = 0.1
SIZE_PART = 0.25
# Mistakes that explain a mesh elsewhere -> the scale or signs that would mend them.
MISTAKES = {
    "millimetres": (1e-3, 1e-3, 1e-3),
    "centimetres": (1e-2, 1e-2, 1e-2),
    "inches": (0.0254, 0.0254, 0.0254),
    "the OpenCV frame (+y down, +z forward)": (1.0, -1.0, -1.0),
    "the OpenCV frame, in millimetres": (1e-3, -1e-3, -1e-3),
    "the PyTorch3D frame (+x left, +z forward)": (-1.0, 1.0, -1.0),
}


class Agreement(NamedTuple):
    """How a mesh fits its image.

    Attributes:
      covered: share of the object's pixels where the mesh is seen.
      depth_difference: median of depth of the mesh minus that of the sensor, metres;
        NaN where they do not meet.
      distance: median depth of the sensor on the object, metres.
      diagonal: of the bounding box of the mesh, metres.
    """

    covered: float
    depth_difference: float
    distance: float
    diagonal: float

    def fits(self) -> bool:
        """Whether this is the object of the image."""
        bound = min(DEPTH_PART * self.distance, SIZE_PART * self.diagonal)
        return self.covered >= COVERED and abs(self.depth_difference) <= bound


def check(name: str, surface: Surface, view: View) -> None:
    """Raises InputError unless a mesh lies where depth and mask of its view are.

    Args:
      name: of its file.
      surface: taken for metres in the camera frame of `view`.
      view: as it was loaded, with depth.
    """
    found = compare(surface.vertices, surface.faces, view)
    if found.fits():
        return
    said = f"covers {100 * found.covered:.0f} % of the mask"
    if np.isfinite(found.depth_difference):
        said += (
            f", and lies {found.depth_difference:+.3g} m from the depth of the sensor "
            f"({found.distance:.3g} m)"
        )
    raise InputError(
        f"{name}: does not fit its image: it {said}; expected metres in the camera "
        "frame of the image (+x right, +y up, the camera looks down -z)"
        f"{_guess(surface.vertices, surface.faces, view)}"
    )


def compare(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], view: View
) -> Agreement:
    """Draws a mesh in the camera of a view; see `Agreement`."""
    height, width = view.depth.shape
    step = max(1, max(height, width) // DRAWN_SIZE)
    # pixels (0, step, 2 step, ...) of the image are the pixels of the drawing
    depth = view.depth[::step, ::step]
    mask = view.rgba[::step, ::step, 3] >= images.OPAQUE_LEVEL
    intrinsics = np.array(view.intrinsics, np.float64)
    intrinsics[:2] /= step
    hits = raycast.cast(vertices, faces, intrinsics, depth.shape)
    seen = (hits.triangle >= 0) & mask
    both = seen & (depth > 0)
    difference = np.median((hits.depth - depth)[both]) if both.any() else np.nan
    on_object = depth[mask & (depth > 0)]
    return Agreement(
        float(seen.sum() / max(mask.sum(), 1)),
        float(difference),
        float(np.median(on_object)) if on_object.size else 0.0,
        float(np.linalg.norm(np.ptp(vertices[np.unique(faces)], axis=0))),
    )


def _guess(vertices, faces, view):
    """What would explain it, if anything common does."""
    for name, factors in MISTAKES.items():
        if compare(vertices * np.array(factors), faces, view).fits():
            return f"; it seems to be in {name}"
    if np.linalg.norm(vertices.mean(axis=0)) < np.ptp(vertices, axis=0).max():
        return "; it seems to be in the frame of the object, around the origin"
    return ""
