"""The ellipsoid: counts of the paper, a closed outward surface at every level."""

import numpy as np
import pytest
import scipy.spatial
import trimesh

from pixel2mesh_jax.geometry import surface, templates, topology

COUNTS = [(156, 462, 308), (618, 1848, 1232), (2466, 7392, 4928)]
TEMPLATE = templates.ellipsoid()


def vertices_of(level):
    return templates.finest_vertices(
        TEMPLATE._replace(levels=TEMPLATE.levels[: level + 1])
    )


@pytest.mark.parametrize("level", range(3))
def test_counts_are_those_of_pixel2mesh(level):
    connectivity = TEMPLATE.levels[level]
    counts = (len(vertices_of(level)), len(connectivity.edges), len(connectivity.faces))
    assert counts == COUNTS[level]
    assert topology.euler_characteristic(connectivity) == 2


@pytest.mark.parametrize("level", range(3))
def test_every_level_is_closed_and_faces_outward(level):
    vertices, faces = vertices_of(level), TEMPLATE.levels[level].faces
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.euler_number == 2
    assert topology.is_watertight(faces)
    outward = mesh.triangles_center - np.array(templates.ELLIPSOID_CENTER)
    assert np.all(np.sum(mesh.face_normals * outward, axis=1) > 0)
    ball = 4 / 3 * np.pi * np.prod(templates.ELLIPSOID_RADII)
    assert 0.9 * ball < surface.signed_volume(vertices, faces) < ball


def test_coarse_vertices_are_the_first_rows_of_the_finer_level():
    for level in (0, 1):
        coarse, fine = vertices_of(level), vertices_of(level + 1)
        np.testing.assert_array_equal(fine[: len(coarse)], coarse)


def test_every_vertex_is_used_by_a_face_of_positive_area():
    for level, connectivity in enumerate(TEMPLATE.levels):
        areas = surface.face_areas(vertices_of(level), connectivity.faces)
        assert areas.min() > 0
        used = np.unique(connectivity.faces)
        np.testing.assert_array_equal(used, np.arange(COUNTS[level][0]))


def test_coarse_vertices_lie_on_the_ellipsoid():
    centered = TEMPLATE.vertices - np.array(templates.ELLIPSOID_CENTER)
    radii = np.linalg.norm(centered / np.array(templates.ELLIPSOID_RADII), axis=1)
    np.testing.assert_allclose(radii, 1, atol=1e-6)


def test_template_is_made_once():
    assert templates.ellipsoid() is TEMPLATE


@pytest.mark.parametrize("num_points", [12, 156, 1000])
def test_fibonacci_points_are_evenly_spread(num_points):
    points = templates.fibonacci_sphere(num_points)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
    distances, _ = scipy.spatial.cKDTree(points).query(points, k=2)
    spacing = np.sqrt(4 * np.pi / num_points)
    assert np.all(distances[:, 1] > 0.6 * spacing)
    assert np.all(distances[:, 1] < 1.2 * spacing)


@pytest.mark.parametrize("num_vertices", [4, 12, 50])
def test_other_sizes(num_vertices):
    level = templates.ellipsoid(num_vertices, 1).levels[0]
    assert len(level.edges) == 3 * num_vertices - 6
    assert len(level.faces) == 2 * num_vertices - 4
