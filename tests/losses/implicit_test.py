"""The losses of implicit models."""

import jax
import numpy as np
import pytest
from jax.test_util import check_grads

from pixel2mesh_jax.losses import implicit
from pixel2mesh_jax.structures import FieldOutputs
from tests.batches import make_batch

B, Q = 2, 6


def example():
    rng = np.random.default_rng(0)
    batch = make_batch(batch_size=B)._replace(
        query_distances=rng.uniform(-0.2, 0.2, (B, Q)),
        query_colors=rng.random((B, Q, 3)),
    )
    found = FieldOutputs(
        rng.uniform(-0.2, 0.2, (B, Q)), rng.random((B, Q, 3)), np.array([0.5, 0.8])
    )
    return found, batch


def by_loops(found, batch, truncation):
    distance, color = [], []
    for row in range(B):
        for query in range(Q):
            true = batch.query_distances[row, query] / found.side[row]
            true = min(max(true, -truncation), truncation)
            distance.append(abs(found.distances[row, query] - true))
            difference = found.colors[row, query] - batch.query_colors[row, query]
            color += np.abs(difference).tolist()
    return np.mean(distance), np.mean(color)


def test_terms_are_those_of_loops():
    found, batch = example()
    weights = implicit.ImplicitWeights(distance=10.0, color=0.5, truncation=0.15)
    terms = implicit.implicit_terms(found, batch, weights)
    distance, color = by_loops(found, batch, 0.15)
    np.testing.assert_allclose(terms["distance"], 10 * distance, rtol=1e-5)
    np.testing.assert_allclose(terms["color"], 0.5 * color, rtol=1e-5)


def test_rows_that_fill_the_batch_do_not_count():
    found, batch = example()
    weights = implicit.ImplicitWeights()
    first = jax.tree.map(lambda x: x[:1], (found, batch))
    batch = batch._replace(weight=np.float32([1, 0]))
    terms = implicit.implicit_terms(found, batch, weights)
    alone = implicit.implicit_terms(*first, weights)
    for name, term in terms.items():
        np.testing.assert_allclose(term, alone[name], rtol=1e-6)


def test_a_network_without_colours_has_no_loss_of_them():
    found, batch = example()
    terms = implicit.implicit_terms(
        found._replace(colors=None), batch, implicit.ImplicitWeights(color=0.0)
    )
    assert list(terms) == ["distance"]


@pytest.mark.parametrize("far", [-1.0, 1.0])
def test_beyond_the_truncation_all_distances_are_the_same(far):
    said = np.full((1, 1), 0.1 * far)
    near, farther = (
        implicit.distance_error(said, np.full((1, 1), far * x), 0.1) for x in (0.1, 3.0)
    )
    np.testing.assert_allclose(near, 0, atol=1e-7)
    np.testing.assert_allclose(farther, near)


def test_gradients(x64):
    found, batch = example()

    def total(distances, colors):
        outputs = found._replace(distances=distances, colors=colors)
        terms = implicit.implicit_terms(outputs, batch, implicit.ImplicitWeights())
        return sum(terms.values())

    check_grads(total, (found.distances, found.colors), order=1, modes=["rev"])
