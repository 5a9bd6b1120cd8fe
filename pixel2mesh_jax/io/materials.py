"""Colours of a mesh: one flat table for all triangles.

Every triangle gets corner colours and a texture; a plain one has a texture of a single
white texel. All textures lie behind one another in one array, so that the colour of a
million points on a hundred materials is a single lookup.

Colour spaces: glTF stores factors and vertex colours as linear light, textures as sRGB;
OBJ, PLY and OFF colours are taken as sRGB. Products are formed in linear light.
Transparency is ignored: every triangle is opaque.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Int, Shaped, UInt8

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


def paint_faces(
    colors: Float[np.ndarray, "F 3 3"],
    uv: Float[np.ndarray, "F 3 2"] | None = None,
    number: Int[np.ndarray, " F"] | None = None,
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]] = (),
) -> Paint:
    """Paint of faces whose textures are numbered.

    Args:
      colors: linear RGB of the corners, a factor on the texture.
      uv: u right, v up; by default, and where not finite, the face has no texture.
      number: of the texture of every face, -1 for none.
      images: the textures, sRGB, top row first.
    """
    if uv is None or number is None:
        uv, number = np.zeros((len(colors), 3, 2)), np.full(len(colors), -1)
    unknown = ~np.isfinite(colors).all(axis=(1, 2))
    if unknown.any():
        logger.warning(
            "%d faces have a colour that is NaN: painted grey", unknown.sum()
        )
        colors = np.where(unknown[:, None, None], GREY, colors)
    lost = ~np.isfinite(uv).all(axis=(1, 2))
    number = np.where(lost, -1, number)
    table = list(images)
    if not table or (number < 0).any():  # the last one, of number -1
        table.append(np.full((1, 1, 3), 255, np.uint8))
    sizes = np.array([image.shape[:2] for image in table], np.int32)
    rows = sizes.prod(axis=1, dtype=np.int64)
    table_rows = np.column_stack([np.cumsum(rows) - rows, sizes])
    return Paint(
        colors.astype(np.float32),
        np.where(lost[:, None, None], 0, uv).astype(np.float32),
        table_rows[number].astype(np.int32),
        np.concatenate([image.reshape(-1, 3) for image in table]),
    )


def paint_from_mesh(mesh: trimesh.Trimesh, linear: bool = False) -> Paint:
    """Colours of a mesh made in memory, with any visual of trimesh.

    Args:
      mesh: a file that was only opened so far may be its texture; grey, with a
        warning, if that is damaged.
      linear: plain colours are linear light instead of sRGB.
    """
    image, uv = _image(mesh.visual), getattr(mesh.visual, "uv", None)
    pixels = None if image is None else _decoded(image)
    colors = _corner_colors(mesh, linear)
    if pixels is None and image is not None:
        colors = np.full_like(colors, GREY)
    if pixels is None or uv is None:
        return paint_faces(colors)
    return paint_faces(colors, uv[mesh.faces], np.zeros(len(mesh.faces), int), [pixels])


def join(paints: Sequence[Paint]) -> Paint:
    """Colours of several meshes whose faces are concatenated in this order.

    Textures that are one array are kept once.
    """
    tables = {id(paint.texels): paint.texels for paint in paints}
    ends = np.cumsum([len(texels) for texels in tables.values()])
    starts = dict(zip(tables, [0, *ends], strict=False))
    textures = [
        paint.face_texture + np.array([starts[id(paint.texels)], 0, 0], np.int32)
        for paint in paints
    ]
    return Paint(
        np.concatenate([paint.corner_colors for paint in paints]),
        np.concatenate([paint.corner_uv for paint in paints]),
        np.concatenate(textures).astype(np.int32),
        np.concatenate(list(tables.values())),
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
    colors: UInt8[np.ndarray, "V 3"] | Float[np.ndarray, "V 3"],
) -> trimesh.visual.ColorVisuals:
    """What trimesh writes for sRGB vertex colours (uint8, or float in [0, 1])."""
    unit = unit_interval(colors)
    return trimesh.visual.ColorVisuals(
        vertex_colors=np.round(unit * 255).astype(np.uint8)
    )


def gltf_visual(
    colors: UInt8[np.ndarray, "V 3"] | Float[np.ndarray, "V 3"] | None,
) -> trimesh.visual.TextureVisuals:
    """A matt material, and sRGB vertex colours as linear light, for glTF.

    Without a material, glTF means bare metal, which viewers without an environment show
    black.
    """
    light = GREY if colors is None else 1.0
    material = trimesh.visual.material.PBRMaterial(
        name="matt",
        baseColorFactor=[light, light, light, 1.0],
        metallicFactor=0.0,
        roughnessFactor=1.0,
    )
    visual = trimesh.visual.TextureVisuals(material=material)
    if colors is not None:
        linear = linear_from_srgb(unit_interval(colors))
        opaque = np.concatenate([linear, np.ones((len(linear), 1))], axis=1)
        visual.vertex_attributes["color"] = np.round(opaque * 255).astype(np.uint8)
    return visual


def _corner_colors(mesh, linear):
    """Factor of the material times the colour of the vertices or faces."""
    visual = mesh.visual
    corners = np.ones((len(mesh.faces), 3, 3))
    if visual.kind == "texture":
        corners *= _factor(visual.material)
        color = visual.vertex_attributes.get("color")
        if color is not None:
            corners *= unit_interval(color)[:, :3][mesh.faces]
        return corners
    if visual.kind == "vertex":
        colors = unit_interval(visual.vertex_colors)[:, :3][mesh.faces]
    elif visual.kind == "face":
        colors = np.repeat(unit_interval(visual.face_colors)[:, None, :3], 3, axis=1)
    else:
        return corners * GREY
    return colors if linear else linear_from_srgb(colors)


def _factor(material):
    """Linear colour that multiplies the texture of a material."""
    if isinstance(material, trimesh.visual.material.PBRMaterial):
        factor = material.baseColorFactor
        if factor is None:
            return GREY if material.baseColorTexture is None else 1.0
        return unit_interval(factor)[:3]
    if getattr(material, "image", None) is not None:
        return 1.0  # OBJ viewers ignore Kd under map_Kd, which exporters leave black
    diffuse = getattr(material, "diffuse", None)
    return GREY if diffuse is None else linear_from_srgb(unit_interval(diffuse)[:3])


def _decoded(image):
    """The (H, W, 3) bytes of an image that was only opened so far, None if damaged."""
    try:
        return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        logger.warning("a texture cannot be decoded (%s): painted grey", error)
        return None


def _image(visual):
    if visual.kind != "texture":
        return None
    texture = getattr(visual.material, "baseColorTexture", None)
    return getattr(visual.material, "image", None) if texture is None else texture


def unit_interval(color: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Colours as float in [0, 1]: integers are shares of their largest value."""
    color = np.asarray(color)
    if np.issubdtype(color.dtype, np.integer):
        return color / np.iinfo(color.dtype).max
    return np.clip(color, 0, 1)
