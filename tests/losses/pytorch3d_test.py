"""Losses that PyTorch3D defines: its recorded numbers, closed forms and gradients.

PyTorch3D reduces inside of its functions and knows point clouds of several lengths in
one array; here a loss is of one mesh or one pair of point sets, and a batch is a mean.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.spatial import cKDTree

from pixel2mesh_jax.geometry import templates, topology
from pixel2mesh_jax.losses import terms as losses

BALL = templates.icosphere(1, 1, radius=1.0, center=(0.0, 0.0, 0.0))
LEVEL = BALL.levels[0]
PAIRS = topology.face_pairs(LEVEL.faces)
ROUGH = BALL.vertices + 0.1 * np.random.default_rng(0).normal(size=BALL.vertices.shape)

# Name in the recorded file -> loss of (vertices, topology, pairs of faces).
MESH_LOSSES = {
    "edge_0": lambda v, level, pairs: losses.edge_length(v, level),
    "normal_consistency": lambda v, level, pairs: losses.normal_consistency(v, pairs),
}


@pytest.mark.parametrize("name", MESH_LOSSES)
def test_gradients_of_mesh_losses(name, x64):
    loss = jax.jit(lambda v: MESH_LOSSES[name](v, LEVEL, PAIRS))
    check_grads(loss, (jnp.asarray(ROUGH),), 1, ["rev"], eps=1e-6)


@pytest.mark.parametrize("name", MESH_LOSSES)
def test_a_mesh_that_is_one_point_has_finite_losses_and_gradients(name):
    point = jnp.full(ROUGH.shape, 0.25, jnp.float32)
    loss = jax.jit(jax.value_and_grad(lambda v: MESH_LOSSES[name](v, LEVEL, PAIRS)))
    value, gradient = loss(point)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", MESH_LOSSES)
def test_losses_do_not_depend_on_where_the_mesh_is(name):
    moved = ROUGH + np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(
        MESH_LOSSES[name](jnp.asarray(moved, jnp.float32), LEVEL, PAIRS),
        MESH_LOSSES[name](jnp.asarray(ROUGH, jnp.float32), LEVEL, PAIRS),
        rtol=1e-4,
    )


def test_normal_consistency_ignores_the_winding_of_faces():
    turned = np.where(np.arange(len(LEVEL.faces))[:, None] % 2, LEVEL.faces[:, ::-1], 0)
    mixed = np.where(turned.any(axis=1, keepdims=True), turned, LEVEL.faces)
    vertices = jnp.asarray(ROUGH, jnp.float32)
    np.testing.assert_allclose(
        losses.normal_consistency(vertices, topology.face_pairs(mixed)),
        losses.normal_consistency(vertices, PAIRS),
        rtol=1e-6,
    )


def test_folded_faces_disagree_and_coplanar_ones_agree():
    hinge = np.float32([[0, 0, 0], [0, 1, 0], [1, 0, 0], [-1, 0, 0]])
    pair = np.int32([[0, 1, 2, 3]])
    open_book, closed = jnp.asarray(hinge), jnp.asarray(np.abs(hinge))
    np.testing.assert_allclose(losses.normal_consistency(open_book, pair), 0)
    np.testing.assert_allclose(losses.normal_consistency(closed, pair), 2)


@pytest.mark.data
@pytest.mark.parametrize("name", MESH_LOSSES)
def test_mesh_losses_and_gradients_match_pytorch3d(data_dir, name):
    """A closed sphere, an open height field and three faces that share an edge."""
    recorded = np.load(data_dir / "oracles" / "p3d_mesh_losses.npz")
    values = []
    for i, expected in enumerate(recorded[f"{name}/single"]):
        vertices, faces = recorded[f"mesh{i}/verts"], recorded[f"mesh{i}/faces"]
        level, pairs = topology.make_topology(faces), topology.face_pairs(faces)
        loss = functools.partial(MESH_LOSSES[name], level=level, pairs=pairs)
        value, gradient = jax.jit(jax.value_and_grad(loss))(jnp.asarray(vertices))
        values.append(value)
        np.testing.assert_allclose(value, expected, rtol=1e-5)
        recorded_gradient = recorded[f"{name}/grad_mesh{i}"]
        atol = 1e-5 * np.abs(recorded_gradient).max()
        np.testing.assert_allclose(gradient / 3, recorded_gradient, atol=3 * atol)
    np.testing.assert_allclose(np.mean(values), recorded[f"{name}/batch"], rtol=1e-5)


@pytest.mark.data
def test_uniform_laplacian_matches_pytorch3d(data_dir):
    recorded = np.load(data_dir / "oracles" / "p3d_mesh_losses.npz")
    level = topology.make_topology(recorded["mesh0/faces"])
    identity = jnp.eye(len(level.neighbors))
    matrix = losses.gather.neighbor_mean(identity, level) - identity
    expected = recorded["laplacian_packed_first_mesh"]
    np.testing.assert_allclose(matrix[: len(expected)], expected, atol=1e-6)


# Case of the recorded file -> what it asks for.
CHAMFER_CASES = {
    "mean": {},
    "batch_sum": {"batch": "sum"},
    "batch_none": {"batch": "none"},
    "point_sum": {"points": "sum"},
    "lengths": {"lengths": True},
    "lengths_point_sum": {"lengths": True, "points": "sum", "batch": "sum"},
    "normals": {"normals": True},
    "normals_lengths": {"normals": True, "lengths": True},
    "single": {"single": True},
    "single_lengths_normals": {"single": True, "lengths": True, "normals": True},
    "max": {"points": "max"},
    "weights": {"weights": True},
    "weights_lengths_normals": {"weights": True, "lengths": True, "normals": True},
}


def directed(a, b, nearest, points):
    """Distance and normal term of one direction of a pair of (points, normals)."""
    distance = losses.directed_chamfer(a[0], b[0], nearest)
    normal = losses.directed_normal(a[1], b[1], nearest)
    if points == "sum":
        return len(a[0]) * distance, len(a[0]) * normal
    if points == "max":
        distance = jnp.max(jnp.sum((a[0] - b[0][nearest]) ** 2, axis=-1))
    return distance, normal


def nearest_both_ways(a, b):
    return cKDTree(b).query(a)[1], cKDTree(a).query(b)[1]


def chamfer_case(recorded, case, inputs):
    """Distance and normal term of a case, from the losses of this project."""
    wanted = {"batch": "mean", "points": "mean", **CHAMFER_CASES[case]}
    x, y, x_normals, y_normals = inputs
    both = jnp.maximum if wanted["points"] == "max" else jnp.add
    weights = recorded["weights"] if wanted.get("weights") else np.ones(len(x))
    rows = []
    for i in range(len(x)):
        n, m = x.shape[1], y.shape[1]
        if wanted.get("lengths"):
            n, m = recorded["x_lengths"][i], recorded["y_lengths"][i]
        a, b = (x[i, :n], x_normals[i, :n]), (y[i, :m], y_normals[i, :m])
        to_b, to_a = nearest_both_ways(recorded["x"][i, :n], recorded["y"][i, :m])
        ways = [(a, b, to_b), (b, a, to_a)][: 1 if wanted.get("single") else 2]
        terms = [directed(*way, wanted["points"]) for way in ways]
        rows.append(
            [weights[i] * functools.reduce(both, t) for t in zip(*terms, strict=True)]
        )
    distance, normal = (jnp.stack(column) for column in zip(*rows, strict=True))
    if wanted["batch"] == "none":
        return distance, normal
    divisor = weights.sum() if wanted["batch"] == "mean" else 1.0
    return jnp.sum(distance) / divisor, jnp.sum(normal) / divisor


@pytest.mark.data
@pytest.mark.parametrize("case", CHAMFER_CASES)
def test_chamfer_and_gradients_match_pytorch3d(data_dir, case):
    recorded = np.load(data_dir / "oracles" / "p3d_chamfer_knn.npz")
    names = ("x", "y", "x_normals", "y_normals")
    inputs = tuple(jnp.asarray(recorded[name]) for name in names)
    has_normals = f"{case}/loss_normals" in recorded

    def total(*inputs):
        distance, normal = chamfer_case(recorded, case, inputs)
        return jnp.sum(distance) + 0.3 * has_normals * jnp.sum(normal), (
            distance,
            normal,
        )

    differentiate = jax.jit(jax.grad(total, (0, 1, 2, 3), has_aux=True))
    gradients, (distance, normal) = differentiate(*inputs)
    np.testing.assert_allclose(distance, recorded[f"{case}/loss"], rtol=1e-5, atol=1e-6)
    if has_normals:
        expected = recorded[f"{case}/loss_normals"]
        np.testing.assert_allclose(normal, expected, rtol=1e-5, atol=1e-6)
    for name, gradient in zip(names, gradients, strict=True):
        if f"{case}/grad_{name}" in recorded:
            expected = recorded[f"{case}/grad_{name}"]
            np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)
    if f"{case}/grad_norms" in recorded:
        norms = [np.linalg.norm(gradient) for gradient in gradients[:2]]
        np.testing.assert_allclose(norms, recorded[f"{case}/grad_norms"], rtol=1e-5)


@pytest.mark.data
@pytest.mark.parametrize(("side", "other"), ["xy", "yx"])
def test_unreduced_chamfer_terms_match_pytorch3d(data_dir, side, other):
    recorded = np.load(data_dir / "oracles" / "p3d_chamfer_knn.npz")
    b_normals = recorded[f"{other}_normals"]
    for i in range(len(recorded["x"])):
        n, m = recorded[f"{side}_lengths"][i], recorded[f"{other}_lengths"][i]
        distances = recorded[f"point_none/dist_{side}"][i]
        normals = recorded[f"point_none/normal_{side}"][i]
        np.testing.assert_array_equal(distances[n:], 0)
        if not m:
            continue
        a, b = recorded[side][i, :n], recorded[other][i, :m]
        nearest, _ = nearest_both_ways(a, b)
        expected = np.sum((a - b[nearest]) ** 2, axis=1)
        np.testing.assert_allclose(distances[:n], expected, atol=1e-6)
        angles = jax.vmap(losses.directed_normal, (0, None, 0))(
            recorded[f"{side}_normals"][i, :n, None], b_normals[i], nearest[:, None]
        )
        np.testing.assert_allclose(normals[:n], angles, atol=1e-6)
