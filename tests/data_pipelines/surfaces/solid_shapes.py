"""Shapes with a known inside, for the tests of orientation, solids and fields."""

import numpy as np
import trimesh

from data_pipelines.surfaces import orientation
from pixel2mesh_jax.io import meshes
from pixel2mesh_jax.io.meshes import Surface


def surface_of(*parts: trimesh.Trimesh) -> Surface:
    """Parts as one surface in the object frame, metres."""
    mesh = trimesh.util.concatenate(parts)
    return meshes.normalize(meshes.surface_from_mesh(mesh))


def box(extents=(1.0, 0.6, 0.8), center=(0, 0, 0)) -> trimesh.Trimesh:
    """A box whose six sides have six colours."""
    mesh = trimesh.creation.box(extents).apply_translation(center)
    sides = np.round(mesh.face_normals).astype(int)
    mesh.visual.face_colors = np.column_stack(
        [128 + 100 * sides, np.full(len(sides), 255)]
    ).astype(np.uint8)
    return mesh


def sphere(radius=1.0) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=4, radius=radius)


def sheet(width=1.0, depth=1.0) -> trimesh.Trimesh:
    """A square in the xz plane that faces up, of 8 triangles."""
    mesh = trimesh.Trimesh(
        [
            (-width, 0, -depth),
            (width, 0, -depth),
            (width, 0, depth),
            (-width, 0, depth),
        ],
        [(0, 2, 1), (0, 3, 2)],
    )
    return mesh.subdivide()


def cup() -> trimesh.Trimesh:
    """The wall and the bottom of a cylinder around y, without thickness."""
    mesh = trimesh.creation.cylinder(radius=0.5, height=1)
    mesh.update_faces(mesh.face_normals[:, 2] < 0.5)  # no lid
    mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))
    return mesh


def with_split_vertices(surface: Surface) -> Surface:
    """Every triangle has corners of its own, as in files with flat shading."""
    return surface._replace(
        vertices=surface.vertices[surface.faces].reshape(-1, 3),
        faces=np.arange(surface.faces.size, dtype=np.int32).reshape(-1, 3),
    )


def shuffled(surface: Surface, seed: int = 0) -> Surface:
    """The faces in another order, a random half of them reversed."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(surface.faces))
    paint = surface.paint._replace(
        corner_colors=surface.paint.corner_colors[order],
        corner_uv=surface.paint.corner_uv[order],
        face_texture=surface.paint.face_texture[order],
    )
    surface = surface._replace(faces=surface.faces[order], paint=paint)
    return orientation.reverse_faces(surface, rng.random(len(order)) < 0.5)
