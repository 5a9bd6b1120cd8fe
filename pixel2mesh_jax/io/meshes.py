"""Mesh files <-> arrays, on the host.

Each format has a reader beside this file, which gives vertices, triangles and paint;
STL goes through trimesh. What a file may ask for is bounded in `mesh_limits.py`.
"""

import io
import logging
import os
import pathlib
from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Int, UInt8

from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.geometry import surface as surface_geometry
from pixel2mesh_jax.io import (
    gltf_scene,
    materials,
    mesh_limits,
    obj,
    off,
    ply,
    textured_meshes,
)
from pixel2mesh_jax.io.mesh_limits import validate
from pixel2mesh_jax.structures import Texture

LOAD_SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off")
SAVE_SUFFIXES = (".obj", ".ply", ".glb", ".stl")
FORMATS = tuple(suffix[1:] for suffix in SAVE_SUFFIXES)
# Object frame (y up) from a z-up file: the top stays up, the front looks to +z.
_Y_UP_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
_NO_TRIANGLES = "holds no triangles"

logger = logging.getLogger(__name__)
trimesh_log = logging.getLogger("trimesh")


class Surface(NamedTuple):
    """A coloured triangle mesh on the host; not necessarily closed or clean.

    Attributes:
      vertices: unit and frame of the file, or of the function that moved them.
      faces: rows of `vertices`, as wound in the file.
      paint: colours of the faces.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    paint: materials.Paint


def load_surface(path: str | os.PathLike) -> Surface:
    """Reads all triangles of a file as one surface, with transforms and materials.

    Args:
      path: a file with one of `LOAD_SUFFIXES`; of a link, its own name and neighbours
        count and not those of its target.

    Raises:
      InputError: missing, unreadable, without triangles, not a surface (see
        `validate`), or beyond `mesh_limits`; the message starts with the file name.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() not in LOAD_SUFFIXES:
        valid = ", ".join(LOAD_SUFFIXES)
        raise InputError(f"{path}: not a mesh file; known types are {valid}")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return _checked(Surface(*READERS[path.suffix.lower()](path)))
    except InputError as error:
        raise InputError(f"{path}: {_line(error)}") from error
    except Exception as error:  # what foreign files contain raises anything
        reason = _line(f"{type(error).__name__}: {error}")
        raise InputError(f"{path}: cannot be read: {reason}") from error


def surface_from_scene(scene: trimesh.Scene, linear: bool = False) -> Surface:
    """Joins the triangle meshes of a scene in the frame of the scene.

    Args:
      scene: any number of instances of meshes; lines and points are left out.
      linear: plain colours are linear light.

    Raises:
      InputError: see `validate`.
    """
    vertices, faces, paints, known, count = [], [], [], {}, 0
    for transform, name, mesh in _instances(scene):
        validate(mesh.vertices, mesh.faces)
        vertices.append(camera.transform_points(mesh.vertices, transform))
        if name not in known:
            known[name] = materials.paint_from_mesh(mesh, linear)
        mirrored = np.linalg.det(transform[:3, :3]) < 0
        paints.append(_reversed(known[name]) if mirrored else known[name])
        faces.append((mesh.faces[:, ::-1] if mirrored else mesh.faces) + count)
        count += len(mesh.vertices)
    if not faces:
        raise InputError(_NO_TRIANGLES)
    return _checked(
        Surface(np.concatenate(vertices), np.concatenate(faces), materials.join(paints))
    )


def surface_from_mesh(mesh: trimesh.Trimesh) -> Surface:
    """A mesh made in memory; colours are sRGB. Raises InputError as `validate`."""
    return surface_from_scene(trimesh.Scene(mesh))


def normalize(
    surface: Surface, up: str = "y", diagonal: float = camera.P2M_SCALE
) -> Surface:
    """Moves a surface into the object frame as 3D-R2N2 and Pixel2Mesh do.

    The middle of the bounding box of all triangles goes to the origin and the diagonal
    of the box becomes `diagonal` metres.

    Args:
      surface: any unit.
      up: axis that points up in the file, "y" or "z".
      diagonal: of the bounding box, metres.

    Raises:
      InputError: `up` is neither "y" nor "z".
    """
    if up not in ("y", "z"):
        raise InputError(f"up axis is {up!r}, expected 'y' or 'z'")
    vertices = surface.vertices
    if up == "z":
        vertices = vertices @ _Y_UP_FROM_Z_UP.T
    low, high = bounding_box(surface._replace(vertices=vertices))
    scale = diagonal / np.linalg.norm(high - low)
    return surface._replace(vertices=(vertices - (low + high) / 2) * scale)


def bounding_box(
    surface: Surface,
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Lowest and highest coordinates of all triangles."""
    used = surface.vertices[np.unique(surface.faces)]
    return used.min(axis=0), used.max(axis=0)


def turn(surface: Surface, matrix: Float[np.ndarray, "3 3"]) -> Surface:
    """A surface after a rotation, or after a reflection, which turns its faces over."""
    vertices = surface.vertices @ matrix.T
    if np.linalg.det(matrix) > 0:
        return surface._replace(vertices=vertices)
    return Surface(vertices, surface.faces[:, ::-1], _reversed(surface.paint))


def save_mesh(
    path: str | os.PathLike,
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    colors: UInt8[np.ndarray, "V 3"] | Float[np.ndarray, "V 3"] | None = None,
    texture: Texture | None = None,
) -> None:
    """Writes a mesh; the file appears complete or not at all.

    Args:
      path: ends in one of `SAVE_SUFFIXES`; folders are made.
      vertices: written in this order and number. glTF and this project are both y up.
      faces: counter-clockwise seen from outside.
      colors: sRGB per vertex, uint8 or float in [0, 1]; STL has none.
      texture: in place of the colours; see `textured_meshes.save`.

    Raises:
      InputError: unknown suffix, not a mesh, or a type that holds no texture.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() not in SAVE_SUFFIXES:
        valid = ", ".join(SAVE_SUFFIXES)
        raise InputError(f"{path}: cannot write this type; known types are {valid}")
    validate(np.asarray(vertices), np.asarray(faces))
    if texture is not None:
        textured_meshes.save(path, vertices, faces, texture)
        return
    colors = None if colors is None else np.asarray(colors)
    if path.suffix.lower() == ".glb":
        visual, options = materials.gltf_visual(colors), {"include_normals": True}
    else:
        visual = None if colors is None else materials.vertex_visual(colors)
        options = {}
    mesh = trimesh.Trimesh(vertices, faces, visual=visual, process=False)
    content = mesh.export(file_type=path.suffix.lower()[1:], **options)
    write_atomically(path, content if isinstance(content, bytes) else content.encode())


def _checked(surface):
    """A surface with triangles that have an area, in the types of `Surface`."""
    if not len(surface.faces):
        raise InputError(_NO_TRIANGLES)
    mesh_limits.check_counts(len(surface.vertices), len(surface.faces))
    validate(surface.vertices, surface.faces)
    surface = surface._replace(
        vertices=np.asarray(surface.vertices, np.float64),
        faces=np.asarray(surface.faces, np.int32),
    )
    if not surface_geometry.face_areas(surface.vertices, surface.faces).sum() > 0:
        raise InputError("has no area: every triangle is degenerate")
    return surface


def _read_stl(path):
    """Through trimesh, whose warnings become ours."""
    file = io.BytesIO(mesh_limits.read_bytes(path))
    relay = _Relay()
    trimesh_log.addHandler(relay)
    try:
        return surface_from_scene(
            trimesh.load_scene(file, file_type="stl", process=False)
        )
    finally:
        trimesh_log.removeHandler(relay)


class _Relay(logging.Handler):
    """Says again what another library warns of, for the report of a build."""

    def __init__(self):
        super().__init__(logging.WARNING)

    def emit(self, record):
        logger.log(record.levelno, "%s", record.getMessage())


def _instances(scene):
    """(transform, name, mesh) of every node that shows a triangle mesh, by name."""
    for node in sorted(scene.graph.nodes_geometry):  # readers differ in their order
        transform, name = scene.graph[node]
        mesh = scene.geometry[name]
        if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces):
            yield transform, name, mesh


def _reversed(paint):
    return paint._replace(
        corner_colors=paint.corner_colors[:, ::-1], corner_uv=paint.corner_uv[:, ::-1]
    )


def _line(text):
    """One line of whatever text."""
    return " ".join(str(text).split())


# Suffix -> reader of vertices, faces and paint.
READERS = {
    **{".glb": gltf_scene.read, ".gltf": gltf_scene.read, ".obj": obj.read},
    **{".ply": ply.read, ".off": off.read, ".stl": _read_stl},
}
