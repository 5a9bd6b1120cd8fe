"""Which points a view does not show, and scores of those alone."""

import numpy as np

from pixel2mesh_jax.evaluation import hidden, metrics
from tests.views_of_solids import CENTER, SOLIDS, see


def points_on_the_sphere(count=4000):
    directions = np.random.default_rng(0).normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return CENTER + 0.2 * directions, directions


def test_the_far_side_of_a_sphere_is_hidden():
    view = see(SOLIDS["sphere"])
    points, normals = points_on_the_sphere()
    cosine = -np.sum(normals * points, axis=1) / np.linalg.norm(points, axis=1)
    found = hidden.is_hidden(points, view.depth, view.intrinsics)
    assert not found[cosine > 0.6].any()
    assert found[cosine < -0.1].all()


def test_what_lies_outside_of_the_image_is_hidden():
    view = see(SOLIDS["sphere"])
    aside = np.array([[5.0, 0.0, -0.8], [0.0, -5.0, -0.8]])
    assert hidden.is_hidden(aside, view.depth, view.intrinsics).all()


def test_visible_side_alone_scores_nothing_of_the_hidden():
    view = see(SOLIDS["sphere"])
    true, _ = points_on_the_sphere()
    is_hidden = hidden.is_hidden(true, view.depth, view.intrinsics)
    half, whole = true[~is_hidden], true
    for predicted, recall in ((half, 0.1), (whole, 1.0)):
        matches = metrics.match(predicted, true)
        own = hidden.is_hidden(predicted, view.depth, view.intrinsics)
        scores = hidden.hidden_scores(matches, own, is_hidden, 1e-4)
        assert scores.recall <= recall + 1e-9
        assert np.isnan(scores.precision) == (predicted is half)
    assert scores == (1.0, 1.0)


def test_inventions_behind_cost_precision_only():
    view = see(SOLIDS["sphere"])
    true, _ = points_on_the_sphere()
    ghost = true[:400] - [0, 0, 0.6]
    predicted = np.concatenate([true, ghost])
    matches = metrics.match(predicted, true)
    flags = [
        hidden.is_hidden(p, view.depth, view.intrinsics) for p in (predicted, true)
    ]
    scores = hidden.hidden_scores(matches, *flags, 1e-4)
    assert scores.recall == 1.0
    np.testing.assert_allclose(
        scores.precision, flags[1].sum() / (flags[1].sum() + 400), rtol=1e-9
    )
