"""Base colours of glTF 2.0 materials: factors, textures and vertex colours."""

import logging
import urllib.parse
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from pixel2mesh_jax.io import gltf as container
from pixel2mesh_jax.io import gltf_transforms, materials
from pixel2mesh_jax.io.gltf import Gltf, accessor
from pixel2mesh_jax.io.textures import NO_TEXTURE, Textures

TRANSFORM = "KHR_texture_transform"
GLOSSINESS = "KHR_materials_pbrSpecularGlossiness"
# Extensions that hold an image in place of `source`.
OTHER_SOURCES = ("EXT_texture_avif", "EXT_texture_webp")
# Wrapping modes of a sampler that are not done (5.26); all textures repeat.
WRAPS = {33071: "CLAMP_TO_EDGE", 33648: "MIRRORED_REPEAT"}
# How far beyond the image coordinates may lie before the wrapping mode matters.
BEYOND = 1e-3

logger = logging.getLogger(__name__)


class Look(NamedTuple):
    """Colours of F triangles; see `materials.paint_faces`."""

    colors: Float[np.ndarray, "F 3 3"]
    uv: Float[np.ndarray, "F 3 2"]
    number: Int[np.ndarray, " F"]

    @classmethod
    def plain(cls, num_faces: int, color: float = materials.GREY) -> "Look":
        """One linear grey, without a texture."""
        return cls(
            np.full((num_faces, 3, 3), color, np.float32),
            np.zeros((num_faces, 3, 2), np.float32),
            np.full(num_faces, NO_TEXTURE),
        )

    def reversed(self) -> "Look":
        """Of the same triangles, wound the other way round."""
        return self._replace(colors=self.colors[:, ::-1], uv=self.uv[:, ::-1])


class Looks:
    """Colours of the primitives of a file, whose textures are decoded once."""

    def __init__(self, gltf: Gltf):
        self._gltf, self.textures = gltf, Textures()

    def of(self, primitive: dict, faces: Int[np.ndarray, "F 3"]) -> Look:
        """Colours of the triangles of a primitive.

        A primitive without material and vertex colours is grey: its file says nothing
        about colour. A lost texture is grey, with a warning.
        """
        colors, attributes = primitive["attributes"].get("COLOR_0"), None
        if colors is not None:
            attributes = materials.unit_interval(accessor(self._gltf, colors))
            attributes = attributes[:, :3][faces]
        if "material" not in primitive:
            look = Look.plain(len(faces), 1.0 if colors is not None else materials.GREY)
        else:
            look = self._material(primitive, faces)
        if attributes is None:
            return look
        return look._replace(colors=(look.colors * attributes).astype(np.float32))

    def _material(self, primitive, faces):
        material = self._gltf.item("materials", primitive["material"])
        factor, texture = _base_color(material)
        look = Look.plain(len(faces), 1.0)
        if texture is None:
            return look._replace(colors=look.colors * factor)
        number = self._number(texture)
        if number == NO_TEXTURE:
            return Look.plain(len(faces))
        uv = self._coordinates(primitive, texture)[faces]
        self._check_wrap(texture, uv)
        return Look(
            look.colors * factor, uv.astype(np.float32), np.full(len(faces), number)
        )

    def _number(self, texture):
        """Number of an image: PNG or JPEG, or where there is none, another one."""
        entry = self._gltf.item("textures", texture["index"])
        others = entry.get("extensions", {})
        sources = [entry, *(others[name] for name in OTHER_SOURCES if name in others)]
        index = next((form["source"] for form in sources if "source" in form), None)
        name = f"image {index}"
        if index is None:
            return self.textures.add(("texture", texture["index"]), None, name)
        image = self._gltf.item("images", index)
        if "uri" in image:
            content = container.uri_content(self._gltf, image["uri"])
            if not image["uri"].startswith("data:"):
                name = urllib.parse.unquote(image["uri"])
        else:
            content = bytes(container.view_bytes(self._gltf, image["bufferView"])[0])
        return self.textures.add(("image", index), content, name)

    def _coordinates(self, primitive, texture):
        """Texture coordinates (V, 2) of the set that a texture asks for, v up."""
        transform = texture.get("extensions", {}).get(TRANSFORM, {})
        index = transform.get("texCoord", texture.get("texCoord", 0))
        place = primitive["attributes"].get(f"TEXCOORD_{index}")
        if place is None:
            logger.warning(
                "no TEXCOORD_%s for a texture: its first texel paints", index
            )
            uv = np.zeros((self._count(primitive), 2))
        else:
            uv = accessor(self._gltf, place).astype(float)[:, :2]
        if transform:
            affine = gltf_transforms.texture_matrix(transform)
            uv = uv @ affine[:, :2].T + affine[:, 2]
        return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)

    def _count(self, primitive):
        positions = primitive["attributes"]["POSITION"]
        return self._gltf.item("accessors", positions)["count"]

    def _check_wrap(self, texture, uv):
        entry = self._gltf.item("textures", texture["index"])
        if "sampler" not in entry or not uv.size:
            return
        sampler = self._gltf.item("samplers", entry["sampler"])
        for axis, key in enumerate(("wrapS", "wrapT")):
            name = WRAPS.get(sampler.get(key))
            low, high = uv[..., axis].min(), uv[..., axis].max()
            if name and (low < -BEYOND or high > 1 + BEYOND):
                logger.warning("a texture repeats where the file says %s", name)


def _base_color(material):
    """Linear factor (3,), and the texture or None."""
    glossy = material.get("extensions", {}).get(GLOSSINESS)
    if glossy is not None:
        factor = glossy.get("diffuseFactor", (1, 1, 1, 1))
        texture = glossy.get("diffuseTexture")
    else:
        base = material.get("pbrMetallicRoughness", {})
        factor = base.get("baseColorFactor", (1, 1, 1, 1))
        texture = base.get("baseColorTexture")
    return np.clip(np.array(factor, np.float32)[:3], 0, 1), texture
