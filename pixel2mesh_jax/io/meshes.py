"""Mesh files <-> arrays, on the host, through trimesh."""

import os
import pathlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Int, UInt8

from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.geometry import surface as surface_geometry
from pixel2mesh_jax.io import materials, textures

LOAD_SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".off")
SAVE_SUFFIXES = (".obj", ".ply", ".glb")
# Formats whose plain colours are linear light.
_LINEAR_SUFFIXES = (".glb", ".gltf")
# Object frame (y up) from a z-up file: the top stays up, the front looks to +z.
_Y_UP_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


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
    """Reads all triangle meshes of a file as one, with transforms and materials.

    Args:
      path: a file with one of `LOAD_SUFFIXES`.

    Raises:
      InputError: missing, unreadable, without triangles, or not a surface (see
        `validate`); the message starts with the file name.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() not in LOAD_SUFFIXES:
        valid = ", ".join(LOAD_SUFFIXES)
        raise InputError(f"{path}: not a mesh file; known types are {valid}")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        scene = trimesh.load_scene(path, process=False)
        missing = textures.missing_files(path)
    except Exception as error:  # readers of foreign files raise anything
        raise InputError(f"{path}: cannot be read: {_reason(error)}") from error
    linear = path.suffix.lower() in _LINEAR_SUFFIXES
    try:
        return surface_from_scene(scene, linear, missing)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def surface_from_scene(
    scene: trimesh.Scene,
    linear: bool = False,
    missing: Mapping[str | None, str] = MappingProxyType({}),
) -> Surface:
    """Joins the triangle meshes of a scene in the frame of the scene.

    Args:
      scene: any number of instances of meshes; lines and points are left out.
      linear: plain colours are linear light, as in glTF.
      missing: textures that are not there, see `textures.missing_files`.

    Raises:
      InputError: see `validate`.
    """
    vertices, faces, paints, count = [], [], [], 0
    for transform, mesh in _instances(scene):
        validate(mesh.vertices, mesh.faces)
        vertices.append(camera.transform_points(mesh.vertices, transform))
        mirrored = np.linalg.det(transform[:3, :3]) < 0
        paint = materials.paint_from_mesh(mesh, linear, missing)
        paints.append(_reversed(paint) if mirrored else paint)
        faces.append((mesh.faces[:, ::-1] if mirrored else mesh.faces) + count)
        count += len(mesh.vertices)
    if not faces:
        kinds = sorted({type(part).__name__ for part in scene.geometry.values()})
        raise InputError(
            f"holds no triangles (it holds {', '.join(kinds) or 'nothing'})"
        )
    joined = Surface(
        np.concatenate(vertices).astype(np.float64),
        np.concatenate(faces).astype(np.int32),
        materials.join(paints),
    )
    if not surface_geometry.face_areas(joined.vertices, joined.faces).sum() > 0:
        raise InputError("has no area: every triangle is degenerate")
    return joined


def surface_from_mesh(mesh: trimesh.Trimesh) -> Surface:
    """A mesh made in memory; colours are sRGB. Raises InputError as `validate`."""
    return surface_from_scene(trimesh.Scene(mesh))


def validate(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> None:
    """Raises InputError unless vertices are finite and faces point to them."""
    if not np.isfinite(vertices).all():
        bad = int((~np.isfinite(vertices)).any(axis=1).sum())
        raise InputError(f"{bad} of {len(vertices)} vertices are NaN or infinite")
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise InputError(
            f"faces refer to vertices {faces.min()} to {faces.max()}, "
            f"the file has {len(vertices)}"
        )


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
) -> None:
    """Writes a mesh; the file appears complete or not at all.

    Args:
      path: ends in one of `SAVE_SUFFIXES`; folders are made.
      vertices: written in this order and number. glTF and this project are both y up.
      faces: counter-clockwise seen from outside.
      colors: sRGB per vertex, uint8 or float in [0, 1].

    Raises:
      InputError: unknown suffix, or not a mesh.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() not in SAVE_SUFFIXES:
        valid = ", ".join(SAVE_SUFFIXES)
        raise InputError(f"{path}: cannot write this type; known types are {valid}")
    validate(np.asarray(vertices), np.asarray(faces))
    visual = None
    if colors is not None:
        linear = path.suffix.lower() in _LINEAR_SUFFIXES
        visual = materials.vertex_visual(np.asarray(colors), linear)
    mesh = trimesh.Trimesh(vertices, faces, visual=visual, process=False)
    content = mesh.export(file_type=path.suffix.lower()[1:])
    write_atomically(path, content if isinstance(content, bytes) else content.encode())


def _instances(scene):
    """(transform, mesh) of every node that shows a triangle mesh, by name."""
    for node in sorted(scene.graph.nodes_geometry):  # readers differ in their order
        transform, name = scene.graph[node]
        mesh = scene.geometry[name]
        if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces):
            yield transform, mesh


def _reversed(paint):
    return paint._replace(
        corner_colors=paint.corner_colors[:, ::-1], corner_uv=paint.corner_uv[:, ::-1]
    )


def _reason(error):
    """One line that says what a foreign exception says."""
    return " ".join(f"{type(error).__name__}: {error}".split())
