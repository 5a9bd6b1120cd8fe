"""Stanford PLY, as text or binary, with faces of any number of corners.

Source: Greg Turk, *The PLY Polygon File Format*, 1994; textures as MeshLab writes them.
Read here and not by trimesh (5.2.0), which refuses binary files of faces of different
sizes and fans concave polygons.
"""

import pathlib

import numpy as np
from jaxtyping import Float, Int

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import (
    materials,
    mesh_limits,
    ply_tables,
    polygons,
    textures,
)
from pixel2mesh_jax.io.ply_tables import Element, Lists, Property, Table

# Types of the format, by both of their names.
TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4"},
    **{"uint": "u4", "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1"},
    **{"int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float32": "f4", "float64": "f8"},
}
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
CORNERS = ("vertex_indices", "vertex_index")
COLORS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"))
COORDINATES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
TEXTURE = "TextureFile"
# Longest header that is looked for, bytes.
HEADER = 2**20


def read(
    path: pathlib.Path,
) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"], materials.Paint]:
    """Vertices, triangles and colours of a file.

    Raises:
      InputError: damaged, too large, or without faces.
    """
    elements, comments, tables = _read(path)
    vertex, face = tables.get("vertex", {}), tables.get("face", {})
    corners = next((face[name] for name in CORNERS if name in face), None)
    if not {"x", "y", "z"} <= vertex.keys() or not isinstance(corners, Lists):
        names = ", ".join(element.name for element in elements if element.rows)
        raise InputError(f"holds no triangles (it holds {names or 'nothing'})")
    vertices = np.stack([vertex[axis].astype(float) for axis in "xyz"], axis=1)
    index = corners.values.astype(np.int64)
    places, polygon = polygons.triangulate(vertices, index, corners.sizes)
    paint = _paint(path, comments, vertex, face, index, places, polygon)
    return vertices, index[places], paint


def read_points(
    path: pathlib.Path,
) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, "V 3"] | None]:
    """Vertices of a file, and their sRGB colours in [0, 1] if it has any.

    Faces are of no interest.

    Raises:
      InputError: damaged, too large, or without vertices.
    """
    elements, _, tables = _read(path)
    vertex = tables.get("vertex", {})
    if not {"x", "y", "z"} <= vertex.keys() or not len(vertex["x"]):
        names = ", ".join(element.name for element in elements if element.rows)
        raise InputError(f"holds no points (it holds {names or 'nothing'})")
    points = np.stack([vertex[axis].astype(float) for axis in "xyz"], axis=1)
    return points, _srgb(vertex)


def _read(path):
    """Elements, comments, and the tables up to that of the faces."""
    data = mesh_limits.read_bytes(path)
    order, elements, comments, start = _header(data)
    return elements, comments, _tables(data, start, order, elements)


def _paint(path, comments, vertex, face, index, places, polygon):
    """Colours of faces, else of vertices; with a texture if there is one."""
    colors = np.full((len(places), 3, 3), materials.GREY)
    name = next((c[len(TEXTURE) :].strip() for c in comments if c[:11] == TEXTURE), "")
    uv = _coordinates(vertex, face, index, places)
    library, number = textures.Textures(), None
    if name and uv is not None:
        only = library.add(name, textures.beside(path, name), name)
        number = np.full(len(places), only)
        if only != textures.NO_TEXTURE:
            return materials.paint_faces(
                np.ones_like(colors), uv, number, library.images
            )
    if (of_faces := _colors(face)) is not None:
        colors = np.repeat(of_faces[polygon][:, None], 3, axis=1)
    elif (of_vertices := _colors(vertex)) is not None:
        colors = of_vertices[index[places]]
    return materials.paint_faces(colors)


def _coordinates(vertex, face, index, places):
    """Texture coordinates of the corners: of faces, else of vertices, or None."""
    wedges, corners = face.get("texcoord"), len(index)
    if isinstance(wedges, Lists) and len(wedges.values) == 2 * corners:
        return wedges.values.reshape(-1, 2)[places]
    for u, v in COORDINATES:
        if u in vertex and v in vertex:
            return np.stack([vertex[u], vertex[v]], axis=1).astype(float)[index[places]]
    return None


def _colors(table):
    """Linear RGB of the rows, or None."""
    srgb = _srgb(table)
    return None if srgb is None else materials.linear_from_srgb(srgb)


def _srgb(table):
    """sRGB of the rows in [0, 1], or None."""
    for names in COLORS:
        if all(isinstance(table.get(name), np.ndarray) for name in names):
            return np.stack([materials.unit_interval(table[n]) for n in names], axis=1)
    return None


def _header(data):
    """Byte order, elements, comments, and where the tables start."""
    end = data.find(b"end_header", 0, HEADER)
    if data[:3] != b"ply" or end < 0:
        raise InputError("cannot be read: it has no PLY header")
    start = data.find(b"\n", end)
    order, elements, comments = None, [], []
    for line in data[:end].decode("utf-8", "replace").splitlines()[1:]:
        words = line.split()
        try:
            if words[:1] == ["format"]:
                order = ORDERS[words[1]]
            elif words[:1] == ["comment"]:
                comments.append(line.partition("comment")[2].strip())
            elif words[:1] == ["element"]:
                elements.append(Element(words[1], int(words[2]), ()))
            elif words[:1] == ["property"]:
                more = (*elements[-1].properties, _property(words))
                elements[-1] = elements[-1]._replace(properties=more)
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(f"cannot be read: header line {line[:60]!r}") from error
    if order is None:
        raise InputError("cannot be read: its header names no format")
    return order, elements, comments, len(data) if start < 0 else start + 1


def _property(words):
    if words[1] == "list":
        return Property(words[4], TYPES[words[3]], TYPES[words[2]])
    return Property(words[2], TYPES[words[1]])


def _tables(data, start, order, elements) -> dict[str, Table]:
    """All tables up to that of the faces, by name."""
    room = len(data) - start
    for element in elements:
        if element.rows < 0 or element.rows * max(len(element.properties), 1) > room:
            raise InputError(
                f"cannot be read: {element.rows:,} rows of {element.name} do not fit "
                f"into {room:,} bytes; is the file complete?"
            )
    if not order:
        mesh_limits.check_text(len(data))
    reader = (
        ply_tables.Binary(data, start, order)
        if order
        else ply_tables.Text(data[start:])
    )
    tables = {}
    for element in elements:
        try:
            tables[element.name] = reader.table(element)
        except (IndexError, ValueError, OverflowError) as error:
            raise InputError(
                f"cannot be read: it ends within its {element.rows} rows of "
                f"{element.name}, or they are damaged ({error})"
            ) from error
        if element.name == "face":
            break
    return tables
