"""What a user asks of the final mesh: another frame, fewer triangles."""

from typing import NamedTuple

import igl
import numpy as np
from scipy import spatial

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.inference.predict import Prediction
from pixel2mesh_jax.structures import HostMesh

# Frame -> its axes seen from the camera, and what turns OpenGL's axes into them.
FRAMES = {
    "camera": ("x right, y up, z towards the viewer", (1.0, 1.0, 1.0)),
    "opencv": ("x right, y down, z away from the viewer", (1.0, -1.0, -1.0)),
}
# A tetrahedron is the smallest closed mesh.
MIN_FACES = 4


class Finish(NamedTuple):
    """How the final mesh is wanted.

    Attributes:
      frame: one of `FRAMES`.
      faces: at most so many triangles, 0 = as they come.
    """

    frame: str = "camera"
    faces: int = 0


AS_PREDICTED = Finish()


def check(wanted: Finish) -> None:
    """Raises InputError for a frame or a number of triangles that there is not."""
    if wanted.frame not in FRAMES:
        raise InputError(f"unknown frame {wanted.frame!r}; valid: {', '.join(FRAMES)}")
    if wanted.faces and wanted.faces < MIN_FACES:
        raise InputError(
            f"faces is {wanted.faces}; expected at least {MIN_FACES}, or 0 for all"
        )


def axes(frame: str) -> str:
    """Where the axes of a frame point, seen from the camera."""
    return FRAMES[frame][0]


def finish(found: Prediction, wanted: Finish) -> Prediction:
    """The prediction as it is wanted.

    The stages before the last keep their triangles.
    """
    *stages, last = found.stages
    if 0 < wanted.faces < len(last.faces):
        last = simplify(last, wanted.faces)
    signs = np.asarray(FRAMES[wanted.frame][1], np.float32)
    stages = [mesh._replace(vertices=mesh.vertices * signs) for mesh in (*stages, last)]
    return found._replace(stages=tuple(stages))


def simplify(mesh: HostMesh, faces: int) -> HostMesh:
    """Collapses edges by their quadric error (Garland and Heckbert 1997).

    A closed mesh stays closed. Colours are those of the nearest old vertex.

    Args:
      mesh: with more than `faces` triangles.
      faces: wanted number of triangles.
    """
    vertices, triangles, *_ = igl.qslim(
        np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64), faces
    )
    colors = mesh.colors
    if colors is not None:
        colors = colors[spatial.KDTree(mesh.vertices).query(vertices)[1]]
    return HostMesh(
        vertices.astype(np.float32), triangles.astype(mesh.faces.dtype), colors
    )
