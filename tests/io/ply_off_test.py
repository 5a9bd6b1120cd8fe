"""PLY and OFF files with polygons and colours, as text and binary."""

import struct

import numpy as np
import pytest
import trimesh
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import materials, meshes

RED = [255, 0, 0]
# A box of 1 x 2 x 3 whose top is cut into two triangles.
CORNERS = [(x, y, z) for x in (0, 1) for y in (0, 2) for z in (0, 3)]
FACES = [(0, 1, 3, 2), (6, 7, 5, 4), (4, 5, 1, 0), (2, 3, 7, 6), (0, 2, 6, 4)]
FACES += [(1, 5, 7), (1, 7, 3)]


def colors_of(surface):
    count = len(surface.faces)
    weights = np.full((count, 3), 1 / 3)
    light = materials.color_at(surface.paint, np.arange(count), weights)
    return np.round(materials.srgb_from_linear(light) * 255).astype(int)


def header(kind, *, vertex="", face="", comments=""):
    return (
        f"ply\nformat {kind} 1.0\n{comments}element vertex {len(CORNERS)}\n"
        f"property float x\nproperty float y\nproperty float z\n{vertex}"
        f"element face {len(FACES)}\nproperty list uchar int vertex_indices\n{face}"
        "end_header\n"
    )


def binary(order, vertex_color=(), face_color=()):
    data = b""
    for corner in CORNERS:
        data += struct.pack(f"{order}3f", *corner) + bytes(vertex_color)
    for face in FACES:
        data += struct.pack(f"{order}B{len(face)}i", len(face), *face)
        data += bytes(face_color)
    return data


def text():
    rows = [*CORNERS, *((len(face), *face) for face in FACES)]
    return "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("ascii", text()),
        ("binary_little_endian", binary("<")),
        ("binary_big_endian", binary(">")),
    ],
)
def test_triangles_and_quadrilaterals_in_one_file(tmp_path, kind, body):
    (tmp_path / "a.ply").write_bytes(header(kind).encode() + body)
    surface = meshes.load_surface(tmp_path / "a.ply")
    assert len(surface.faces) == 12
    box = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    assert box.volume == pytest.approx(6)
    assert (colors_of(surface) == 153).all()


COLORS = "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))


@pytest.mark.parametrize("of", ["vertex", "face"])
def test_colors_of_binary_files(tmp_path, of):
    content = header("binary_little_endian", **{of: COLORS}).encode()
    content += binary("<", **{f"{of}_color": RED})
    (tmp_path / "a.ply").write_bytes(content)
    assert (colors_of(meshes.load_surface(tmp_path / "a.ply")) == RED).all()


def test_texture_as_meshlab_writes_it(tmp_path):
    Image.new("RGB", (2, 2), tuple(RED)).save(tmp_path / "a b.png")
    content = header(
        "ascii",
        face="property list uchar float texcoord\n",
        comments="comment TextureFile a b.png\n",
    ).encode()
    rows = [*CORNERS]
    for face in FACES:
        rows.append((len(face), *face, 2 * len(face), *[0.3, 0.3] * len(face)))
    body = "".join(" ".join(map(str, row)) + "\n" for row in rows)
    (tmp_path / "a.ply").write_bytes(content + body.encode())
    assert (colors_of(meshes.load_surface(tmp_path / "a.ply")) == RED).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("element face 7", "element face 999999999999"), "do not fit"),
        (("element face 7", "element face 8"), "it ends within its 8 rows of face"),
        (("element face 7", "element face -1"), "do not fit"),
        (("property float z", "property quad z"), "header line 'property quad z'"),
        (("format binary_little", "format binary_tiny"), "header line 'format"),
        (("end_header", "the end"), "no PLY header"),
        (("vertex_indices", "strips"), "holds no triangles .it holds vertex, face"),
    ],
)
def test_damaged_ply_files(tmp_path, change, words):
    content = header("binary_little_endian").replace(*change).encode() + binary("<")
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(InputError, match=words):
        meshes.load_surface(tmp_path / "a.ply")


def off(keyword, vertex="", face=""):
    rows = [f"{x} {y} {z} {vertex}" for x, y, z in CORNERS]
    rows += [f"{len(f)} {' '.join(map(str, f))} {face}" for f in FACES]
    return f"{keyword}\n# a box\n{len(CORNERS)} {len(FACES)} 0\n" + "\n".join(rows)


@pytest.mark.parametrize(
    "content",
    [
        off("COFF", vertex="255 0 0 255"),
        off("COFF", vertex="1.0 0.0 0.0 1.0"),
        off("COFF", vertex="255 0 0"),
        off("OFF", vertex="255 0 0"),
        off("CNOFF", vertex="0 0 1 1.0 0.0 0.0 1.0"),
        off("STCOFF", vertex="255 0 0 255 0.5 0.5"),
        off("OFF", face="255 0 0"),
        off("OFF", face="1.0 0.0 0.0 0.5"),
        off("COFF", vertex="0 0 0 255", face="255 0 0"),
    ],
)
def test_colors_of_off_files(tmp_path, content):
    (tmp_path / "a.off").write_text(content)
    surface = meshes.load_surface(tmp_path / "a.off")
    assert len(surface.faces) == 12
    assert (colors_of(surface) == RED).all()


def test_normals_and_texture_coordinates_are_no_colors(tmp_path):
    for content in (off("NOFF", vertex="0 0 1"), off("STOFF", vertex="0.5 0.5")):
        (tmp_path / "a.off").write_text(content)
        assert (colors_of(meshes.load_surface(tmp_path / "a.off")) == 153).all()


def test_numbers_behind_the_keyword(tmp_path):
    """As in ModelNet."""
    (tmp_path / "a.off").write_text(off("OFF").replace("OFF\n# a box\n", "OFF"))
    assert len(meshes.load_surface(tmp_path / "a.off").faces) == 12


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "holds nothing"),
        ("solid", "does not start with OFF"),
        ("OFF BINARY\n3 1 0\n", "OFF in text"),
        ("4OFF\n3 1 0\n", "three dimensions"),
        ("OFF\n", "no numbers of vertices"),
        ("OFF\n999999999 1 0\n0 0 0\n", "2 lines follow|1 lines follow"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1\n", "face 0 announces 3 corners"),
        ("OFF\n3 1 0\n0 0 0\n1 0 x\n0 1 0\n3 0 1 2\n", "could not convert"),
    ],
)
def test_damaged_off_files(tmp_path, content, words):
    (tmp_path / "a.off").write_text(content)
    with pytest.raises(InputError, match=words):
        meshes.load_surface(tmp_path / "a.off")
