"""Copies of glTF objects of other proportions."""

import numpy as np
import pytest
import trimesh

from data_pipelines import stretched_copies
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import gltf, meshes

NO_SCENE = {"asset": {"version": "2.0"}}


@pytest.fixture
def ball(tmp_path):
    """A painted ball that its scene turns and moves."""
    mesh = trimesh.creation.icosphere(subdivisions=1)
    mesh.visual.vertex_colors = np.random.default_rng(0).integers(
        0, 255, (len(mesh.vertices), 4), np.uint8
    )
    turn = trimesh.transformations.rotation_matrix(0.3, [1, 2, 3], [0.5, 0, 0])
    scene = trimesh.Scene()
    scene.add_geometry(mesh, transform=turn)
    path = tmp_path / "ball.glb"
    scene.export(path)
    return path


def test_positions_are_scaled_after_the_scene_has_placed_them(ball, tmp_path):
    factors = np.array([1.2, 0.8, 1.1])
    copy = tmp_path / "copy.glb"
    copy.write_bytes(stretched_copies.stretched(ball, factors))
    before, after = meshes.load_surface(ball), meshes.load_surface(copy)
    np.testing.assert_allclose(after.vertices, before.vertices * factors, atol=1e-6)
    np.testing.assert_array_equal(after.faces, before.faces)


def test_other_programs_read_the_copy_with_its_colors(ball, tmp_path):
    copy = tmp_path / "copy.glb"
    copy.write_bytes(stretched_copies.stretched(ball, np.ones(3)))
    before, after = (trimesh.load(path, force="mesh") for path in (ball, copy))
    np.testing.assert_allclose(after.vertices, before.vertices, atol=1e-6)
    np.testing.assert_array_equal(
        after.visual.vertex_colors, before.visual.vertex_colors
    )


def test_factors_prefer_no_direction():
    rng = np.random.default_rng(0)
    found = np.log([stretched_copies.random_factors(rng) for _ in range(2000)])
    largest = np.log(stretched_copies.MOST)
    assert np.abs(found).max() <= largest
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.03 * largest * 2)


@pytest.mark.parametrize("content", [b"glTF", gltf.container(NO_SCENE, b"")])
def test_a_damaged_file_is_named(content, tmp_path):
    path = tmp_path / "odd.glb"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"odd\.glb: .*(ends within|the file has 0)"):
        stretched_copies.stretched(path, np.ones(3))


def test_another_format_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"only \.glb"):
        stretched_copies.stretched(tmp_path / "ball.gltf", np.ones(3))
