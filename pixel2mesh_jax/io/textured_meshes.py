"""Meshes with a texture as files: GLB with the image inside, OBJ with MTL and PNG."""

import io
import pathlib

import numpy as np
import trimesh
from jaxtyping import Float, Int
from PIL import Image

from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import surface
from pixel2mesh_jax.structures import Texture

FORMATS = ("glb", "obj")
# As the material of a mesh without a texture is called.
MATERIAL = "matt"


def check_format(file_format: str) -> None:
    """Raises InputError for a format that holds no texture."""
    if file_format not in FORMATS:
        raise InputError(
            f"{file_format} files hold no texture; expected --format "
            f"{' or '.join(FORMATS)}, or --texture 0 (colours of the vertices)"
        )


def beside(path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """Material and image of an OBJ file."""
    return path.with_suffix(".mtl"), path.with_name(f"{path.stem}_texture.png")


def save(
    path: pathlib.Path,
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    texture: Texture,
) -> None:
    """Writes a mesh with its texture; OBJ files get two others beside them.

    Positions are written as they are; a vertex on a seam is written several times in
    glTF, whose vertices have one texture coordinate each, and once in OBJ.

    Args:
      path: ends in .glb or .obj.
      vertices: any frame.
      faces: counter-clockwise seen from outside.
      texture: of the same triangles.

    Raises:
      InputError: another suffix.
    """
    file_format = path.suffix.lower()[1:]
    check_format(file_format)
    if file_format == "glb":
        content = textured(vertices, faces, texture).export(
            file_type="glb", include_normals=True
        )
        write_atomically(path, content)
        return
    material, image = beside(path)
    write_atomically(image, png_bytes(texture))
    write_atomically(material, _material_text(image.name).encode())
    text = _obj_text(vertices, faces, texture, material.name)
    write_atomically(path, text.encode())


def textured(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    texture: Texture,
) -> trimesh.Trimesh:
    """A mesh whose vertices are repeated on seams; its normals are not cut there."""
    material = trimesh.visual.material.PBRMaterial(
        name=MATERIAL,
        baseColorTexture=Image.open(io.BytesIO(png_bytes(texture))),
        metallicFactor=0.0,
        roughnessFactor=1.0,
    )
    normals = np.asarray(surface.vertex_normals(vertices, faces))
    return trimesh.Trimesh(
        vertices[texture.rows],
        texture.faces,
        vertex_normals=normals[texture.rows],
        visual=trimesh.visual.TextureVisuals(uv=texture.uv, material=material),
        process=False,
    )


def png_bytes(texture: Texture) -> bytes:
    """The image as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(texture.image).save(file, "PNG")
    return file.getvalue()


def _material_text(image):
    return f"newmtl {MATERIAL}\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {image}\n"


def _obj_text(vertices, faces, texture, material):
    """Rows of OBJ count from 1; nine digits say a float32 exactly."""
    normals = np.asarray(surface.vertex_normals(vertices, faces))
    corners = np.stack([faces, texture.faces, faces], axis=-1) + 1
    return "\n".join(
        [
            f"mtllib {material}",
            *_rows("v %.9g %.9g %.9g", vertices),
            *_rows("vt %.9g %.9g", texture.uv),
            *_rows("vn %.6g %.6g %.6g", normals),
            f"usemtl {MATERIAL}",
            *_rows("f %d/%d/%d %d/%d/%d %d/%d/%d", corners.reshape(-1, 9)),
            "",
        ]
    )


def _rows(pattern, values):
    return (pattern % tuple(row) for row in values.tolist())
