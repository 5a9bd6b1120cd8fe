"""Textures that a mesh file names and that are not there.

Readers of mesh files leave such a material its plain colour, which exporters set to
black or white under a texture: the object would silently have a wrong colour.
"""

import json
import logging
import pathlib
import re
import urllib.parse

# A line of an OBJ or MTL file: keyword, then a file name that may hold spaces.
_MATERIAL_FILE = re.compile(rb"^[ \t]*mtllib[ \t]+(.+?)[ \t\r]*$", re.MULTILINE)
_MATERIAL = re.compile(r"^\s*newmtl\s+(.+?)\s*$", re.IGNORECASE)
_TEXTURE = re.compile(r"^\s*map_Kd\s+(.+?)\s*$", re.IGNORECASE)

logger = logging.getLogger(__name__)


def missing_files(path: pathlib.Path) -> dict[str | None, str]:
    """Base colour textures that do not exist.

    Warns of material files that do not exist: readers then paint everything grey.

    Args:
      path: a mesh file that can be read; all but OBJ and glTF hold their colours.

    Returns:
      Name of the material (None: it has no name) -> file name of its texture.
    """
    readers = {".obj": _missing_of_obj, ".gltf": _missing_of_gltf}
    reader = readers.get(path.suffix.lower())
    return {} if reader is None else reader(path)


def _missing_of_obj(path):
    missing = {}
    for name in _MATERIAL_FILE.findall(path.read_bytes()):
        name = name.decode(errors="replace")
        file = _beside(path, name)
        if file.is_file():
            missing |= _missing_of_materials(file)
        else:
            logger.warning("material file %s is missing: painted grey", name)
    return missing


def _missing_of_materials(path):
    material, missing = None, {}
    for line in path.read_text(errors="replace").splitlines():
        if match := _MATERIAL.match(line):
            material = match[1]
        elif match := _TEXTURE.match(line):
            if not _beside(path, match[1]).is_file():
                missing[material] = match[1]
    return missing


def _missing_of_gltf(path):
    content, missing = json.loads(path.read_text(encoding="utf-8")), {}
    textures, images = content.get("textures", []), content.get("images", [])
    for material in content.get("materials", []):
        texture = material.get("pbrMetallicRoughness", {}).get("baseColorTexture")
        if texture is None:
            continue
        image = textures[texture["index"]].get("source")
        uri = "" if image is None else images[image].get("uri", "")
        name = urllib.parse.unquote(uri)
        if name and not uri.startswith("data:") and not _beside(path, name).is_file():
            missing[material.get("name")] = name
    return missing


def _beside(path, name):
    return path.parent / name.replace("\\", "/")
