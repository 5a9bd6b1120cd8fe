"""Connectivity against naive loops, trimesh and recorded numbers."""

import numpy as np
import pytest
import trimesh

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import templates, topology
from tests import oracles

TORUS = trimesh.creation.torus(1.0, 0.3, major_sections=8, minor_sections=6)
MESHES = {
    "ellipsoid": templates.ellipsoid(30, 1).levels[0].faces,
    "torus": np.asarray(TORUS.faces, np.int32),
}


@pytest.fixture(params=MESHES)
def faces(request):
    return MESHES[request.param]


def test_edges_are_sorted_and_unique(faces):
    expected = [pair for pair in oracles.directed_edges(faces) if pair[0] < pair[1]]
    np.testing.assert_array_equal(topology.unique_edges(faces), expected)


def test_one_rings_and_incident_edges(faces):
    level = topology.make_topology(faces)
    for vertex, ring in enumerate(oracles.neighbors(faces)):
        real = level.neighbor_mask[vertex] == 1
        assert level.neighbors[vertex, real].tolist() == ring
        for neighbor, edge, sign in zip(
            ring,
            level.incident_edges[vertex, real],
            level.incident_signs[vertex, real],
            strict=True,
        ):
            ends = [vertex, neighbor] if sign == 1 else [neighbor, vertex]
            assert level.edges[edge].tolist() == ends


def test_padding_is_index_0_with_weight_0(faces):
    level = topology.make_topology(faces)
    padding = level.neighbor_mask == 0
    for table in (
        level.neighbors,
        level.incident_edges,
        level.incident_signs,
        level.chebyshev_weights,
    ):
        np.testing.assert_array_equal(table[padding], 0)


def test_chebyshev_operator_equals_the_dense_computation(faces):
    level = topology.make_topology(faces)
    dense = np.diag(level.chebyshev_diagonal).astype(np.float64)
    for vertex, row in enumerate(level.neighbors):
        np.add.at(dense[vertex], row, level.chebyshev_weights[vertex])
    np.testing.assert_allclose(dense, oracles.chebyshev_operator(faces), atol=1e-6)


def test_euler_characteristic(faces):
    expected = {len(MESHES["ellipsoid"]): 2, len(MESHES["torus"]): 0}
    level = topology.make_topology(faces)
    assert topology.euler_characteristic(level) == expected[len(faces)]


def test_subdivision_keeps_the_surface(faces):
    level = topology.make_topology(faces)
    fine = topology.subdivide(level)
    vertices = np.random.default_rng(0).normal(size=(len(level.neighbors), 3))
    refined = np.concatenate([vertices, vertices[level.edges].mean(axis=1)])
    assert len(fine.neighbors) == len(refined)
    assert len(fine.faces) == 4 * len(faces)
    coarse_mesh = trimesh.Trimesh(vertices, faces, process=False)
    fine_mesh = trimesh.Trimesh(refined, fine.faces, process=False)
    np.testing.assert_allclose(
        fine_mesh.face_normals, np.tile(coarse_mesh.face_normals, (4, 1)), atol=1e-9
    )
    np.testing.assert_allclose(
        fine_mesh.area_faces, np.tile(coarse_mesh.area_faces, 4) / 4
    )


def test_watertight_needs_every_edge_twice_in_opposite_directions(faces):
    assert topology.is_watertight(faces)
    assert not topology.is_watertight(faces[1:])
    one_reversed = faces.copy()
    one_reversed[0] = one_reversed[0, ::-1]
    assert not topology.is_watertight(one_reversed)


def test_edges_may_come_in_any_order_and_direction(faces):
    edges = topology.unique_edges(faces)
    shuffled = np.random.default_rng(0).permutation(edges)
    shuffled[::2] = shuffled[::2, ::-1]
    level = topology.make_topology(faces, shuffled)
    np.testing.assert_array_equal(level.edges, shuffled)
    fine = topology.subdivide(level)
    ab = fine.faces[0, 1] - len(level.neighbors)
    assert sorted(shuffled[ab]) == sorted(faces[0, :2])


@pytest.mark.parametrize("change", ["missing", "doubled", "foreign"])
def test_wrong_edges_are_refused(faces, change):
    edges = topology.unique_edges(faces)
    wrong = {
        "missing": edges[1:],
        "doubled": np.concatenate([edges, edges[:1, ::-1]]),
        "foreign": np.concatenate([edges[1:], [[0, len(edges)]]]),
    }
    with pytest.raises(InputError, match="do not match the faces"):
        topology.make_topology(faces, wrong[change].astype(np.int32))


@pytest.mark.data
@pytest.mark.parametrize("number", [0, 1])
def test_subdivision_matches_pytorch3d(data_dir, number):
    recorded = np.load(data_dir / "oracles" / "p3d_subdivide_sample.npz")
    vertices = recorded[f"in{number}/verts"]
    level = topology.make_topology(recorded[f"in{number}/faces"])
    fine = topology.subdivide(level)
    np.testing.assert_allclose(
        np.concatenate([vertices, templates.edge_midpoints(vertices, level)]),
        recorded[f"out{number}/verts"],
        atol=1e-6,
    )
    assert _oriented(fine.faces) == _oriented(recorded[f"out{number}/faces"])


def _oriented(faces):
    """Triangles, started at their smallest index, as a set."""
    start = faces.argmin(axis=1)[:, None]
    turned = np.take_along_axis(faces, (start + np.arange(3)) % 3, axis=1)
    return {tuple(face) for face in turned.tolist()}
