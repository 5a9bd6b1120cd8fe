"""Blender reads what we write, and we read what Blender writes.

Needs a folder with Blender's modules: `pip install --target FOLDER bpy` (Python 3.11),
then `P2M_BPY=FOLDER pytest tests/io/blender_test.py`.
"""

import functools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose
from scipy.spatial import cKDTree

from pixel2mesh_jax.io import materials, meshes
from tests.io import textured_meshes_test

pytestmark = pytest.mark.slow


@functools.cache
def environment():
    """Blender's modules before all others; it brings an older numpy."""
    folder = os.environ.get("P2M_BPY")
    if folder is None:
        pytest.skip("Blender's modules not found; set P2M_BPY to their folder")
    found = os.environ | {"PYTHONPATH": folder}
    command = [sys.executable, "-c", "import bpy"]
    if subprocess.run(command, env=found, capture_output=True, check=False).returncode:
        pytest.skip(f"{folder} holds no Blender for this Python")
    return found


def blender(repository, *arguments):
    """Runs the script; returns the JSON lines that it prints."""
    command = [sys.executable, repository / "benchmarks" / "blender.py", *arguments]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def in_blender(points):
    """glTF has y up, Blender z."""
    return points[:, [0, 2, 1]] * np.array([1, -1, 1])


def colored_ball():
    ball = trimesh.creation.icosphere(2, 0.3)
    vertices = (np.asarray(ball.vertices) * (1, 0.5, 0.8)).astype(np.float32)
    colors = np.random.default_rng(0).uniform(size=vertices.shape).astype(np.float32)
    return vertices, np.asarray(ball.faces, np.int32), colors


def test_blender_reads_our_colours_normals_and_axes(repository, tmp_path):
    vertices, faces, colors = colored_ball()
    path = tmp_path / "ball.glb"
    meshes.save_mesh(path, vertices, faces, colors)
    [facts] = blender(repository, "look", path)
    assert facts["dimensions"] == pytest.approx([0.6, 0.48, 0.3], abs=0.01)
    assert facts["base color from"] == "VERTEX_COLOR"
    assert (facts["roughness"], facts["metallic"]) == (1, 0)
    assert facts["triangles"] == len(faces)
    read = np.load(path.with_suffix(".npz"))
    corner = cKDTree(in_blender(vertices)).query(read["position"])
    assert corner[0].max() < 1e-6
    own = trimesh.Trimesh(vertices, faces, process=False)  # weighted by angle
    normals = in_blender(own.vertex_normals)
    assert_allclose(read["normal"], normals[corner[1]], atol=2e-3)  # 16 bits
    light = materials.linear_from_srgb(colors[corner[1]].astype(np.float64))
    assert_allclose(read["color"][:, :3], light, atol=6e-3)  # 8 bits, twice


def test_blender_reads_our_textures(repository, tmp_path):
    vertices, faces, texture = textured_meshes_test.box()
    path = tmp_path / "box.glb"
    meshes.save_mesh(path, vertices, faces, texture=texture)
    [facts] = blender(repository, "look", path, "--image", tmp_path / "box.png")
    assert facts["base color from"] == "TEX_IMAGE"
    assert facts["textures"] == [[textured_meshes_test.SIDE] * 2]
    assert facts["uv maps"] == ["UVMap"]
    assert (tmp_path / "box.png").is_file()


def test_we_read_skins_and_instances_of_blender(repository, tmp_path):
    path = tmp_path / "scene.glb"
    blender(repository, "export", path)
    content = path.read_bytes()
    assert b"EXT_mesh_gpu_instancing" in content
    assert b'"skins"' in content
    read = meshes.load_surface(path).vertices
    shown = np.load(path.with_suffix(".npz"))["points"]
    distance, _ = cKDTree(in_blender(read)).query(shown)
    assert distance.max() < 1e-5
    distance, _ = cKDTree(shown).query(in_blender(read))
    assert distance.max() < 1e-5
