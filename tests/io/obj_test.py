"""OBJ and MTL files as modelling programs write them."""

import numpy as np
import pytest
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import materials, mesh_limits, meshes, mtl, textures

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"


def load(folder, text):
    (folder / "a.obj").write_text(text)
    return meshes.load_surface(folder / "a.obj")


def colors_of(surface):
    count = len(surface.faces)
    weights = np.full((count, 3), 1 / 3)
    light = materials.color_at(surface.paint, np.arange(count), weights)
    return np.round(materials.srgb_from_linear(light) * 255).astype(int).tolist()


def painted(folder, material, **images):
    """The square with a material, and images of one colour in `textures/`."""
    (folder / "textures").mkdir(exist_ok=True)
    Image.new("RGB", (2, 2), RED).save(folder / "textures" / "red.png")
    Image.new("RGB", (2, 2), RED).save(folder / "red tex.png")
    (folder / "a.mtl").write_text(f"newmtl paint\nKd 0 0 0\n{material}\n")
    return load(
        folder, f"mtllib a.mtl\n{SQUARE}usemtl paint\nf 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
    )


def test_negative_indices_between_the_vertices(tmp_path):
    """They count from the last vertex so far, not from the last one of the file."""
    first = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\n"
    second = "v 5 0 0\nv 6 0 0\nv 5 1 0\nf -3 -2 -1\n"
    surface = load(tmp_path, first + second)
    assert surface.faces.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_negative_texture_coordinates(tmp_path):
    text = SQUARE + "f -4/-4/-1 -3/-3/-1 -2/-2/-1\nvt 9 9\n"
    surface = load(tmp_path, text)
    assert surface.faces.tolist() == [[0, 1, 2]]


def test_forms_of_corners_may_be_mixed(tmp_path):
    surface = load(tmp_path, SQUARE + "f 1//7 2/2 3\nf 1/1/1 3/3/3 4//4 # end\n")
    assert surface.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_concave_polygons_keep_their_notch(tmp_path):
    outline = [(1, 0), (1, 0.25), (0.25, 0.25), (0.25, 0.75), (1, 0.75), (1, 1)]
    outline += [(0, 1), (0, 0)]
    text = "".join(f"v {x} {y} 0\n" for x, y in outline) + "f 1 2 3 4 5 6 7 8\n"
    surface = load(tmp_path, text)
    corners = surface.vertices[surface.faces]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    assert np.abs(np.cross(a, b)[:, 2]).sum() / 2 == pytest.approx(0.625)


def test_lines_that_go_on(tmp_path):
    assert len(load(tmp_path, SQUARE + "f 1 2 \\\n3 4\n").faces) == 2
    assert len(load(tmp_path, (SQUARE + "f 1 2 \\\r\n3 4\n")).faces) == 2


@pytest.mark.parametrize("largest", [1, 255])
def test_colors_of_vertices(tmp_path, largest):
    text = f"v 0 0 0 {largest} 0 0\nv 1 0 0 {largest} 0 0\nv 0 1 0 {largest} 0 0\n"
    assert colors_of(load(tmp_path, text + "f 1 2 3\n")) == [list(RED)]


def test_fourth_coordinate_is_no_color(tmp_path):
    text = "v 0 0 0 1\nv 1 0 0 1\nv 0 1 0 1\nf 1 2 3\n"
    assert colors_of(load(tmp_path, text)) == [[153, 153, 153]]


@pytest.mark.parametrize(
    "line",
    [
        "map_Kd textures/red.png",
        "map_Kd textures\\red.png",
        "map_Kd .\\textures\\red.png",
        "map_kd red tex.png",
        'map_Kd "red tex.png"',
        "map_Kd -s 2 2 1 red tex.png",
        "map_Kd -blendu on -mm 0 1 -o 0.5 0 -clamp off -bm 1.0 red tex.png",
        "\tmap_Kd   textures/red.png  ",
        "map_Kd C:\\work\\somewhere\\red tex.png",
        "map_Kd /home/someone/red tex.png",
    ],
)
def test_names_of_textures(tmp_path, line, caplog):
    assert colors_of(painted(tmp_path, line)) == [list(RED)] * 2
    assert caplog.text == ""


def test_options_of_textures_move_them(tmp_path):
    image = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8)
    Image.fromarray(image).save(tmp_path / "four.png")
    assert colors_of(painted(tmp_path, "map_Kd four.png"))[0] == list(WHITE)
    moved = painted(tmp_path, "map_Kd -o 0.5 0.5 four.png")
    assert colors_of(moved)[0] == list(RED)
    scaled = painted(tmp_path, "map_Kd -s 0.5 0.5 1 four.png")
    assert colors_of(scaled)[0] == list(BLUE)


def test_options_without_a_name():
    assert mtl.parse_texture("-s 2 2 1") == ({"-s": (2.0, 2.0)}, "")
    assert mtl.parse_texture("-new option.png") == ({}, "-new option.png")


def test_several_material_files(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl one\nKd 1 0 0\n")
    (tmp_path / "b.mtl").write_text("\ufeffnewmtl two three\nKd 0 0 1\n")
    text = (
        f"mtllib a.mtl b.mtl\n{SQUARE}usemtl one\nf 1 2 3\nusemtl two three\nf 1 3 4\n"
    )
    assert colors_of(load(tmp_path, text)) == [list(RED), list(BLUE)]


def test_a_material_that_no_file_describes(tmp_path, caplog):
    (tmp_path / "a.mtl").write_text("newmtl one\nKd 1 0 0\n")
    surface = load(tmp_path, f"mtllib a.mtl\n{SQUARE}usemtl two\nf 1 2 3\n")
    assert colors_of(surface) == [[153, 153, 153]]
    assert "material two is nowhere described" in caplog.text


def test_files_outside_of_the_folder_are_not_read(tmp_path, caplog):
    """One folder up is: ShapeNet keeps `models/` beside `images/`."""
    inner = tmp_path / "far" / "object" / "models"
    inner.mkdir(parents=True)
    Image.new("RGB", (2, 2), RED).save(tmp_path / "secret.png")
    for name in (str(tmp_path / "secret.png"), "../../../secret.png"):
        assert colors_of(painted(inner, f"map_Kd {name}"))[0] == [153, 153, 153]
        assert "is missing: painted grey" in caplog.text
        caplog.clear()
    (inner.parent / "images").mkdir()
    Image.new("RGB", (2, 2), GREEN).save(inner.parent / "images" / "green.png")
    assert colors_of(painted(inner, "map_Kd ../images/green.png"))[0] == list(GREEN)


def test_links_are_read_under_their_own_names(tmp_path):
    """As in the caches of Hugging Face, DVC and git-annex."""
    blobs, folder = tmp_path / "blobs", tmp_path / "chair"
    blobs.mkdir()
    folder.mkdir()
    (blobs / "90bc").write_text("newmtl paint\nKd 1 0 0\n")
    (blobs / "77aa").write_text(f"mtllib a.mtl\n{SQUARE}usemtl paint\nf 1 2 3\n")
    (folder / "a.mtl").symlink_to(blobs / "90bc")
    (folder / "a.obj").symlink_to(blobs / "77aa")
    assert colors_of(meshes.load_surface(folder / "a.obj")) == [list(RED)]


def test_textures_beyond_the_limit_are_not_decoded(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(mesh_limits, "MAX_TEXTURE_PIXELS", 3)
    surface = painted(tmp_path, "map_Kd red tex.png")
    assert colors_of(surface)[0] == [153, 153, 153]
    assert "2 x 2 pixels, which is more than the 3" in caplog.text


def test_all_textures_together_have_a_limit(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(mesh_limits, "MAX_TEXELS", 6)
    library = textures.Textures()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (2, 2), RED).save(tmp_path / name)
    numbers = [library.add(name, tmp_path / name, name) for name in ("a.png", "b.png")]
    assert numbers == [0, textures.NO_TEXTURE]
    assert "more than the 2 that are left" in caplog.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("v 1 2\n", "line 1: 'v 1 2'"),
        ("v 1 2 x\n", "could not convert string to float: b'x'"),
        (SQUARE + "f 0 1 2\n", "count from 1"),
        (SQUARE + "f 1 2 five\n", "a corner of a face"),
        (SQUARE + "f 1 2 99999999999999999999\n", "a corner of a face"),
        (SQUARE + "f -9 2 3\n", "number -9 from the end, there are 4"),
        (SQUARE + "l 1 2 3\np 1\n", "holds no triangles"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        load(tmp_path, text)


def test_too_large_files(tmp_path, monkeypatch):
    monkeypatch.setattr(mesh_limits, "MAX_TEXT_BYTES", 2**20)
    (tmp_path / "a.obj").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(InputError, match=r"a\.obj has 1 MiB; at most 1 MiB"):
        meshes.load_surface(tmp_path / "a.obj")
    monkeypatch.setattr(mesh_limits, "MAX_VERTICES", 3)
    with pytest.raises(InputError, match="has 4 vertices; at most 3"):
        load(tmp_path, SQUARE + "f 1 2 3\n")
