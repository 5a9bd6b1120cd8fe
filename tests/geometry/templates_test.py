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


# The icosphere of Mesh R-CNN and of Pixel2Mesh2.
ICO_COUNTS = [(162, 480, 320), (642, 1920, 1280), (2562, 7680, 5120)]


@pytest.mark.parametrize("level", range(3))
def test_icosphere_is_closed_and_faces_outward_at_every_level(level):
    template = templates.icosphere()
    connectivity = template.levels[level]
    vertices = templates.finest_vertices(
        template._replace(levels=template.levels[: level + 1])
    )
    counts = (len(vertices), len(connectivity.edges), len(connectivity.faces))
    assert counts == ICO_COUNTS[level]
    assert topology.is_watertight(connectivity.faces)
    volume = surface.signed_volume(vertices, connectivity.faces)
    ball = 4 / 3 * np.pi * templates.ICOSPHERE_RADIUS**3
    assert 0.9 * ball < volume < ball


@pytest.mark.parametrize("subdivisions", range(4))
def test_the_coarsest_level_of_the_icosphere_lies_on_the_sphere(subdivisions):
    center = (0.1, -0.2, -1.0)
    template = templates.icosphere(subdivisions, 2, radius=2, center=center)
    distances = np.linalg.norm(template.vertices - np.float32(center), axis=1)
    np.testing.assert_allclose(distances, 2, rtol=1e-6)
    assert len(template.vertices) == 10 * 4**subdivisions + 2
    finer = templates.finest_vertices(template) - np.float32(center)
    assert np.linalg.norm(finer, axis=1).min() < 1.999  # midpoints lie inside


def test_proportions_flatten_the_icosphere():
    flat = templates.icosphere(1, 1, 1.0, (0.0, 0.0, 0.0), templates.FLATTENED)
    np.testing.assert_allclose(np.ptp(flat.vertices, axis=0), [2, 2, 1.6], atol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize("subdivisions", range(3))
def test_icosphere_has_the_order_of_pytorch3d(data_dir, subdivisions):
    recorded = np.load(data_dir / "oracles" / "p3d_subdivide_sample.npz")
    template = templates.icosphere(subdivisions, 1, 1.0, (0.0, 0.0, 0.0))
    # PyTorch3D rounds the icosahedron to four digits.
    expected = recorded[f"ico{subdivisions}/verts"]
    np.testing.assert_allclose(template.vertices, expected, atol=1e-4)
    edges = recorded[f"ico{subdivisions}/edges"]
    np.testing.assert_array_equal(template.levels[0].edges, edges)
    own, faces = (
        np.unique(np.sort(x, axis=1), axis=0)
        for x in (template.levels[0].faces, recorded[f"ico{subdivisions}/faces"])
    )
    np.testing.assert_array_equal(own, faces)


def test_without_unpooling_all_stages_have_the_finest_level():
    template = templates.icosphere()
    flat = templates.without_unpooling(template)
    assert [len(level.neighbors) for level in flat.levels] == [2562] * 3
    np.testing.assert_array_equal(flat.vertices, templates.finest_vertices(template))
    np.testing.assert_array_equal(templates.finest_vertices(flat), flat.vertices)
