"""The objective of Mesh R-CNN with its voxels: what counts, and the published terms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from pixel2mesh_jax.geometry import cubify
from pixel2mesh_jax.losses import voxel_mesh as objective
from pixel2mesh_jax.structures import VoxelMeshOutputs
from tests import oracles
from tests.batches import make_batch

SHAPE = (4, 4, 4)
WEIGHTS = objective.VoxelMeshWeights(normal=0.1, num_samples=8)
KEYS = jax.random.split(jax.random.key(0), 2)
TRUE = np.random.default_rng(0).random((2, *SHAPE)) < 0.5
BATCH = make_batch(num_points=10)._replace(voxels=TRUE)


def make_outputs(occupied=TRUE, room=(150, 300)):
    """Certain voxels; each refined stage stands somewhat away from their mesh."""
    logits = np.where(occupied, 9.0, -9.0).astype(np.float32)
    make = functools.partial(
        cubify.cubify, threshold=0.0, capacity=cubify.Capacity(*room)
    )
    mesh = jax.vmap(make)(jnp.asarray(logits))
    stages = tuple(0.1 * mesh.vertices + 0.02 * stage for stage in range(3))
    return VoxelMeshOutputs(logits, mesh, stages)


@functools.partial(jax.jit, static_argnums=2)
def terms(outputs, batch=BATCH, weights=WEIGHTS, keys=KEYS):
    return objective.voxel_mesh(outputs, batch, weights, keys, threshold=0.2)


def test_all_terms_are_there_and_what_is_shown_is_right():
    found, shown = terms(make_outputs())
    assert set(found) == {"voxel", "chamfer", "edge", "normal"}
    assert all(value > 0 for value in found.values())
    expected = {"voxel_iou": 1, "meshes_counted": 1, "thresholds_raised": 0}
    assert {name: float(value) for name, value in shown.items()} == expected


def test_larger_arrays_give_the_same_terms():
    small, large = (terms(make_outputs(room=x))[0] for x in ((150, 300), (250, 600)))
    for name, value in small.items():
        np.testing.assert_allclose(value, large[name], rtol=1e-5)


def test_edges_are_those_of_the_mesh():
    outputs = make_outputs()
    expected = []
    for row in range(2):
        faces = np.asarray(outputs.mesh.faces[row])
        faces = faces[faces.any(axis=1)]
        for stage in outputs.stages[1:]:
            expected.append(oracles.edge_loss(stage[row], faces))
    found = terms(outputs)[0]["edge"]
    np.testing.assert_allclose(found, 0.2 * np.mean(expected), rtol=1e-5)


def test_a_mesh_whose_voxels_do_not_overlap_is_left_out():
    """It counts as 0, and gets no gradient."""
    wrong = TRUE.copy()
    wrong[1] = ~TRUE[1]
    outputs = make_outputs(wrong)
    both, shown = terms(outputs)
    assert shown["meshes_counted"] == 0.5
    first = BATCH._replace(weight=np.float32([1, 0]))
    np.testing.assert_allclose(
        both["chamfer"], terms(outputs, first)[0]["chamfer"] / 2, rtol=1e-5
    )

    def total(stages):
        return sum(terms(outputs._replace(stages=stages))[0].values())

    for gradient in jax.grad(total)(outputs.stages)[1:]:
        assert np.isfinite(gradient).all()
        assert np.abs(gradient[0]).max() > 0
        assert not gradient[1].any()


def test_an_empty_prediction_counts_as_nothing_even_where_that_is_true():
    empty = np.zeros_like(TRUE)
    found, shown = terms(make_outputs(empty), BATCH._replace(voxels=empty))
    assert shown["meshes_counted"] == 0
    assert found["chamfer"] == found["edge"] == 0


def test_a_mesh_that_is_not_finite_spoils_nothing_once_it_does_not_count():
    wrong = TRUE.copy()
    wrong[1] = ~TRUE[1]
    outputs = make_outputs(wrong)
    far = tuple(x.at[1].set(jnp.inf) for x in outputs.stages)
    found, _ = terms(outputs._replace(stages=far))
    assert np.isfinite(list(found.values())).all()


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_mesh_that_does_not_count_has_no_gradient_whatever_it_is(value):
    wrong = TRUE.copy()
    wrong[1] = ~TRUE[1]
    outputs = make_outputs(wrong)

    def loss(stages):
        found, _ = terms(outputs._replace(stages=stages))
        return found["chamfer"] + found["edge"] + found["normal"]

    spoilt = tuple(stage.at[1].set(value) for stage in outputs.stages)
    grads = jax.jit(jax.grad(loss))(spoilt)
    for of_stage in grads[1:]:
        assert np.isfinite(np.asarray(of_stage)).all()
        assert not np.any(of_stage[1])
        assert np.any(of_stage[0])


def test_padding_gets_no_gradient():
    outputs = make_outputs()

    def total(stages):
        return sum(terms(outputs._replace(stages=stages))[0].values())

    for gradient in jax.jit(jax.grad(total))(outputs.stages)[1:]:
        real = outputs.mesh.vertex_mask > 0
        assert np.abs(gradient[real]).max() > 0
        assert not gradient[~real].any()


def test_without_refinement_only_voxels_are_left():
    outputs = make_outputs()
    found, _ = terms(outputs._replace(stages=outputs.stages[:1]))
    assert set(found) == {"voxel"}


def test_gradients_of_the_numeric_functions(x64):
    random = np.random.default_rng(0)
    logits = jnp.asarray(random.normal(size=SHAPE))
    mesh = jax.tree.map(lambda x: x[0], make_outputs().mesh)
    vertices = jnp.asarray(random.normal(size=mesh.vertices.shape))
    check_grads(lambda x: objective.cross_entropy(x, TRUE[0]), (logits,), 1, ["rev"])
    check_grads(lambda x: objective.edge_length(x, mesh), (vertices,), 1, ["rev"])


def test_intersection_over_union():
    a, b = np.zeros((2, *SHAPE), bool)
    assert objective.intersection_over_union(a, b) == 0
    a[0, 0, :2] = b[0, 0, 1:4] = True
    assert objective.intersection_over_union(a, b) == 0.25


@pytest.mark.data
def test_the_published_loss_of_the_voxels(data_dir):
    recorded = np.load(data_dir / "oracles" / "mrcnn_mesh_loss.npz")

    def mean(logits):
        entropy = jax.vmap(objective.cross_entropy)(logits, recorded["voxel_gt"])
        return jnp.mean(entropy)

    value, gradient = jax.value_and_grad(mean)(jnp.asarray(recorded["voxel_logits"]))
    names = list(recorded["config/part_names"])
    expected = recorded["config/parts"][names.index("voxel")]
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    norm = recorded["config/grad_logits_norm"]
    np.testing.assert_allclose(np.linalg.norm(gradient), norm, rtol=1e-4)
