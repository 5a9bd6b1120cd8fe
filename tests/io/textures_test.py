"""Lost textures are named and painted grey, not black or white."""

import json
import logging

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.exchange import gltf

from pixel2mesh_jax.io import materials, meshes, textures

CORNERS = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\n"


def write_obj(folder, material):
    """A triangle whose material is described in `a.mtl`."""
    (folder / "a.obj").write_text(
        f"mtllib a.mtl\n{CORNERS}usemtl paint\nf 1/1 2/2 3/3\n"
    )
    (folder / "a.mtl").write_text(f"newmtl paint\nKd 0 0 0\n{material}\n")
    return folder / "a.obj"


def assert_grey(surface):
    np.testing.assert_allclose(surface.paint.corner_colors, materials.GREY)
    assert (surface.paint.texels == 255).all()


def test_a_texture_that_is_there(tmp_path):
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "red one.png")
    path = write_obj(tmp_path, "map_Kd red one.png")
    assert textures.beside(path, "red one.png") == tmp_path / "red one.png"
    assert (meshes.load_surface(path).paint.texels == (255, 0, 0)).all()


def test_a_missing_texture_of_an_obj(tmp_path, caplog):
    path = write_obj(tmp_path, "map_Kd images\\gone.png")
    assert textures.beside(path, "images\\gone.png") is None
    assert_grey(meshes.load_surface(path))
    assert "gone.png is missing: painted grey" in caplog.text


def test_a_missing_material_file(tmp_path, caplog):
    path = write_obj(tmp_path, "")
    (tmp_path / "a.mtl").unlink()
    meshes.load_surface(path)
    assert "material file a.mtl is missing" in caplog.text


def test_a_black_material_without_a_texture_stays_black(tmp_path, caplog):
    surface = meshes.load_surface(write_obj(tmp_path, ""))
    assert (surface.paint.corner_colors == 0).all()
    assert caplog.text == ""


def test_a_truncated_texture(tmp_path, caplog):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.png")
    content = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    assert_grey(meshes.load_surface(write_obj(tmp_path, "map_Kd cut.png")))
    assert "cannot be decoded" in caplog.text


@pytest.mark.parametrize("name", ["paint", None])
def test_a_missing_texture_of_a_gltf(tmp_path, caplog, name):
    material = trimesh.visual.material.PBRMaterial(
        name="paint", baseColorTexture=Image.new("RGB", (4, 4), (255, 0, 0))
    )
    visual = trimesh.visual.TextureVisuals(uv=np.eye(3)[:, :2], material=material)
    triangle = trimesh.Trimesh(np.eye(3), [[0, 1, 2]], visual=visual, process=False)
    for file, data in gltf.export_gltf(trimesh.Scene(triangle)).items():
        (tmp_path / file).write_bytes(data)
    content = json.loads((tmp_path / "model.gltf").read_text())
    content["images"] = [{"uri": "some%20where/gone.png"}]
    if name is None:
        content["materials"][0].pop("name")
    (tmp_path / "a.gltf").write_text(json.dumps(content))
    with caplog.at_level(logging.WARNING):
        assert_grey(meshes.load_surface(tmp_path / "a.gltf"))
    assert "some where/gone.png is missing" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot identify"),
        (b"", "cannot identify"),
    ],
    ids=["PostScript, which starts a program", "nothing"],
)
def test_what_is_no_image_is_not_decoded(caplog, content, words):
    assert textures.Textures().add("a", content, "a.eps") == textures.NO_TEXTURE
    assert words in caplog.text


def test_sixteen_bits_become_eight(tmp_path):
    depth = np.array([[0, 256 * 100 + 7], [65535, 255]], np.uint16)
    Image.fromarray(depth).save(tmp_path / "a.png")
    library = textures.Textures()
    assert library.add("a", tmp_path / "a.png", "a.png") == 0
    assert library.images[0][..., 1].tolist() == [[0, 100], [255, 0]]


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 5000, "", ".", "..", "/", "a.png/"])
def test_names_that_no_file_can_have(tmp_path, name):
    assert textures.beside(tmp_path / "a.obj", name) is None


def test_warnings_of_trimesh_are_passed_on(tmp_path, caplog, monkeypatch):
    trimesh.creation.box().export(tmp_path / "a.stl")
    load = trimesh.load_scene

    def load_with_warning(*arguments, **options):
        logging.getLogger("trimesh").warning("some facets were dropped")
        return load(*arguments, **options)

    monkeypatch.setattr(meshes.trimesh, "load_scene", load_with_warning)
    meshes.load_surface(tmp_path / "a.stl")
    said = [record.name for record in caplog.records if "dropped" in record.message]
    assert "pixel2mesh_jax.io.meshes" in said
