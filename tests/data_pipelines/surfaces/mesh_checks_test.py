import numpy as np
import pytest
import trimesh

from data_pipelines.surfaces import mesh_checks
from pixel2mesh_jax.io import meshes


def test_a_closed_surface_has_no_irregular_edges():
    ball = trimesh.creation.icosphere(subdivisions=2)
    assert mesh_checks.irregular_edges(ball.vertices, ball.faces) == 0


def test_split_vertices_and_repeated_faces_do_not_count():
    """As in files with seams of texture, and with faces seen from both sides."""
    box = trimesh.creation.box()
    corners = box.vertices[box.faces].reshape(-1, 3)
    faces = np.arange(len(corners)).reshape(-1, 3)
    doubled = np.concatenate([faces, faces[:, ::-1]])
    assert mesh_checks.irregular_edges(corners, doubled) == 0


def test_border_and_branching_edges_count():
    corners = np.array([(0, 0, 0), (0, 0, 1), (1, 0, 0), (-1, 0, 0), (0, 1, 0)], float)
    pages = np.array([(0, 1, 2), (0, 1, 3), (0, 1, 4)])  # of a book
    assert mesh_checks.irregular_edges(corners, pages) == 1
    assert mesh_checks.irregular_edges(corners, pages[:2]) == pytest.approx(4 / 5)


def test_faces_without_area():
    assert mesh_checks.irregular_edges(np.eye(3), np.array([(0, 1, 1)])) == 1


@pytest.mark.parametrize(("size", "odd"), [(1e-6, True), (1, False), (1e6, True)])
def test_strange_scales_are_said(caplog, size, odd):
    box = meshes.surface_from_mesh(trimesh.creation.box((size,) * 3))
    mesh_checks.warn_of_defects(box)
    assert ("no usual unit" in caplog.text) == odd
