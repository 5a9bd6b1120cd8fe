"""What a depth map says by itself, of a ball whose surface has a formula."""

import numpy as np
import pytest
import trimesh

from pixel2mesh_jax.evaluation import baselines
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.methods.method import empty_batch
from pixel2mesh_jax.rendering import raycast

SIZE, RADIUS, DISTANCE = 96, 0.2, 0.8
MIDDLE = np.array([0, 0, -DISTANCE])


@pytest.fixture(scope="module")
def batch():
    ball = trimesh.creation.icosphere(5, RADIUS)
    intrinsics = camera.r2n2_intrinsics(SIZE)
    vertices = ball.vertices + MIDDLE
    depth = raycast.cast(vertices, ball.faces, intrinsics, (SIZE, SIZE)).depth
    depth = depth[None].astype(np.float32)
    return empty_batch(1)._replace(
        rgb=np.ones((1, SIZE, SIZE, 3), np.float32),
        depth=depth,
        mask=(depth > 0).astype(np.float32),
        intrinsics=intrinsics[None],
    )


def distances(mesh):
    return np.abs(np.linalg.norm(mesh.vertices - MIDDLE, axis=1) - RADIUS)


def test_the_depth_map_is_the_visible_side_facing_the_camera(batch):
    mesh = baselines.depth_map(batch, 0)
    assert distances(mesh).max() < 1e-3
    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    toward = np.einsum("ij,ij->i", shape.face_normals, -shape.triangles_center)
    assert (toward > 0).all()
    cap = 2 * np.pi * RADIUS**2 * (1 - RADIUS / DISTANCE)  # with its steep rim
    assert shape.area == pytest.approx(cap, rel=0.3)


def test_the_shell_is_closed_and_as_thick_as_said(batch):
    mesh = baselines.closed_shell(batch, 0)
    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert shape.is_watertight
    assert 0 < shape.volume < 4 / 3 * np.pi * RADIUS**3
    assert np.median(distances(mesh)) < 0.03


def test_without_depth_there_is_neither(batch):
    blind = batch._replace(depth=np.zeros_like(batch.depth))
    assert baselines.depth_map(blind, 0) is None
    assert baselines.closed_shell(blind, 0) is None
