"""The gather and its hand-written gradient against plain expressions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from pixel2mesh_jax.geometry import gather, templates
from tests import oracles

LEVEL = templates.ellipsoid(20, 1).levels[0]
NUM_VERTICES = len(LEVEL.neighbors)
FEATURES = [(), (3,), (2, 4)]


def features(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(NUM_VERTICES, *shape)))


def random_tables(num_in=9, num_out=6, num_entries=14):
    """A sparse matrix and its transpose as padded tables, and the dense matrix."""
    generator = np.random.default_rng(0)
    dense = np.zeros((num_out, num_in))
    dense.flat[generator.permutation(dense.size)[:num_entries]] = generator.normal(
        size=num_entries
    )
    return dense, _padded(dense), _padded(dense.T)


def _padded(dense):
    width = int((dense != 0).sum(axis=1).max())
    indices = np.zeros((len(dense), width), np.int32)
    weights = np.zeros((len(dense), width))
    for i, row in enumerate(dense):
        found = np.flatnonzero(row)
        indices[i, : len(found)], weights[i, : len(found)] = found, row[found]
    return indices, weights


# (rows in, rows out, entries): few columns, and many in both tables.
NARROW, WIDE = (9, 6, 14), (13, 12, 150)


def test_tables_are_narrow_and_wide():
    for size, is_wide in ((NARROW, False), (WIDE, True)):
        for indices, _ in random_tables(*size)[1:]:
            assert (indices.shape[1] > gather.MAX_UNROLLED) == is_wide


@pytest.mark.parametrize("size", [NARROW, WIDE])
@pytest.mark.parametrize("shape", FEATURES)
def test_gather_is_a_matrix_product_and_its_gradient_the_transpose(shape, size, x64):
    dense, forward, backward = random_tables(*size)
    x = jnp.asarray(np.random.default_rng(1).normal(size=(size[0], *shape)))
    y, pull = jax.vjp(lambda x: gather.weighted_gather(x, *forward, *backward), x)
    np.testing.assert_allclose(y, np.tensordot(dense, x, 1), atol=1e-12)
    cotangent = jnp.asarray(np.random.default_rng(2).normal(size=y.shape))
    np.testing.assert_allclose(
        pull(cotangent)[0], np.tensordot(dense.T, cotangent, 1), atol=1e-12
    )


# The same operators, written so that JAX differentiates them itself.
PLAIN = {
    gather.edge_midpoints: lambda x: x[LEVEL.edges].mean(axis=1),
    gather.edge_vectors: lambda x: x[LEVEL.edges[:, 0]] - x[LEVEL.edges[:, 1]],
    gather.neighbor_mean: lambda x: jnp.stack(
        [x[np.array(ring)].mean(axis=0) for ring in oracles.neighbors(LEVEL.faces)]
    ),
}


@pytest.mark.parametrize("operator", PLAIN, ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", FEATURES)
def test_operators_and_gradients_equal_the_plain_expression(operator, shape, x64):
    x = features(shape)
    y, pull = jax.vjp(lambda x: operator(x, LEVEL), x)
    expected, expected_pull = jax.vjp(PLAIN[operator], x)
    np.testing.assert_allclose(y, expected, atol=1e-6)  # masks are float32
    cotangent = jnp.asarray(np.random.default_rng(1).normal(size=y.shape))
    np.testing.assert_allclose(
        pull(cotangent)[0], expected_pull(cotangent)[0], atol=1e-6
    )


@pytest.mark.parametrize("operator", PLAIN, ids=lambda f: f.__name__)
def test_gradients(operator, x64):
    check_grads(lambda x: operator(x, LEVEL) ** 2, (features((3,)),), 1, ["rev"])


@pytest.mark.parametrize("operator", PLAIN, ids=lambda f: f.__name__)
def test_topology_may_be_an_argument_of_a_compiled_function(operator):
    x = features((3,)).astype(jnp.float32)

    def loss(x, level):
        return jnp.sum(operator(x, level) ** 2)

    expected = jax.grad(lambda x: jnp.sum(PLAIN[operator](x) ** 2))(x)
    actual = jax.jit(jax.grad(loss))(x, LEVEL)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize("operator", PLAIN, ids=lambda f: f.__name__)
def test_a_batch_is_a_vmap(operator):
    x = jnp.stack([features((3,)), features((3,), seed=1)])
    together = jax.vmap(lambda x: operator(x, LEVEL))(x)
    np.testing.assert_allclose(together[1], operator(x[1], LEVEL), atol=1e-6)


def test_results_keep_the_precision_of_the_features():
    x = features((3,)).astype(jnp.bfloat16)
    assert gather.neighbor_mean(x, LEVEL).dtype == jnp.bfloat16
