"""The template of the released Pixel2Mesh against recorded facts about its levels.

Recorded from the published program: vertices, T1, edges, the order of unpooling.
"""

import functools
import types

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import gather, surface, templates, topology
from pixel2mesh_jax.io import dat

pytestmark = pytest.mark.data


@functools.cache
def load(path):
    return templates.from_mesh(*dat.load_ellipsoid(path))


@pytest.fixture
def ellipsoid(data_dir):
    return load(data_dir / "shapenet_sample" / "info_ellipsoid.dat")


@pytest.fixture(params=[1, 2, 3])
def level(request, ellipsoid, data_dir):
    """One level, its undeformed vertices and what is recorded of it."""
    number = request.param
    with np.load(data_dir / "oracles" / "p2m_ellipsoid.npz") as arrays:
        recorded = {
            key.removeprefix(f"L{number}/"): value
            for key, value in arrays.items()
            if key.startswith(f"L{number}/")
        }
    levels = ellipsoid.levels[:number]
    return types.SimpleNamespace(
        number=number,
        recorded=recorded,
        mesh=levels[-1],
        vertices=templates.finest_vertices(ellipsoid._replace(levels=levels)),
    )


def operator(mesh):
    """T1 in float64, as a sparse matrix."""
    laplacian = topology.normalized_laplacian(mesh.edges, len(mesh.neighbors))
    start = np.ones(laplacian.shape[0])
    largest = scipy.sparse.linalg.eigsh(laplacian, k=1, which="LA", v0=start + 0.1)[0]
    return 2 / largest[0] * laplacian - scipy.sparse.identity(laplacian.shape[0])


def test_coarse_vertices(ellipsoid, data_dir):
    with np.load(data_dir / "oracles" / "p2m_ellipsoid.npz") as recorded:
        vertices = ellipsoid.vertices.astype(np.float64)
        np.testing.assert_array_equal(vertices.min(axis=0), recorded["coord_min"])
        np.testing.assert_array_equal(vertices.max(axis=0), recorded["coord_max"])
        np.testing.assert_allclose(vertices.sum(axis=0), recorded["coord_sum"])
        np.testing.assert_allclose((vertices**2).sum(axis=0), recorded["coord_sumsq"])


def test_faces_are_the_published_ones_turned_outward(level):
    faces = level.mesh.faces.astype(np.int64)
    found = [*faces.shape, faces.sum(), faces.prod(axis=1).sum()]
    np.testing.assert_array_equal(found, level.recorded["faces_shape_sum"])
    corners = level.vertices[faces] - np.float32(templates.ELLIPSOID_CENTER)
    assert np.all(np.linalg.det(corners) > 0)
    assert topology.is_watertight(level.mesh.faces)
    volume = surface.signed_volume(level.vertices, level.mesh.faces)
    np.testing.assert_allclose(volume, 0.0430, atol=5e-5)  # its face1.obj


def test_chebyshev_operator(level):
    recorded, matrix = level.recorded, operator(level.mesh)
    values = matrix.tocoo().data
    np.testing.assert_allclose(
        [values.sum(), (values**2).sum(), matrix.trace(), values.min(), values.max()],
        recorded["t1_sum_sumsq_trace_min_max"],
        rtol=1e-12,
    )
    product = matrix @ np.sin(0.37 * np.arange(matrix.shape[0]))
    np.testing.assert_allclose(product[:32], recorded["t1_times_sin_head"], rtol=1e-11)
    np.testing.assert_allclose(
        [product.sum(), (product**2).sum()],
        recorded["t1_times_sin_sum_sumsq"],
        rtol=1e-11,
    )
    matrix = matrix.tocsr()
    for number, row in enumerate(recorded["rows"]):
        entries = matrix[[row]].tocoo()
        order = np.argsort(entries.col)
        width = len(order)
        np.testing.assert_array_equal(
            entries.col[order], recorded["t1_row_cols"][number][:width]
        )
        np.testing.assert_allclose(
            entries.data[order], recorded["t1_row_vals"][number][:width], rtol=1e-12
        )


def test_float32_operator_of_the_graph_layers(level):
    mesh, matrix = level.mesh, operator(level.mesh)
    np.testing.assert_allclose(mesh.chebyshev_diagonal, matrix.diagonal(), rtol=1e-6)
    x = np.sin(0.37 * np.arange(matrix.shape[0]))
    product = mesh.chebyshev_diagonal * x
    product = product + (mesh.chebyshev_weights * x[mesh.neighbors]).sum(axis=1)
    np.testing.assert_allclose(product, matrix @ x, atol=1e-6)


def test_edges_with_self_loops(level):
    edges = np.array(sorted(zip(*operator(level.mesh).nonzero(), strict=True)))
    a, b = edges.T.astype(np.int64)
    np.testing.assert_array_equal(edges[:8], level.recorded["edges_head"])
    hashes = [a.sum(), b.sum(), (a * b).sum()]
    hashes.append((31 * np.minimum(a, b) + np.maximum(a, b)).sum())
    np.testing.assert_array_equal(hashes, level.recorded["edges_hash"])
    num_vertices, loops = len(level.vertices), int(np.sum(a == b))
    assert loops == num_vertices
    np.testing.assert_array_equal(
        [num_vertices, len(edges), len(edges) - loops, len(edges)],
        level.recorded["V_nnz_edges"],
    )


def test_neighbors(level):
    mesh = level.mesh
    degree = mesh.neighbor_mask.sum(axis=1).astype(np.int64)
    padded = np.where(mesh.neighbor_mask > 0, mesh.neighbors, -1)
    table = np.column_stack([padded, np.arange(len(degree)), degree])
    np.testing.assert_array_equal(
        table[level.recorded["rows"]], level.recorded["lap_idx_rows"]
    )
    np.testing.assert_array_equal(table.sum(axis=0), level.recorded["lap_idx_sum"])
    histogram = np.bincount(degree, minlength=10)
    np.testing.assert_array_equal(histogram, level.recorded["degree_hist"])


def test_laplacian_coordinates_of_the_undeformed_template(level):
    offset = level.vertices - gather.neighbor_mean(level.vertices, level.mesh)
    np.testing.assert_allclose(
        offset[:4], level.recorded["laplacian_of_rest_head"], atol=1e-6
    )


def test_unpooling_keeps_the_published_order(level):
    if level.number == 3:
        assert "unpool_hash" not in level.recorded
        return
    edges = level.mesh.edges.astype(np.int64)
    a, b = edges.T
    np.testing.assert_array_equal(edges[:6], level.recorded["unpool_head"])
    np.testing.assert_array_equal(edges[-6:], level.recorded["unpool_tail"])
    row = np.arange(1, len(edges) + 1)
    hashes = [len(edges), edges.sum(), (a * b).sum(), ((a + b) * row).sum()]
    np.testing.assert_array_equal(hashes, level.recorded["unpool_hash"])


def test_unpooled_coordinates(level):
    if level.number == 1:
        return
    vertices = level.vertices.astype(np.float64)
    weighted = np.arange(len(vertices)) @ vertices
    expected = level.recorded["unpooled_coord_weighted"]
    np.testing.assert_allclose(weighted, expected, rtol=1e-6)
    np.testing.assert_allclose(
        vertices.sum(axis=0), level.recorded["unpooled_coord_sum"], rtol=1e-6
    )
    np.testing.assert_allclose(
        vertices[-4:], level.recorded["unpooled_coord_rows_last4"], rtol=1e-6
    )


def test_an_open_mesh_is_no_template(ellipsoid):
    with pytest.raises(InputError, match="closed mesh"):
        templates.from_mesh(ellipsoid.vertices, ellipsoid.levels[0].faces[1:])
