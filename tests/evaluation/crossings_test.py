"""Faces that cross: against a pair by hand, and meshes that are known to."""

import numpy as np
import pytest
import trimesh

from pixel2mesh_jax.evaluation import crossings


def joined(*meshes):
    mesh = trimesh.util.concatenate(meshes)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


def test_simple_meshes_do_not_cross():
    for mesh in (trimesh.creation.box(), trimesh.creation.icosphere(3)):
        assert crossings.self_intersection(*joined(mesh)) == 0


def test_two_triangles():
    flat = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0)], float)
    upright = np.array([(0.2, 0.2, -1), (0.2, 0.2, 1), (0.3, 0.2, 2)], float)
    faces = np.array([(0, 1, 2), (3, 4, 5)])
    crossed = np.concatenate([flat, upright])
    assert crossings.self_intersection(crossed, faces) == 1
    beside = np.concatenate([flat, upright + np.array([1, 1, 0])])
    assert crossings.self_intersection(beside, faces) == 0
    above = np.concatenate([flat, upright + np.array([0, 0, 1.5])])
    assert crossings.self_intersection(above, faces) == 0


def test_neighbours_may_touch():
    """A fold that lies on itself, but for the common edge."""
    vertices = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0.2, 0.9, 0.1)], float)
    faces = np.array([(0, 1, 2), (1, 0, 3)])
    assert crossings.self_intersection(vertices, faces) == 0


@pytest.mark.parametrize("size", [0.1, 3.0])
def test_overlapping_parts_cross_along_a_ring(size):
    """Two spheres, or a sphere and a box with far larger faces."""
    sphere = trimesh.creation.icosphere(3)
    other = trimesh.creation.box((size, 4, 4)).apply_translation((1, 0, 0))
    vertices, faces = joined(sphere, other)
    found = crossings.crossing_faces(vertices, faces)
    planes = (1 - size / 2, 1 + size / 2)
    corners = vertices[faces[: len(sphere.faces)]][..., 0]
    cut = np.zeros(len(sphere.faces), bool)
    for plane in planes:
        cut |= (corners.min(axis=1) < plane) & (corners.max(axis=1) > plane)
    np.testing.assert_array_equal(found[: len(sphere.faces)], cut)
    assert found[len(sphere.faces) :].any()


def test_turning_and_scaling_change_nothing():
    sphere = trimesh.creation.icosphere(2)
    pair = joined(sphere, sphere.copy().apply_translation((0.7, 0.1, 0)))
    first = crossings.crossing_faces(*pair)
    matrix = 0.01 * trimesh.transformations.rotation_matrix(1, (1, 2, 3))[:3, :3]
    second = crossings.crossing_faces(pair[0] @ matrix.T, pair[1])
    np.testing.assert_array_equal(first, second)
    assert 0 < first.mean() < 0.5
