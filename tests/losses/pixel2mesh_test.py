"""The losses of Pixel2Mesh: the sum over stages, the mean over the batch, the weights.

As released, against the recorded program; as printed, against naive loops.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import topology
from pixel2mesh_jax.losses import terms as losses
from pixel2mesh_jax.losses.pixel2mesh import (
    Pixel2MeshWeights,
    pixel2mesh,
    pixel2mesh_printed,
)
from pixel2mesh_jax.losses.stages import FourLossWeights
from pixel2mesh_jax.structures import Mesh, Outputs
from tests import oracles
from tests.cascades import TEMPLATE, batch_of, random, random_batch, random_outputs, row

WEIGHTS = Pixel2MeshWeights()
LAMBDAS = FourLossWeights(chamfer=1.0, edge=0.1, normal=1.6e-4, laplacian=0.3)
TERMS = {"chamfer", "edge", "normal", "laplacian", "move"}

edge = jax.jit(functools.partial(losses.edge_length, count_self_loops=True))
normal = jax.jit(functools.partial(losses.normal, count_self_loops=True))


def objective(outputs, batch, weights=WEIGHTS):
    return compiled(outputs, batch, weights)


@jax.jit
def compiled(outputs, batch, weights):
    """One program for all values of the weights."""
    weights = weights._replace(count_self_loops=True)
    return pixel2mesh(outputs, batch, weights)


def test_terms_are_weighted_losses_summed_over_the_stages():
    outputs, batch = random_outputs(1), random_batch(1)
    points, normals = batch.points[0], batch.normals[0]
    expected = dict.fromkeys(TERMS, 0.0)
    for stage, mesh in enumerate(outputs.meshes):
        vertices, rest = mesh.vertices[0], mesh.rest[0]
        to_point, _ = oracles.nearest(vertices, points)
        to_vertex, _ = oracles.nearest(points, vertices)
        expected["chamfer"] += 3000 * (
            losses.directed_chamfer(points, vertices, to_vertex)
            + 0.55 * losses.directed_chamfer(vertices, points, to_point)
        )
        expected["edge"] += 300 * edge(vertices, mesh.topology)
        expected["normal"] += 0.5 * normal(vertices, mesh.topology, normals[to_point])
        expected["laplacian"] += (150, 1500, 1500)[stage] * losses.laplacian(
            vertices, rest, mesh.topology
        )
        if stage > 0:
            expected["move"] += 100 * losses.move(vertices, rest)
    actual = objective(outputs, batch)
    assert set(actual) == TERMS
    for name in TERMS:
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-5)


def test_a_batch_of_two_is_the_mean_of_two_singles():
    outputs, batch = random_outputs(2), random_batch(2)
    together = objective(outputs, batch)
    singles = [objective(row(outputs, i), row(batch, i)) for i in range(2)]
    for name, value in together.items():
        mean = (singles[0][name] + singles[1][name]) / 2
        np.testing.assert_allclose(value, mean, rtol=1e-5)


def test_filling_rows_do_not_count():
    outputs = random_outputs(2)
    actual = objective(outputs, random_batch(2, weight=[0, 1]))
    expected = objective(row(outputs, 1), row(random_batch(2), 1))
    for name, value in actual.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5)


@pytest.mark.parametrize("name", sorted(TERMS - {"chamfer"}))
def test_a_weight_scales_its_own_term_only(name):
    outputs, batch = random_outputs(1), random_batch(1)
    before = objective(outputs, batch)
    doubled = WEIGHTS._replace(**{name: 2 * getattr(WEIGHTS, name)})
    after = objective(outputs, batch, doubled)
    for term in TERMS:
        factor = 2 if term == name else 1
        np.testing.assert_allclose(after[term], factor * before[term], rtol=1e-6)


def test_colors_are_compared_with_the_nearest_surface_point():
    outputs, batch = random_outputs(1, colors=True), random_batch(1)
    outputs = Outputs(meshes=outputs.meshes[:1])
    terms = objective(outputs, batch, WEIGHTS._replace(color=2.0))
    mesh = outputs.meshes[0]
    index, _ = oracles.nearest(mesh.vertices[0], batch.points[0])
    expected = 2 * np.abs(mesh.colors[0] - batch.colors[0][index]).mean()
    np.testing.assert_allclose(terms["color"], expected, rtol=1e-5)


def test_perfect_prediction_leaves_only_regularisation_of_the_shape():
    level = TEMPLATE.levels[-1]
    vertices = random(1, len(level.neighbors), 3)
    outputs = Outputs(meshes=(Mesh(vertices, vertices, level),))
    terms = objective(outputs, batch_of(vertices, random(*vertices.shape, seed=1)))
    assert terms["chamfer"] == terms["laplacian"] == 0
    assert "move" not in terms
    assert terms["edge"] > 0


def test_collapsed_meshes_have_finite_gradients():
    def total(scale):
        outputs = random_outputs(1)
        meshes = tuple(m._replace(vertices=scale * m.vertices) for m in outputs.meshes)
        return sum(objective(Outputs(meshes=meshes), random_batch(1)).values())

    assert np.isfinite(jax.jit(jax.grad(total))(0.0))


@pytest.mark.parametrize("name", sorted(TERMS - {"move"}))
def test_factors_per_stage_choose_the_stages_of_a_term(name):
    """The terms of the stages add up; the last factor serves further stages."""
    outputs, batch = random_outputs(1), random_batch(1)
    weights = WEIGHTS._replace(laplacian_stages=(1.0, 1.0, 1.0))
    parts = []
    for factors in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 1.0)):
        chosen = weights._replace(**{f"{name}_stages": factors})
        parts.append(objective(outputs, batch, chosen)[name])
    whole = objective(outputs, batch, weights)[name]
    np.testing.assert_allclose(sum(parts[:3]), whole, rtol=1e-5)
    np.testing.assert_allclose(parts[3], parts[1] + parts[2], rtol=1e-5)


def test_factors_of_all_terms_choose_the_stages():
    outputs, batch = random_outputs(1), random_batch(1)
    only = objective(outputs, batch, WEIGHTS._replace(stages=(1.0, 0.0, 0.0)))
    first = objective(Outputs(meshes=outputs.meshes[:1]), batch)
    for name in sorted(TERMS - {"move"}):
        np.testing.assert_allclose(only[name], first[name], rtol=1e-5)
    assert only["move"] == 0


def test_printed_losses_are_the_sums_of_the_paper():
    outputs, batch = random_outputs(1), random_batch(1)
    points, normals = batch.points[0], batch.normals[0]
    expected = dict.fromkeys(("chamfer", "edge", "normal", "laplacian"), 0.0)
    for mesh in outputs.meshes:
        vertices, rest = mesh.vertices[0], mesh.rest[0]
        faces = np.asarray(mesh.topology.faces)
        pairs = len(oracles.directed_edges(faces))
        _, to_point = oracles.nearest(vertices, points)
        _, to_vertex = oracles.nearest(points, vertices)
        expected["chamfer"] += np.sum(to_point) + np.sum(to_vertex)
        expected["edge"] += 0.1 * pairs * oracles.edge_loss(vertices, faces)
        expected["normal"] += (
            1.6e-4
            * pairs
            * oracles.squared_normal_loss(vertices, faces, points, normals)
        )
        change = oracles.laplacian_loss(vertices, rest, faces)
        expected["laplacian"] += 0.3 * len(vertices) * change
    actual = jax.jit(pixel2mesh_printed)(outputs, batch, LAMBDAS)
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(actual[name], value, rtol=1e-4)


PUBLISHED = Pixel2MeshWeights(
    chamfer=1.0,
    chamfer_opposite=1.0,
    edge=0.3,
    normal=1.6e-4,
    laplacian=0.5,
    laplacian_stages=(0.2, 1.0, 1.0),
    move=0.1,
)
PUBLISHED_WEIGHTS = {
    "default": PUBLISHED,
    "resnetyml": PUBLISHED._replace(chamfer_opposite=0.55, edge=0.1, move=0.033),
}


def recorded_meshes(recorded, path):
    levels = [topology.make_topology(*level) for level in oracles.released_levels(path)]
    return tuple(
        Mesh(
            jnp.asarray(recorded[f"pred_{stage}"]),
            jnp.asarray(recorded[f"before_{stage}"]),
            level,
        )
        for stage, level in enumerate(levels, start=1)
    )


@pytest.mark.data
def test_objective_and_gradients_match_the_published_program(data_dir):
    recorded = np.load(data_dir / "oracles" / "p2m_losses.npz")
    meshes = recorded_meshes(
        recorded, data_dir / "shapenet_sample" / "info_ellipsoid.dat"
    )
    batch = batch_of(
        jnp.asarray(recorded["gt_points"]), jnp.asarray(recorded["gt_normals"])
    )

    @jax.jit
    def terms_and_gradients(moving, weights):
        def total(moving):
            moved = tuple(
                mesh._replace(vertices=vertices, rest=rest)
                for mesh, (vertices, rest) in zip(meshes, moving, strict=True)
            )
            terms = objective(Outputs(meshes=moved), batch, weights)
            return sum(terms.values()), terms

        return jax.value_and_grad(total, has_aux=True)(moving)

    moving = [(mesh.vertices, mesh.rest) for mesh in meshes]
    for name, weights in PUBLISHED_WEIGHTS.items():
        (total, terms), gradients = terms_and_gradients(moving, weights)
        order = ("chamfer", "edge", "laplacian", "move", "normal")
        np.testing.assert_allclose(
            [terms[term] for term in order],
            recorded[f"loss_{name}_weighted"],
            rtol=1e-5,
        )
        np.testing.assert_allclose(total, recorded[f"loss_{name}_total"], rtol=1e-5)
        for column, part in enumerate(("pred", "before")):
            norms = [jnp.linalg.norm(pair[column].ravel()) for pair in gradients]
            np.testing.assert_allclose(
                norms, recorded[f"grad_{name}_{part}_norms"], rtol=1e-3
            )
        if name == "default":
            for stage, (gradient, _) in enumerate(gradients, start=1):
                expected = recorded[f"grad_default_pred_{stage}"]
                # A nearest neighbour may flip in float32: allow a few rows.
                wrong = np.abs(gradient - expected).max(axis=-1) > 1e-6
                assert wrong.mean() < 1e-3
