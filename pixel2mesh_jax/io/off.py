"""Object File Format of Geomview, as text, with colours of vertices or faces.

Source: *OFF files*, Geomview 1.9 manual. Read here because trimesh (5.2.0) drops the
colours.
"""

import array
import pathlib
import re
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import materials, mesh_limits, polygons

# Prefixes: texture coordinates, colours, normals; then others that are not done.
_KEYWORD = re.compile(rb"(ST)?(C)?(N)?(4)?(n)?OFF")


class _Header(NamedTuple):
    """Which numbers follow the position of a vertex."""

    coordinates: bool
    colored: bool
    normals: bool


def read(
    path: pathlib.Path,
) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"], materials.Paint]:
    """Vertices, triangles and colours of a file.

    Raises:
      InputError: damaged, too large, or of a kind that is not read.
    """
    data = mesh_limits.read_text(path)
    header, rows = _rows(data)
    try:
        num_vertices, num_faces = map(int, rows[0].split()[:2])
    except (IndexError, ValueError) as error:
        raise InputError("cannot be read: no numbers of vertices and faces") from error
    if min(num_vertices, num_faces) < 0 or num_vertices + num_faces >= len(rows):
        raise InputError(
            f"cannot be read: {num_vertices} vertices and {num_faces} faces announced, "
            f"{len(rows) - 1} lines follow"
        )
    try:
        vertices, of_vertices = _vertices(rows[1 : 1 + num_vertices], header)
        faces = rows[1 + num_vertices : 1 + num_vertices + num_faces]
        corners, sizes, of_faces = _faces(faces)
    except (IndexError, ValueError, OverflowError) as error:
        raise InputError(f"cannot be read: {error}") from error
    places, polygon = polygons.triangulate(vertices, corners, sizes)
    colors = np.full((len(places), 3, 3), materials.GREY)
    if of_vertices is not None:
        colors = of_vertices[corners[places]]
    if of_faces is not None:
        own = of_faces[polygon]
        colors = np.where(np.isnan(own)[:, None], colors, own[:, None])
    return vertices, corners[places], materials.paint_faces(colors)


def _rows(data):
    """Kind of the file, and its lines that say something, the counts first."""
    lines = (line.split(b"#", 1)[0].strip() for line in data.splitlines())
    rows = [line for line in lines if line]
    if not rows:
        raise InputError("holds no triangles (it holds nothing)")
    match = _KEYWORD.match(rows[0])
    if match is None:
        raise InputError("cannot be read: it does not start with OFF")
    # some writers put the numbers behind the keyword, even without a space
    first = rows[0][match.end() :].strip()
    if match[4] or match[5] or first.startswith(b"BINARY"):
        raise InputError("cannot be read: OFF in text and three dimensions is expected")
    rows = [first, *rows[1:]] if first else rows[1:]
    return _Header(*(bool(match[i]) for i in (1, 2, 3))), rows


def _vertices(rows, header):
    """Positions, and linear colours or None."""
    if not rows:
        return np.zeros((0, 3)), None
    vertices = array.array("d")
    for row in rows:
        x, y, z = map(float, row.split(None, 3)[:3])
        vertices.extend((x, y, z))
    vertices = np.array(vertices).reshape(len(rows), 3)
    start = 6 if header.normals else 3
    stop = len(rows[0].split()) - (2 if header.coordinates else 0)
    if stop - start not in (3, 4) or (header.coordinates and not header.colored):
        return vertices, None
    return vertices, np.array([_color(row.split()[start : start + 3]) for row in rows])


def _faces(rows):
    """Corners, numbers of corners, and linear colours (NaN: none), or None."""
    corners, sizes, colors = array.array("l"), array.array("l"), None
    for number, row in enumerate(map(bytes.split, rows)):
        size = int(row[0])
        if size < 0 or len(row) < 1 + size:
            raise ValueError(f"face {number} announces {size} corners")
        corners.extend(map(int, row[1 : 1 + size]))
        sizes.append(size)
        if len(row) - 1 - size >= 3:
            if colors is None:
                colors = np.full((len(rows), 3), np.nan)
            colors[number] = _color(row[1 + size : 4 + size])
    return np.array(corners, np.int64), np.array(sizes, np.int64), colors


def _color(words):
    """Linear RGB of three integers up to 255, or of three floats up to 1."""
    values = np.array([float(word) for word in words])
    whole = all(word.isdigit() for word in words)
    return materials.linear_from_srgb(np.clip(values / 255 if whole else values, 0, 1))
