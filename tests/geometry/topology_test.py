"""Connectivity against naive loops, trimesh and recorded numbers."""

import numpy as np
import pytest
import trimesh

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import gather, templates, topology
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


def test_face_pairs_share_an_edge(faces):
    pairs = topology.face_pairs(faces)
    assert len(pairs) == len(topology.unique_edges(faces))  # closed
    found = {frozenset(face) for face in faces.tolist()}
    for a, b, c, d in pairs.tolist():
        assert {frozenset((a, b, c)), frozenset((a, b, d))} <= found


def test_an_edge_has_a_pair_for_any_two_of_its_faces():
    fan = np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]], np.int32)
    pairs = {(a, b, *sorted(cd)) for a, b, *cd in topology.face_pairs(fan).tolist()}
    assert pairs == {(0, 1, 2, 3), (0, 1, 2, 4), (0, 1, 3, 4)}
    assert topology.face_pairs(fan[:1]).shape == (0, 4)


@pytest.mark.data
@pytest.mark.parametrize("number", [0, 1])
def test_subdivision_matches_pytorch3d(data_dir, number):
    recorded = np.load(data_dir / "oracles" / "p3d_subdivide_sample.npz")
    level = topology.make_topology(recorded[f"in{number}/faces"])
    for name in ("verts", "feats"):
        rows = recorded[f"in{number}/{name}"]
        np.testing.assert_allclose(
            np.concatenate([rows, gather.edge_midpoints(rows, level)]),
            recorded[f"out{number}/{name}"],
            atol=1e-6,
        )
    fine = topology.subdivide(level)
    assert _oriented(fine.faces) == _oriented(recorded[f"out{number}/faces"])


@pytest.mark.data
def test_spheres_match_pytorch3d(data_dir):
    """Its icosahedron, subdivided and projected, vertex by vertex and face by face."""
    recorded = np.load(data_dir / "oracles" / "p3d_subdivide_sample.npz")
    vertices = recorded["ico0/verts"].astype(np.float64)
    level = topology.make_topology(recorded["ico0/faces"])
    for number in range(5):
        name = f"ico{number}"
        if f"{name}/verts" in recorded:
            np.testing.assert_allclose(vertices, recorded[f"{name}/verts"], atol=1e-6)
            np.testing.assert_array_equal(level.edges, recorded[f"{name}/edges"])
            expected = _oriented(recorded[f"{name}/faces"])
        else:
            tail = recorded[f"{name}/verts_tail"]
            np.testing.assert_allclose(vertices[-6:], tail, atol=1e-6)
            check = _checksums(vertices, level.faces)
            np.testing.assert_allclose(check, recorded[f"{name}/check"], rtol=1e-5)
            expected = _oriented(recorded[f"{name}/faces_tail"])
        assert expected <= _oriented(level.faces)
        assert len(expected) in (6, len(level.faces))
        vertices = np.concatenate([vertices, templates.edge_midpoints(vertices, level)])
        vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
        faces = topology.subdivide(level).faces
        centers = len(level.faces)  # its centre faces start at another corner
        faces[-centers:] = np.roll(faces[-centers:], -1, axis=1)
        level = topology.make_topology(faces)


def _checksums(vertices, faces):
    """Counts, and sums weighted by the number of the vertex and of the face."""
    numbered = np.arange(1, len(vertices) + 1) @ vertices
    faces_sum = np.arange(1, len(faces) + 1) @ faces.sum(axis=1, dtype=np.int64)
    return [len(vertices), len(faces), *numbered, faces_sum]


@pytest.mark.data
@pytest.mark.parametrize("number", [0, 1, 2])
def test_icospheres_are_those_of_pytorch3d_but_for_the_numbering(data_dir, number):
    recorded = np.load(data_dir / "oracles" / "p3d_subdivide_sample.npz")
    ours = templates.icosphere(number, 1, radius=1.0, center=(0.0, 0.0, 0.0))
    theirs = recorded[f"ico{number}/verts"]
    # Both are icosahedra; a symmetry of the cube may turn one into the other.
    distances = np.linalg.norm(ours.vertices[:, None] - theirs[None], axis=2)
    turned = np.linalg.norm(ours.vertices[:, None, [1, 0, 2]] - theirs[None], axis=2)
    if turned.min(axis=1).max() < distances.min(axis=1).max():
        distances = turned
    # PyTorch3D writes its icosahedron with five digits.
    np.testing.assert_allclose(distances.min(axis=1), 0, atol=1e-4)
    renumbered = distances.argmin(axis=1)
    edges = np.sort(renumbered[ours.levels[0].edges], axis=1)
    expected = {tuple(edge) for edge in recorded[f"ico{number}/edges"].tolist()}
    assert {tuple(edge) for edge in edges.tolist()} == expected


@pytest.mark.data
def test_edges_match_pytorch3d(data_dir):
    """Unique edges of three meshes, packed one after the other, and those of faces."""
    recorded = np.load(data_dir / "oracles" / "p3d_mesh_losses.npz")
    edges, of_faces, first_vertex, first_edge = [], [], 0, 0
    for i, count in enumerate(recorded["num_edges"]):
        faces = recorded[f"mesh{i}/faces"]
        level = topology.make_topology(faces)
        assert len(level.edges) == count
        edges.append(level.edges + first_vertex)
        opposite = [
            topology._edge_rows(level.edges, np.delete(faces, k, 1)) for k in range(3)
        ]
        of_faces.append(np.stack(opposite, axis=1) + first_edge)
        first_vertex += len(recorded[f"mesh{i}/verts"])
        first_edge += count
    np.testing.assert_array_equal(np.concatenate(edges), recorded["edges_packed"])
    np.testing.assert_array_equal(np.concatenate(of_faces), recorded["faces_to_edges"])


def _oriented(faces):
    """Triangles, started at their smallest index, as a set."""
    start = faces.argmin(axis=1)[:, None]
    turned = np.take_along_axis(faces, (start + np.arange(3)) % 3, axis=1)
    return {tuple(face) for face in turned.tolist()}
