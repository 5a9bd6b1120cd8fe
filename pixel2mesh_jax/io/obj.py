"""Wavefront OBJ -> triangles and colours; its materials are in `mtl.py`.

Source: *Object Files (.obj)*, Alias|Wavefront 1995; vertex colours as MeshLab and
ZBrush add them to `v`. Read here and not by trimesh (5.2.0), which fans concave
polygons, misplaces negative indices between vertices and takes the options of `map_Kd`
for a part of the file name.
"""

import array
import pathlib

import numpy as np
from jaxtyping import Float, Int

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import materials, mesh_limits, mtl, polygons, textures
from pixel2mesh_jax.io.textures import NO_TEXTURE


class _Lines:
    """The words of a file: numbers as they are written, sorted by their meaning."""

    def __init__(self):
        self.vertices, self.colors, self.coordinates = [], [], []
        self.corners, self.sizes = [], array.array("l")
        # faces from which on a material is used, and its number in `names`
        self.runs, self.names = [(0, 0)], {None: 0}
        self.libraries = []


def read(
    path: pathlib.Path,
) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"], materials.Paint]:
    """Vertices, triangles and colours of a file.

    Raises:
      InputError: a number cannot be read, or a face has a corner that does not exist.
    """
    lines = _scan(mesh_limits.read_text(path))
    vertices = _numbers(lines.vertices).reshape(-1, 3)
    corner, coordinate = _indices(lines.corners)
    sizes = np.array(lines.sizes, np.int64)
    places, polygon = polygons.triangulate(vertices, corner, sizes)
    library = textures.Textures()
    known = mtl.find_materials(path, lines.libraries, lines.names, library)
    used = [known[name] for name in lines.names]
    starts, numbers = np.array(lines.runs, np.int64).T
    material = numbers[np.searchsorted(starts, polygon, side="right") - 1]
    paint = _paint(lines, used, corner, coordinate, places, material, library)
    return vertices, corner[places], paint


def _scan(data):
    """Sorts the lines of a file by their keywords."""
    lines = _Lines()
    if b"\\\n" in data or b"\\\r\n" in data:
        data = data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ")
    for number, line in enumerate(data.splitlines(), 1):
        fields = line.split()
        keyword = fields[0] if fields else b""
        if keyword == b"v" and len(fields) >= 4:
            if len(fields) >= 7:  # x y z r g b; four numbers are x y z w
                lines.colors += [b"1"] * (len(lines.vertices) - len(lines.colors))
                lines.colors += fields[4:7]
            lines.vertices += fields[1:4]
        elif keyword == b"f":
            if b"-" in line or b"#" in line:
                fields = _plain_corners(fields, lines)
            lines.corners += fields[1:]
            lines.sizes.append(len(fields) - 1)
        elif keyword == b"vt" and len(fields) >= 2:
            lines.coordinates += fields[1:3] if len(fields) > 2 else [fields[1], b"0"]
        elif keyword == b"usemtl":
            name = _rest(line, keyword)
            material = lines.names.setdefault(name, len(lines.names))
            lines.runs.append((len(lines.sizes), material))
        elif keyword == b"mtllib":
            lines.libraries.append(_rest(line, keyword))
        elif keyword in (b"v", b"vt"):
            shown = line[:60].decode(errors="replace")
            raise InputError(f"cannot be read: line {number}: {shown!r}")
    return lines


def _plain_corners(fields, lines):
    """A face without its comment, and with negative indices counted from the start.

    They count from the last vertex before the face, wherever it stands in the file.
    """
    so_far = (len(lines.vertices) // 3, len(lines.coordinates) // 2, 0)
    plain = fields[:1]
    for field in fields[1:]:
        if field.startswith(b"#"):
            break
        parts = field.split(b"/")
        for i, (part, count) in enumerate(zip(parts, so_far, strict=False)):
            if part[:1] == b"-" and part[1:].isdigit() and i < 2:
                back = int(part)
                if back < -count:
                    raise InputError(
                        f"faces refer to number {back} from the end, there are {count}"
                    )
                parts[i] = b"%d" % (count + back + 1)
        plain.append(b"/".join(parts))
    return plain


def _numbers(words):
    try:
        return np.array(list(map(float, words)), np.float64)
    except ValueError as error:
        raise InputError(f"cannot be read: {error}") from error


def _rest(line, keyword):
    return line.split(keyword, 1)[1].split(b"#")[0].strip().decode(errors="replace")


def _indices(corners):
    """Vertices and texture coordinates (-1: none) of all corners, from zero."""
    try:
        if not any(b"/" in corner for corner in corners):
            vertex = np.array(list(map(int, corners)), np.int64)
            coordinate = np.zeros(len(vertex), np.int64)
        else:
            parts = [corner.split(b"/") for corner in corners]
            vertex = np.array([int(part[0]) for part in parts], np.int64)
            second = [part[1] if len(part) > 1 else b"" for part in parts]
            coordinate = np.array([int(word or b"0") for word in second], np.int64)
    except (ValueError, OverflowError) as error:
        raise InputError(f"cannot be read: a corner of a face ({error})") from error
    if (vertex == 0).any():
        raise InputError("faces refer to vertex 0; OBJ files count from 1")
    return vertex - 1, coordinate - 1


def _paint(lines, used, corner, coordinate, places, material, library):
    """Colours of the triangles, whose materials are numbers of `used`."""
    uv_table = _numbers(lines.coordinates).reshape(-1, 2)
    coordinate = coordinate[places]
    known = (coordinate >= 0) & (coordinate < len(uv_table))
    uv = np.full((*places.shape, 2), np.nan)
    uv[known] = uv_table[coordinate[known]]
    scale, offset, color, number = (
        np.array([getattr(one, name) for one in used], kind)
        for name, kind in (
            *(("scale", float), ("offset", float)),
            *(("color", np.float32), ("texture", int)),
        )
    )
    uv = uv * scale[material][:, None] + offset[material][:, None]
    colors = np.repeat(color[material][:, None], 3, axis=1)
    number = number[material]
    if len(lines.colors):
        of_vertices = _vertex_colors(lines)[corner[places]]
        colors = np.where((number == NO_TEXTURE)[:, None, None], of_vertices, colors)
    return materials.paint_faces(colors, uv, number, library.images)


def _vertex_colors(lines):
    """Linear (V, 3); floats up to 1, or bytes. White where a vertex has none."""
    colors = _numbers(lines.colors)
    colors = colors / 255 if colors.max() > 1 else colors
    missing = len(lines.vertices) - len(colors)
    colors = np.concatenate([colors, np.ones(missing)]).reshape(-1, 3)
    return materials.linear_from_srgb(np.clip(colors, 0, 1))
