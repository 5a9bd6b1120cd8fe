"""What is asked of the final mesh: a frame, fewer triangles, less noise, a texture."""

from typing import NamedTuple

import igl
import numpy as np
import trimesh
from scipy import spatial

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import upright
from pixel2mesh_jax.inference import texturing
from pixel2mesh_jax.inference.predict import Prediction
from pixel2mesh_jax.io import exif
from pixel2mesh_jax.io.captures import Capture
from pixel2mesh_jax.rendering import atlas
from pixel2mesh_jax.structures import HostMesh

# Frame -> its axes seen from the camera, and what turns OpenGL's axes into them.
CAMERA_FRAMES = {
    "camera": ("x right, y up, z towards the viewer", (1.0, 1.0, 1.0)),
    "opencv": ("x right, y down, z away from the viewer", (1.0, -1.0, -1.0)),
}
OBJECT_FRAME = "object"
FRAMES = (*CAMERA_FRAMES, OBJECT_FRAME)
# Axis that points up in the frame of the object -> its axes, and what turns y up into
# them.
UPS = {
    "y": ("x right, y up, z to the front of the object", np.eye(3)),
    "z": (
        "x right, y to the back of the object, z up",
        np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
    ),
}
# Where the up of an object is taken from, in words.
BY_GROUND = "upright on the plane that it stands on"
BY_BOX = "upright by its box, which is a guess"
# A tetrahedron is the smallest closed mesh.
MIN_FACES = 4


class Finish(NamedTuple):
    """How the final mesh is wanted.

    Attributes:
      frame: one of `FRAMES`.
      faces: at most so many triangles, 0 = as they come.
      up: axis that points up in the frame of the object, one of `UPS`.
      smooth: passes of Taubin's filter over the final mesh.
      texture: texels per side of its texture, 0 = colours of the vertices.
    """

    frame: str = "camera"
    faces: int = 0
    up: str = "y"
    smooth: int = 0
    texture: int = 0


AS_PREDICTED = Finish()


def check(wanted: Finish) -> None:
    """Raises InputError for what there is not: a frame, an axis, a number, xatlas."""
    if wanted.frame not in FRAMES:
        raise InputError(f"unknown frame {wanted.frame!r}; valid: {', '.join(FRAMES)}")
    if wanted.up not in UPS:
        raise InputError(f"unknown up {wanted.up!r}; valid: {', '.join(UPS)}")
    if wanted.faces and wanted.faces < MIN_FACES:
        raise InputError(
            f"faces is {wanted.faces}; expected at least {MIN_FACES}, or 0 for all"
        )
    if wanted.smooth < 0:
        raise InputError(f"smooth is {wanted.smooth}; expected 0 or more passes")
    if wanted.texture:
        atlas.check_size(wanted.texture)
        atlas.load_xatlas()


def axes(wanted: Finish) -> str:
    """Where the axes of the wanted frame point."""
    if wanted.frame == OBJECT_FRAME:
        return UPS[wanted.up][0]
    return CAMERA_FRAMES[wanted.frame][0]


def finish(found: Prediction, wanted: Finish, capture: Capture) -> Prediction:
    """The prediction as it is wanted.

    The stages before the last keep their triangles.

    Args:
      found: made of the capture, in the frame of the camera.
      wanted: what is to be changed.
      capture: what surrounds the object says where up is; its image is the texture.
    """
    *stages, last = found.stages
    last = reshape(last, wanted)
    found = found._replace(stages=(*stages, last))
    if wanted.texture:
        painted = texturing.make_texture(found, last, capture, wanted.texture)
        found = found._replace(texture=painted)
    if wanted.frame == OBJECT_FRAME:
        return _in_object_frame(found, wanted, capture)
    signs = np.asarray(CAMERA_FRAMES[wanted.frame][1], np.float32)
    return _moved(found, lambda vertices: vertices * signs)


def reshape(mesh: HostMesh, wanted: Finish) -> HostMesh:
    """The mesh in its own frame, smoothed and simplified as it is wanted."""
    if wanted.smooth:
        mesh = smooth(mesh, wanted.smooth)
    if 0 < wanted.faces < len(mesh.faces):
        mesh = simplify(mesh, wanted.faces)
    return mesh


def smooth(mesh: HostMesh, passes: int) -> HostMesh:
    """Taubin's filter (1995): Laplacian steps to and fro, which keep the size."""
    filtered = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    trimesh.smoothing.filter_taubin(filtered, iterations=2 * passes)
    return mesh._replace(vertices=filtered.vertices.astype(np.float32))


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


def _in_object_frame(found, wanted, capture):
    """Upright, the middle of the box in the origin."""
    up = _up(found, capture)
    source = BY_BOX if up is None else BY_GROUND
    turn = UPS[wanted.up][1] @ upright.rotation(found.mesh.vertices, up)
    turned = found.mesh.vertices @ turn.T
    middle = (turned.min(axis=0) + turned.max(axis=0)) / 2
    unit = "metres" if found.is_metric else "without a unit"
    frame = f"object, {source}; {unit}"
    return _moved(found, lambda points: points @ turn.T - middle)._replace(frame=frame)


def _up(found, capture):
    """In the frame of the prediction; None if nothing says it."""
    if capture.surroundings is None:
        return None
    up = upright.ground_up(capture.surroundings, capture.view.intrinsics)
    if up is None or not found.is_metric:
        return up
    return exif.unturn_points(up[None], capture.orientation)[0]


def _moved(found, move):
    stages = [
        mesh._replace(vertices=move(mesh.vertices).astype(np.float32))
        for mesh in found.stages
    ]
    return found._replace(stages=tuple(stages))
