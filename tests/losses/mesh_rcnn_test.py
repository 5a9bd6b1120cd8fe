"""The objective of Mesh R-CNN: drawn points, means over stages and the batch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import surface, templates, topology
from pixel2mesh_jax.losses import mesh_rcnn as objective
from pixel2mesh_jax.losses import terms as losses
from pixel2mesh_jax.structures import Mesh, Outputs
from tests import oracles
from tests.batches import make_batch
from tests.cascades import row

TEMPLATE = templates.icosphere(0, 2)  # 12 -> 42 vertices
# Few points: nearest neighbours are unrolled by the compiler.
ALL = objective.MeshRCNNWeights(normal=0.1, num_samples=8)
BATCH = make_batch(num_points=10)
KEYS = jax.random.split(jax.random.key(0), 2)


def make_outputs(batch_size=2):
    rng = np.random.default_rng(0)
    meshes = []
    for level in TEMPLATE.levels:
        shape = (batch_size, len(level.neighbors), 3)
        vertices = rng.normal(0, 0.2, shape).astype(np.float32) - np.float32([0, 0, 1])
        meshes.append(Mesh(vertices, vertices, level))
    return Outputs(meshes=tuple(meshes))


@functools.partial(jax.jit, static_argnums=2)
def terms(outputs, batch, weights, keys):
    return objective.mesh_rcnn(outputs, batch, weights, keys)


def test_terms_of_given_points_are_weighted_losses():
    rng = np.random.default_rng(0)
    points, normals, true_points, true_normals = rng.normal(size=(4, 30, 3)).astype(
        np.float32
    )
    level, vertices = TEMPLATE.levels[0], TEMPLATE.vertices
    actual = objective.surface_terms(
        vertices, level, (points, normals), (true_points, true_normals), ALL
    )
    there, _ = oracles.nearest(points, true_points)
    back, _ = oracles.nearest(true_points, points)
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    normals, true_normals = unit(normals), unit(true_normals)
    disagreement = [
        np.mean([1 - abs(a @ b) for a, b in zip(normals, true_normals[there])]),  # noqa: B905
        np.mean([1 - abs(a @ b) for a, b in zip(true_normals, normals[back])]),  # noqa: B905
    ]
    expected = {
        "chamfer": oracles.chamfer(points, true_points),
        "edge": 0.2 * oracles.edge_loss(vertices, level.faces),
        "normal": 0.1 * sum(disagreement),
    }
    assert set(actual) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(actual[name], value, rtol=1e-5)


def test_a_term_of_weight_zero_is_left_out():
    default = objective.MeshRCNNWeights(num_samples=8)
    found = terms(make_outputs(), BATCH, default, KEYS)
    assert set(found) == {"chamfer", "edge"}


def test_batch_of_two_is_the_mean_of_its_samples_and_fillers_do_not_count():
    outputs, batch = make_outputs(), BATCH
    edges = []
    for weight in ([1, 0], [0, 1], [1, 1]):
        weighted = batch._replace(weight=np.float32(weight))
        edges.append(terms(outputs, weighted, ALL, KEYS)["edge"])
    np.testing.assert_allclose(edges[2], (edges[0] + edges[1]) / 2, rtol=1e-6)
    direct = [
        jax.vmap(functools.partial(losses.edge_length, topology=mesh.topology))(
            mesh.vertices
        )
        for mesh in outputs.meshes
    ]
    np.testing.assert_allclose(edges[2], 0.2 * np.mean(direct), rtol=1e-6)


def test_the_key_decides_which_points_are_drawn():
    outputs, batch = make_outputs(), BATCH
    first = terms(outputs, batch, ALL, KEYS)
    again = terms(outputs, batch, ALL, KEYS)
    others = jax.random.split(jax.random.key(1), 2)
    other = terms(outputs, batch, ALL, others)
    assert first["chamfer"] == again["chamfer"]
    assert first["chamfer"] != other["chamfer"]


def test_points_of_an_example_do_not_depend_on_the_others():
    outputs, batch = make_outputs(), BATCH
    both = terms(outputs, batch, ALL, KEYS)
    rows = [
        terms(row(outputs, i), row(batch, i), ALL, KEYS[i : i + 1])
        for i in range(len(batch.weight))
    ]
    mean = np.mean([float(found["chamfer"]) for found in rows])
    np.testing.assert_allclose(both["chamfer"], mean, rtol=1e-5)


def test_a_normal_of_length_zero_agrees_with_nothing():
    zeros, ones = jnp.zeros((3, 3)), jnp.ones((3, 3))
    nearest = jnp.arange(3)
    value = losses.directed_normal(zeros, ones, nearest)
    assert value == 1
    gradient = jax.grad(losses.directed_normal)(zeros, ones, nearest)
    assert np.isfinite(gradient).all()


def test_every_vertex_of_every_stage_gets_a_finite_gradient():
    outputs, batch = make_outputs(), BATCH

    def total(vertices):
        meshes = [
            mesh._replace(vertices=x)
            for mesh, x in zip(outputs.meshes, vertices, strict=True)
        ]
        found = objective.mesh_rcnn(Outputs(tuple(meshes)), batch, ALL, KEYS)
        return sum(found.values())

    grads = jax.jit(jax.grad(total))([mesh.vertices for mesh in outputs.meshes])
    for grad in grads:
        assert np.isfinite(grad).all()
        assert np.abs(grad).max(axis=-1).min() > 0


@pytest.mark.data
@pytest.mark.parametrize("name", ["config", "all", "edge0"])
def test_terms_and_gradients_are_those_of_the_published_loss(data_dir, name):
    recorded = np.load(data_dir / "oracles" / "mrcnn_mesh_loss.npz")
    chamfer, normal, edge, _ = map(float, recorded[f"{name}/weights"])
    weights = objective.MeshRCNNWeights(chamfer=chamfer, normal=normal, edge=edge)
    total = {}
    for mesh in range(2):
        level = topology.make_topology(recorded[f"faces{mesh}"])
        true = tuple(
            jnp.asarray(recorded[f"gt_{x}"][mesh]) for x in ("points", "normals")
        )
        run = functools.partial(_published_terms, level, true, weights)
        differentiate = jax.jit(jax.value_and_grad(run, has_aux=True))
        for stage in range(3):
            (_, found), grad = differentiate(
                recorded[f"stage{stage + 1}/verts{mesh}"],
                recorded[f"stage{stage + 1}/face_index"][mesh],
                recorded[f"stage{stage + 1}/bary"][:, mesh],
            )
            # Mean over two meshes and three stages.
            norm = recorded[f"{name}/grad_norms"][stage, mesh]
            np.testing.assert_allclose(np.linalg.norm(grad) / 6, norm, rtol=1e-4)
            for term, value in found.items():
                key = f"{term}_{stage}"
                total[key] = total.get(key, 0.0) + value / getattr(weights, term) / 2
    parts = dict(
        zip(recorded[f"{name}/part_names"], recorded[f"{name}/parts"], strict=True)
    )
    compared = {key: parts[key] for key in total}
    assert len(compared) == 3 * sum(w > 0 for w in (chamfer, normal, edge))
    for key, value in total.items():
        np.testing.assert_allclose(value, compared[key], rtol=1e-5)


def _published_terms(level, true, weights, vertices, face, bary):
    """The sum of the terms, and the terms, for the recorded samples."""
    faces = jnp.asarray(level.faces)
    corners = vertices[faces[face]]
    points = jnp.einsum("kn,nkd->nd", bary, corners)
    normals = surface.face_normals(vertices, faces)[face]
    found = objective.surface_terms(vertices, level, (points, normals), true, weights)
    return sum(found.values()), found
