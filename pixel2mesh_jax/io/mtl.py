"""Materials of OBJ files: MTL.

Source: *MTL material format*, Alias|Wavefront 1995. A texture replaces Kd, which
exporters often leave black under it.
"""

import logging
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pixel2mesh_jax.io import materials, mesh_limits, textures
from pixel2mesh_jax.io.textures import NO_TEXTURE

# Options of a texture -> how many values follow; -o, -s and -t have one to three.
OPTIONS = {
    **dict.fromkeys(("-blendu", "-blendv", "-boost", "-cc", "-clamp", "-bm"), 1),
    **dict.fromkeys(("-imfchan", "-texres", "-type", "-colorspace"), 1),
    "-mm": 2,
}
VECTORS = ("-o", "-s", "-t")

logger = logging.getLogger(__name__)


class Material(NamedTuple):
    """What an MTL file says about a material.

    Attributes:
      color: linear RGB.
      texture: number of its image, or `NO_TEXTURE`.
      scale: of texture coordinates, then `offset` is added.
      offset: see `scale`.
    """

    color: tuple[float, float, float] = (materials.GREY,) * 3
    texture: int = NO_TEXTURE
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)


def find_materials(
    path: pathlib.Path,
    libraries: Iterable[str],
    names: Iterable[str | None],
    library: textures.Textures,
) -> dict[str | None, Material]:
    """The materials that an OBJ file uses; grey, with a warning, what is lost.

    Args:
      path: of the OBJ file.
      libraries: what its `mtllib` lines say.
      names: what its `usemtl` lines say; None for faces before the first one.
      library: receives the textures.
    """
    found, complete = {}, True
    for line in dict.fromkeys(libraries):
        for name in _library_names(path, line):
            file = textures.beside(path, name)
            if file is None:
                logger.warning("material file %s is missing: painted grey", name)
                complete = False
            else:
                found |= {key: (file, said) for key, said in _described(file).items()}
    known = {}
    for name in names:
        known[name] = Material()
        if name in found:
            known[name] = _material(path, *found[name], library)
        elif name is not None and complete:
            logger.warning("material %s is nowhere described: painted grey", name)
    return known


def _library_names(path, names):
    """`mtllib` takes one name that may hold spaces, or several."""
    if textures.beside(path, names) is not None:
        return [names]
    several = names.split()
    if any(textures.beside(path, name) is not None for name in several):
        return several
    return [names.strip('"')]


def _described(file):
    """What an MTL file says of every material: keyword -> the rest of its line."""
    found, said = {}, {}
    for line in (
        mesh_limits.read_bytes(file).decode("utf-8-sig", "replace").splitlines()
    ):
        keyword, *rest = line.strip().split(None, 1)[:2] or [""]
        if keyword.lower() == "newmtl":
            said = found.setdefault(rest[0].split("#")[0].strip() if rest else "", {})
        elif rest:
            said[keyword.lower()] = rest[0].strip()
    return found


def _material(path, file, said, library):
    """Kd, or a texture, under which exporters often leave Kd black."""
    if "map_kd" not in said:
        return Material(_color(said["kd"])) if "kd" in said else Material()
    values, name = parse_texture(said["map_kd"])
    image = textures.beside(path, name) or textures.beside(file, name)
    number = library.add(image or name, image, name)
    if number == NO_TEXTURE:
        return Material()
    scale, offset = values.get("-s", (1.0, 1.0)), values.get("-o", (0.0, 0.0))
    return Material((1.0, 1.0, 1.0), number, scale, offset)


def _color(text):
    """Linear RGB of `r [g b]` in sRGB."""
    try:
        values = [float(value) for value in text.split("#")[0].split()[:3]]
    except ValueError:
        values = []
    if len(values) not in (1, 3) or not np.isfinite(values).all():
        logger.warning("a material has the colour %s: painted grey", text[:40])
        return (materials.GREY,) * 3
    rgb = np.array(values if len(values) == 3 else values * 3)
    return tuple(materials.linear_from_srgb(np.clip(rgb, 0, 1)).tolist())


def parse_texture(text: str) -> tuple[dict[str, tuple[float, float]], str]:
    """Options and file name of a `map_Kd` line.

    Returns:
      The values (u, v) of -o, -s and -t, and the name without quotes.
    """
    values, rest = {}, text.strip()
    while rest.startswith("-"):
        option, _, after = rest.partition(" ")
        if option in OPTIONS:
            rest = after.strip().split(" ", OPTIONS[option])[-1]
        elif option in VECTORS:
            numbers, rest = _leading_numbers(after)
            default = 1.0 if option == "-s" else 0.0
            u, v = (*numbers, default, default)[:2]
            values[option] = (u, v)
        else:
            break
        rest = rest.strip()
    if rest.count('"') > 1:
        rest = rest.split('"')[1]
    return values, rest


def _leading_numbers(text):
    """Up to three numbers at the start of a text, and what follows."""
    numbers, rest = [], text.strip()
    while len(numbers) < 3:
        word, _, after = rest.partition(" ")
        try:
            numbers.append(float(word))
        except ValueError:
            break
        rest = after.strip()
    return numbers, rest
