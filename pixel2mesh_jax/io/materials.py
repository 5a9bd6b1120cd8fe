"""Colours of a mesh file: trimesh visuals in, one flat table for every triangle out.

Every triangle gets corner colours and a texture; a plain one has a texture of a single
white texel. All textures lie behind one another in one array, so that the colour of a
million points on a hundred materials is a single lookup.

Colour spaces: glTF stores factors and vertex colours as linear light, textures as sRGB;
OBJ, PLY and OFF colours are taken as sRGB. Products are formed in linear light.
Transparency is ignored: every triangle is opaque.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Int, UInt8

# Linear light of a surface whose file says nothing about colour: sRGB 0.6.
GREY = 0.3185

logger = logging.getLogger(__name__)


class Paint(NamedTuple):
    """Colours of F triangles.

    Attributes:
      corner_colors: linear RGB in [0, 1], a factor on the texture.
      corner_uv: texture coordinates, u right, v up, repeating with period 1.
      face_texture: (first row in `texels`, height, width) of the texture of a face.
      texels: sRGB rows of all textures, each stored row by row from the top.
    """

    corner_colors: Float[np.ndarray, "F 3 3"]
    corner_uv: Float[np.ndarray, "F 3 2"]
    face_texture: Int[np.ndarray, "F 3"]
    texels: UInt8[np.ndarray, "T 3"]


def linear_from_srgb(color: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Linear light of sRGB values in [0, 1] (IEC 61966-2-1)."""
    return np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(light: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """sRGB values of linear light, both in [0, 1] (IEC 61966-2-1)."""
    light = np.clip(light, 0, 1)
    return np.where(
        light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055
    )


_LINEAR_FROM_BYTE = linear_from_srgb(np.arange(256) / 255).astype(np.float32)


def paint_from_mesh(
    mesh: trimesh.Trimesh,
    linear: bool,
    missing: Mapping[str | None, str] = MappingProxyType({}),
) -> Paint:
    """Colours of one mesh of a file; grey, with a warning, where a texture is lost.

    Args:
      mesh: as trimesh loaded it, with any visual.
      linear: plain colours are linear light (glTF) instead of sRGB.
      missing: material -> texture that does not exist, see `textures.missing_files`.
    """
    image = _image(mesh.visual)
    pixels = None if image is None else _decoded(image)
    uv, texels, size = _corner_texture(mesh, pixels)
    colors = _corner_colors(mesh, linear)
    if pixels is None and (image is not None or _is_missing(mesh.visual, missing)):
        colors = np.full_like(colors, GREY)
    texture = np.tile(np.array([0, *size], np.int32), (len(mesh.faces), 1))
    return Paint(colors.astype(np.float32), uv.astype(np.float32), texture, texels)


def join(paints: list[Paint]) -> Paint:
    """Colours of several meshes whose faces are concatenated in this order."""
    offsets = np.cumsum([0] + [len(paint.texels) for paint in paints[:-1]])
    textures = [
        paint.face_texture + np.array([offset, 0, 0], np.int32)
        for paint, offset in zip(paints, offsets, strict=True)
    ]
    return Paint(
        np.concatenate([paint.corner_colors for paint in paints]),
        np.concatenate([paint.corner_uv for paint in paints]),
        np.concatenate(textures).astype(np.int32),
        np.concatenate([paint.texels for paint in paints]),
    )


def color_at(
    paint: Paint,
    triangle: Int[np.ndarray, " N"],
    barycentric: Float[np.ndarray, "N 3"],
) -> Float[np.ndarray, "N 3"]:
    """Linear RGB in [0, 1] at points on triangles, nearest texel."""
    weights = barycentric.astype(np.float32)
    color = _interpolated(paint.corner_colors, triangle, weights)
    texel = paint.face_texture[:, 0][triangle]
    textured = (paint.face_texture[:, 1:].max(axis=1) > 1)[triangle]
    if textured.any():
        texel[textured] = _texel(paint, triangle[textured], weights[textured])
    return color * _LINEAR_FROM_BYTE[paint.texels[texel]]


def _texel(paint, triangle, weights):
    """Row of `paint.texels` that is nearest to a point on a triangle."""
    uv = _interpolated(paint.corner_uv, triangle, weights)
    offset, height, width = paint.face_texture[triangle].T
    column = np.floor(uv[:, 0] * width).astype(np.int64) % width
    row = np.floor((1 - uv[:, 1]) * height).astype(np.int64) % height
    return offset + row * width + column


def _interpolated(corners, triangle, weights):
    """Corner values (F, 3, C) at points on triangles; faster than a matmul of 3."""
    return sum(weights[:, i, None] * corners[:, i][triangle] for i in range(3))


def vertex_visual(
    colors: UInt8[np.ndarray, "V 3"] | Float[np.ndarray, "V 3"], linear: bool
) -> trimesh.visual.ColorVisuals:
    """What trimesh writes for sRGB vertex colours (uint8, or float in [0, 1]).

    `linear` is for formats that store linear light (glTF).
    """
    unit = _unit(colors)
    unit = linear_from_srgb(unit) if linear else unit
    return trimesh.visual.ColorVisuals(
        vertex_colors=np.round(unit * 255).astype(np.uint8)
    )


def _corner_colors(mesh, linear):
    """Factor of the material times the colour of the vertices or faces."""
    visual = mesh.visual
    corners = np.ones((len(mesh.faces), 3, 3))
    if visual.kind == "texture":
        corners *= _factor(visual.material)
        color = visual.vertex_attributes.get("color")
        if color is not None:
            corners *= _unit(color)[:, :3][mesh.faces]
        return corners
    if visual.kind == "vertex":
        colors = _unit(visual.vertex_colors)[:, :3][mesh.faces]
    elif visual.kind == "face":
        colors = np.repeat(_unit(visual.face_colors)[:, None, :3], 3, axis=1)
    else:
        return corners * GREY
    return colors if linear else linear_from_srgb(colors)


def _factor(material):
    """Linear colour that multiplies the texture of a material."""
    if isinstance(material, trimesh.visual.material.PBRMaterial):
        factor = material.baseColorFactor
        if factor is None:
            return GREY if material.baseColorTexture is None else 1.0
        return _unit(factor)[:3]
    if getattr(material, "image", None) is not None:
        return 1.0  # OBJ viewers ignore Kd under map_Kd, which exporters leave black
    diffuse = getattr(material, "diffuse", None)
    return GREY if diffuse is None else linear_from_srgb(_unit(diffuse)[:3])


def _corner_texture(mesh, pixels):
    """Texture coordinates of the corners, texels and (height, width)."""
    no_uv = np.zeros((len(mesh.faces), 3, 2))
    uv = getattr(mesh.visual, "uv", None)
    if pixels is None or uv is None or not np.isfinite(uv).all():
        return no_uv, np.full((1, 3), 255, np.uint8), (1, 1)
    return uv[mesh.faces], pixels.reshape(-1, 3), pixels.shape[:2]


def _decoded(image):
    """The (H, W, 3) bytes of a picture that was only opened so far, None if damaged."""
    try:
        return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        logger.warning("a texture cannot be decoded (%s): painted grey", error)
        return None


def _is_missing(visual, missing):
    if visual.kind != "texture" or visual.material.name not in missing:
        return False
    logger.warning("texture %s is missing: painted grey", missing[visual.material.name])
    return True


def _image(visual):
    if visual.kind != "texture":
        return None
    texture = getattr(visual.material, "baseColorTexture", None)
    return getattr(visual.material, "image", None) if texture is None else texture


def _unit(color):
    """Colours as float in [0, 1] whatever the integer type of the file."""
    color = np.asarray(color)
    if np.issubdtype(color.dtype, np.integer):
        return color / np.iinfo(color.dtype).max
    return np.clip(color, 0, 1)
