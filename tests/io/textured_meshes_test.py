"""Textured meshes as files, read back by trimesh and by our readers."""

import numpy as np
import pygltflib
import pytest
import trimesh
from numpy.testing import assert_allclose, assert_array_equal

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import surface
from pixel2mesh_jax.io import materials, meshes, textured_meshes
from pixel2mesh_jax.structures import Texture

SIDE = 16


def box():
    """Vertices, faces and a texture with a chart for every side."""
    solid = trimesh.creation.box((0.5, 0.2, 0.3))
    vertices = np.asarray(solid.vertices, np.float32) + np.float32([0.1, 0, -1])
    faces = np.asarray(solid.faces, np.int32)
    rows = faces.reshape(-1)  # every corner is a row of its own
    uv = np.random.default_rng(0).uniform(0.1, 0.9, (len(rows), 2)).astype(np.float32)
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    corners = np.arange(len(rows), dtype=np.int32).reshape(-1, 3)
    return vertices, faces, Texture(image, uv, rows, corners)


def colors_of_texture(texture, triangle, weights):
    """sRGB bytes at places of the triangles, nearest texel."""
    uv = np.einsum("nk,nkc->nc", weights, texture.uv[texture.faces[triangle]])
    column, row = (np.stack([uv[:, 0], 1 - uv[:, 1]]) * SIDE).astype(int)
    return texture.image[row, column]


def test_a_glb_read_by_trimesh(tmp_path):
    vertices, faces, texture = box()
    path = tmp_path / "a" / "box.glb"
    meshes.save_mesh(path, vertices, faces, texture=texture)
    read = trimesh.load_mesh(path, process=False)
    assert_array_equal(np.asarray(read.vertices, np.float32), vertices[texture.rows])
    assert_allclose(read.visual.uv, texture.uv, atol=1e-6)
    material = read.visual.material
    assert_array_equal(np.asarray(material.baseColorTexture), texture.image)
    assert material.metallicFactor == 0
    assert material.roughnessFactor == 1
    assert not material.doubleSided


def test_normals_are_not_cut_on_seams(tmp_path):
    vertices, faces, texture = box()
    path = tmp_path / "box.glb"
    meshes.save_mesh(path, vertices, faces, texture=texture)
    written = pygltflib.GLTF2().load(str(path))
    accessor = written.accessors[written.meshes[0].primitives[0].attributes.NORMAL]
    start = written.bufferViews[accessor.bufferView].byteOffset + accessor.byteOffset
    count = 3 * accessor.count
    read = np.frombuffer(written.binary_blob(), np.float32, count, start).reshape(-1, 3)
    normals = np.asarray(surface.vertex_normals(vertices, faces))
    assert_allclose(read, normals[texture.rows], atol=1e-6)


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
def test_our_readers_see_the_same_colours(tmp_path, suffix):
    vertices, faces, texture = box()
    path = tmp_path / f"my box{suffix}"
    meshes.save_mesh(path, vertices, faces, texture=texture)
    read = meshes.load_surface(path)
    assert_array_equal(read.vertices[read.faces].astype(np.float32), vertices[faces])
    rng = np.random.default_rng(2)
    triangle, weights = rng.integers(0, 12, 500), rng.dirichlet(np.ones(3), 500)
    light = materials.color_at(read.paint, triangle, weights)
    found = np.round(materials.srgb_from_linear(light) * 255)
    wanted = colors_of_texture(texture, triangle, weights)
    same = (found == wanted).all(axis=1).mean()
    assert same > 0.98  # a place on the border of two texels


def test_an_obj_stays_closed_on_its_seams(tmp_path):
    vertices, faces, texture = box()
    path = tmp_path / "box.obj"
    meshes.save_mesh(path, vertices, faces, texture=texture)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "box.mtl",
        "box.obj",
        "box_texture.png",
    ]
    read = meshes.load_surface(path)
    assert trimesh.Trimesh(read.vertices, read.faces, process=False).is_watertight
    by_trimesh = trimesh.load_mesh(path, process=False)
    assert_array_equal(
        np.asarray(by_trimesh.visual.material.image.convert("RGB")), texture.image
    )


@pytest.mark.parametrize("file_format", ["ply", "stl"])
def test_files_without_textures_are_refused(tmp_path, file_format):
    with pytest.raises(InputError, match=f"{file_format} files hold no texture; exp"):
        meshes.save_mesh(tmp_path / f"a.{file_format}", *box()[:2], texture=box()[2])
    with pytest.raises(InputError, match="expected --format glb or obj"):
        textured_meshes.check_format(file_format)
    assert not list(tmp_path.iterdir())
