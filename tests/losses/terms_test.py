"""Losses against naive loops, recorded numbers of the published program, gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from jax.test_util import check_grads

from pixel2mesh_jax.geometry import gather, templates, topology
from pixel2mesh_jax.geometry.nearest import nearest_index
from pixel2mesh_jax.losses import terms as losses
from tests import oracles
from tests.recorded_terms import stage_terms

LEVEL = templates.ellipsoid(14, 1).levels[0]
# Rows of the released edge list: both directions, and every vertex to itself.
SHARE_OF_EDGES = 2 * len(LEVEL.edges) / (2 * len(LEVEL.edges) + len(LEVEL.neighbors))


def points(num_points=14, seed=0):
    return np.random.default_rng(seed).normal(size=(num_points, 3))


VERTICES, REST = points(), points(seed=1)
SURFACE, NORMALS = points(40, seed=2), points(40, seed=3)


# True normal nearest to each of VERTICES; no particular length or sign.
NEAREST_NORMALS = NORMALS[oracles.nearest(VERTICES, SURFACE)[0]]


@jax.jit
def chamfer(a, b):
    """Both directions, as in the objective."""
    return losses.directed_chamfer(a, b, nearest_index(a, b)) + losses.directed_chamfer(
        b, a, nearest_index(b, a)
    )


def test_chamfer_matches_naive_loops(x64):
    np.testing.assert_allclose(
        chamfer(VERTICES, SURFACE), oracles.chamfer(VERTICES, SURFACE), rtol=1e-10
    )


def test_edge_length_matches_naive_loops(x64):
    expected = oracles.edge_loss(VERTICES, LEVEL.faces)
    np.testing.assert_allclose(losses.edge_length(VERTICES, LEVEL), expected, rtol=1e-6)


def test_normal_matches_naive_loops(x64):
    expected = oracles.normal_loss(VERTICES, LEVEL.faces, SURFACE, NORMALS)
    actual = losses.normal(VERTICES, LEVEL, NEAREST_NORMALS)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_squared_normal_matches_naive_loops(x64):
    expected = oracles.squared_normal_loss(VERTICES, LEVEL.faces, SURFACE, NORMALS)
    actual = losses.squared_normal(VERTICES, LEVEL, NEAREST_NORMALS)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_normal_angle_matches_trimesh(x64):
    mesh = trimesh.Trimesh(VERTICES, LEVEL.faces, process=False)
    areas = np.repeat(mesh.area_faces[:, None], 3, axis=1)
    normals = trimesh.geometry.weighted_vertex_normals(
        len(VERTICES), mesh.faces, mesh.face_normals, areas
    )
    unit = NEAREST_NORMALS / np.linalg.norm(NEAREST_NORMALS, axis=1, keepdims=True)
    expected = 1 - np.abs(np.sum(normals * unit, axis=1)).mean()
    actual = losses.normal_angle(VERTICES, LEVEL, NEAREST_NORMALS)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_smoothness_matches_naive_loops(x64):
    offsets = oracles.laplacian_coordinates(VERTICES, LEVEL.faces)
    expected = np.mean(np.sum(offsets**2, axis=1))
    np.testing.assert_allclose(losses.smoothness(VERTICES, LEVEL), expected, rtol=1e-6)


def test_reconstruction_is_summed_cross_entropy_plus_mean_difference(x64):
    rng = np.random.default_rng(0)
    predicted, true = rng.uniform(0.01, 0.99, (2, 4, 5, 3))
    expected = oracles.cross_entropy(predicted, true) + np.mean(abs(predicted - true))
    actual = losses.reconstruction(predicted, true)
    np.testing.assert_allclose(actual, expected, rtol=1e-10)


def test_reconstruction_is_finite_where_the_prediction_saturates():
    true = jnp.array([0.0, 1.0, 0.0, 1.0])
    predicted = jnp.array([0.0, 1.0, 1.0, 0.0])
    value, gradient = jax.value_and_grad(losses.reconstruction)(predicted, true)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    assert (
        losses.reconstruction(true, true) < 1e-4 < losses.reconstruction(true, 1 - true)
    )


def test_laplacian_matches_naive_loops(x64):
    expected = oracles.laplacian_loss(VERTICES, REST, LEVEL.faces)
    actual = losses.laplacian(VERTICES, REST, LEVEL)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_move_matches_naive_loops(x64):
    np.testing.assert_allclose(
        losses.move(VERTICES, REST), oracles.move_loss(VERTICES, REST)
    )


def test_counting_self_loops_scales_the_means_over_edges(x64):
    for loss in (
        functools.partial(losses.edge_length, VERTICES, LEVEL),
        functools.partial(losses.normal, VERTICES, LEVEL, NEAREST_NORMALS),
    ):
        np.testing.assert_allclose(
            loss(count_self_loops=True), SHARE_OF_EDGES * loss(), rtol=1e-12
        )


def test_share_of_true_edges_in_the_released_file():
    for level, share in zip(
        templates.ellipsoid().levels, (0.8556, 0.8567, 0.8570), strict=True
    ):
        rows = 2 * len(level.edges)
        np.testing.assert_allclose(
            rows / (rows + len(level.neighbors)), share, atol=1e-4
        )


def test_normal_ignores_sign_and_length_of_the_normals(x64):
    normals = NEAREST_NORMALS
    expected = losses.normal(VERTICES, LEVEL, normals)
    np.testing.assert_allclose(
        losses.normal(VERTICES, LEVEL, -7.0 * normals), expected, rtol=1e-10
    )


@pytest.mark.parametrize("loss", [losses.squared_normal, losses.normal_angle])
def test_other_normal_losses_ignore_sign_and_length_of_the_normals(loss, x64):
    signs = np.where(np.arange(len(VERTICES)) % 2, 3.0, -1.0)
    np.testing.assert_allclose(
        loss(VERTICES, LEVEL, signs[:, None] * NEAREST_NORMALS),
        loss(VERTICES, LEVEL, NEAREST_NORMALS),
        rtol=1e-6,
    )


def test_normal_is_zero_for_a_plane_and_its_normal():
    flat = VERTICES * [1, 1, 0]
    up = np.tile([0.0, 0.0, 1.0], (len(flat), 1))
    np.testing.assert_allclose(losses.normal(flat, LEVEL, up), 0, atol=1e-6)


def test_laplacian_ignores_a_translation_and_move_does_not():
    moved = REST + np.array([[0.1, 0.2, 0.2]])
    np.testing.assert_allclose(losses.laplacian(moved, REST, LEVEL), 0, atol=1e-12)
    np.testing.assert_allclose(losses.move(moved, REST), 0.09, rtol=1e-5)


def test_numbering_of_the_points_does_not_matter():
    shuffled = np.random.default_rng(5).permutation(SURFACE)
    np.testing.assert_allclose(
        chamfer(VERTICES, shuffled), chamfer(VERTICES, SURFACE), rtol=1e-6
    )


def test_color_is_the_mean_absolute_difference():
    a, b = np.full((4, 3), 0.75, np.float32), np.full((4, 3), 0.5, np.float32)
    np.testing.assert_allclose(losses.color(a, b), 0.25)


def test_squared_norm_is_half_the_sum_of_squares_of_all_leaves():
    tree = {"a": jnp.array([1.0, 2.0]), "b": {"c": jnp.array([[3.0]])}}
    np.testing.assert_allclose(losses.squared_norm(tree), 7.0)


# Name -> loss of the vertices alone; what is nearest is decided at VERTICES.
TRAINED_THROUGH = {
    "chamfer": lambda v: chamfer(v, SURFACE.astype(v.dtype)),
    "edge": lambda v: losses.edge_length(v, LEVEL),
    "normal": lambda v: losses.normal(v, LEVEL, NEAREST_NORMALS.astype(v.dtype)),
    "laplacian": lambda v: losses.laplacian(v, REST.astype(v.dtype), LEVEL),
    "move": lambda v: losses.move(v, REST.astype(v.dtype)),
    "squared_normal": lambda v: losses.squared_normal(
        v, LEVEL, NEAREST_NORMALS.astype(v.dtype)
    ),
    "normal_angle": lambda v: losses.normal_angle(
        v, LEVEL, NEAREST_NORMALS.astype(v.dtype)
    ),
    "smoothness": lambda v: losses.smoothness(v, LEVEL),
}


@pytest.mark.parametrize("name", TRAINED_THROUGH)
def test_gradients(name, x64):
    loss = jax.jit(TRAINED_THROUGH[name])
    check_grads(loss, (jnp.asarray(VERTICES),), 1, ["rev"], eps=1e-6)


@pytest.mark.parametrize("name", ["laplacian", "move"])
def test_gradients_reach_the_mesh_before_the_stage(name, x64):
    loss = {
        "laplacian": lambda rest: losses.laplacian(VERTICES, rest, LEVEL),
        "move": lambda rest: losses.move(VERTICES, rest),
    }[name]
    check_grads(jax.jit(loss), (jnp.asarray(REST),), 1, ["rev"])


@pytest.mark.parametrize("name", TRAINED_THROUGH)
def test_coincident_vertices_have_finite_losses_and_gradients(name):
    collapsed = jnp.broadcast_to(jnp.array([[0.1, 0.2, -0.8]]), VERTICES.shape)
    value, gradient = jax.jit(jax.value_and_grad(TRAINED_THROUGH[name]))(collapsed)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_zero_normals_have_finite_gradients():
    gradient = jax.jit(jax.grad(losses.normal))(
        jnp.asarray(VERTICES, jnp.float32), LEVEL, jnp.zeros(VERTICES.shape)
    )
    np.testing.assert_array_equal(gradient, 0)


def test_points_on_the_mesh_have_zero_chamfer_and_gradient():
    vertices = jnp.asarray(VERTICES, jnp.float32)
    value, gradient = jax.value_and_grad(chamfer)(vertices, vertices)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.data
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_terms_match_the_published_losses(data_dir, stage, x64):
    """Chamfer to and from the truth, edge, Laplacian, move, normal; float64."""
    recorded = np.load(data_dir / "oracles" / "p2m_losses.npz")
    path = data_dir / "shapenet_sample" / "info_ellipsoid.dat"
    level = topology.make_topology(*oracles.released_levels(path)[stage])
    inputs = (
        recorded[f"pred_{stage + 1}"].astype(np.float64),
        recorded[f"before_{stage + 1}"].astype(np.float64),
        recorded["gt_points"].astype(np.float64),
        recorded["gt_normals"].astype(np.float64),
    )
    actual = stage_terms(stage, *inputs, level)
    expected = recorded["terms_f64"][stage]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)  # masks are float32


@pytest.mark.data
@pytest.mark.parametrize("stage", [0, 1, 2])
def test_nearest_points_match_the_published_program(data_dir, stage):
    recorded = np.load(data_dir / "oracles" / "p2m_losses.npz")
    vertices, points = recorded[f"pred_{stage + 1}"], recorded["gt_points"]
    indices = jax.jit(jax.vmap(nearest_index))(vertices, points)
    for i, index in enumerate(np.asarray(indices)):
        expected = recorded[f"nearest_gt_index_{stage + 1}"][i]
        np.testing.assert_allclose(
            np.sum((vertices[i] - points[i, index]) ** 2, axis=1),
            np.sum((vertices[i] - points[i, expected]) ** 2, axis=1),
            rtol=1e-5,
            atol=1e-9,
        )


# Name -> (stage, unweighted term of a batch that is recorded with its gradient).
SINGLE_TERMS = {
    "grad_edge_block1": (
        1,
        lambda v, *_, level: losses.edge_length(v, level, count_self_loops=True),
    ),
    "grad_laplace_block1": (
        1,
        lambda v, rest, *_, level: losses.laplacian(v, rest, level),
    ),
    "grad_move_block2": (2, lambda v, rest, *_, level: losses.move(v, rest)),
    "grad_normal_block1": (
        1,
        lambda v, _, p, n, level: losses.normal(
            v, level, n[nearest_index(v, p)], count_self_loops=True
        ),
    ),
}


@pytest.mark.data
@pytest.mark.parametrize("name", SINGLE_TERMS)
def test_gradients_of_single_terms_match_the_published_program(data_dir, name, x64):
    recorded = np.load(data_dir / "oracles" / "p2m_losses.npz")
    path = data_dir / "shapenet_sample" / "info_ellipsoid.dat"
    stage, term = SINGLE_TERMS[name]
    level = topology.make_topology(*oracles.released_levels(path)[stage - 1])
    keys = (f"pred_{stage}", f"before_{stage}", "gt_points", "gt_normals")
    inputs = [jnp.asarray(recorded[key], jnp.float64) for key in keys]

    def batch_mean(vertices, *others):
        terms = jax.vmap(functools.partial(term, level=level))
        return jnp.mean(terms(vertices, *others))

    gradient = jax.jit(jax.grad(batch_mean))(*inputs)
    np.testing.assert_allclose(gradient, recorded[name], rtol=1e-5, atol=1e-9)


@pytest.mark.data
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_laplacian_coordinates_match_the_published_program(data_dir, stage, x64):
    recorded = np.load(data_dir / "oracles" / "p2m_losses.npz")
    path = data_dir / "shapenet_sample" / "info_ellipsoid.dat"
    level = topology.make_topology(*oracles.released_levels(path)[stage - 1])
    vertices = recorded[f"pred_{stage}"].astype(np.float64)
    means = jax.vmap(lambda v: gather.neighbor_mean(v, level))(vertices)
    expected = recorded[f"laplace_coord_pred_{stage}_head"]
    np.testing.assert_allclose((vertices - means)[:, :8], expected, atol=1e-7)


@pytest.mark.data
def test_chamfer_and_gradient_match_pytorch3d(data_dir):
    recorded = np.load(data_dir / "oracles" / "p3d_chamfer_knn.npz")
    x, y = jnp.asarray(recorded["x"]), jnp.asarray(recorded["y"])

    def loss(x, y):
        return jnp.mean(jax.vmap(chamfer)(x, y))

    value, gradients = jax.jit(jax.value_and_grad(loss, (0, 1)))(x, y)
    np.testing.assert_allclose(value, recorded["mean/loss"], rtol=1e-5)
    np.testing.assert_allclose(gradients[0], recorded["mean/grad_x"], atol=1e-6)
    np.testing.assert_allclose(gradients[1], recorded["mean/grad_y"], atol=1e-6)
