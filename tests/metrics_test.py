"""Metrics against naive loops, closed forms and recorded numbers."""

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from pixel2mesh_jax import metrics
from pixel2mesh_jax.geometry import templates
from tests import oracles


def random_points(num_points, seed=0):
    return np.random.default_rng(seed).normal(size=(num_points, 3))


def sphere(radius, num_points=4000):
    return radius * templates.fibonacci_sphere(num_points)


@pytest.mark.parametrize(("num_a", "num_b"), [(1, 1), (7, 9), (40, 3)])
def test_metrics_match_naive_loops(num_a, num_b):
    a, b = random_points(num_a), random_points(num_b, seed=1)
    np.testing.assert_allclose(
        metrics.nearest_squared_distances(a, b), oracles.nearest(a, b)[1]
    )
    np.testing.assert_allclose(metrics.chamfer_distance(a, b), oracles.chamfer(a, b))
    for threshold in (0.1, 1.0, 10.0):
        np.testing.assert_allclose(
            metrics.f_score(a, b, threshold), oracles.f_score(a, b, threshold)
        )


def test_a_shape_equals_itself_in_any_order():
    points = random_points(50)
    shuffled = np.random.default_rng(1).permutation(points)
    assert metrics.chamfer_distance(points, shuffled) == 0
    assert metrics.f_score(points, shuffled, 0.0) == 1


def test_order_of_the_points_does_not_matter():
    a, b = random_points(30), random_points(40, seed=1)
    shuffled = np.random.default_rng(2).permutation(a)
    np.testing.assert_allclose(
        metrics.chamfer_distance(shuffled, b), metrics.chamfer_distance(a, b)
    )
    assert metrics.f_score(shuffled, b, 0.5) == metrics.f_score(a, b, 0.5)


def test_concentric_spheres_are_twice_the_squared_gap_apart():
    # Points of the two lattices lie on the same rays.
    inner, outer = sphere(0.20), sphere(0.21)
    np.testing.assert_allclose(metrics.chamfer_distance(inner, outer), 2 * 0.01**2)
    assert metrics.f_score(inner, outer, 0.99e-4) == 0
    assert metrics.f_score(inner, outer, 1.01e-4) == 1


def test_threshold_is_squared_and_inclusive():
    a, b = np.zeros((1, 3)), np.array([[0.0, 0.0, 0.5]])
    assert metrics.f_score(a, b, 0.25) == 1
    assert metrics.f_score(a, b, 0.2499) == 0


def test_precision_and_recall_are_combined_harmonically():
    predicted = np.array([[0.0, 0, 0], [9.0, 0, 0]])  # one of two is right
    true = np.array([[0.0, 0, 0]])  # and all is found
    np.testing.assert_allclose(metrics.f_score(predicted, true, 0.1), 2 / 3)


def test_score_collects_all_metrics():
    a, b = sphere(0.2, 500), sphere(0.21, 600)
    assert metrics.score(cKDTree(a), cKDTree(b)) == {
        "chamfer": metrics.chamfer_distance(a, b),
        "f_score_1e-4": metrics.f_score(a, b, 1e-4),
        "f_score_2e-4": metrics.f_score(a, b, 2e-4),
    }


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        metrics.chamfer_distance(np.full((2, 3), np.nan), random_points(4))


def test_protocols():
    mesh = trimesh.creation.box((1.0, 1.0, 1.0))
    vertices, faces = mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32)
    np.testing.assert_array_equal(
        metrics.PROTOCOLS["pixel2mesh"](vertices, faces), vertices
    )
    points = metrics.PROTOCOLS["surface"](vertices, faces)
    assert points.shape == (10_000, 3)
    np.testing.assert_allclose(np.abs(points).max(axis=1), 0.5, atol=1e-6)
    np.testing.assert_array_equal(points, metrics.PROTOCOLS["surface"](vertices, faces))


def test_surface_protocol_does_not_depend_on_the_triangulation():
    box = trimesh.creation.box((1.0, 1.0, 1.0))
    crowded = box.subdivide(face_index=[0, 1, 2]).subdivide(face_index=[0, 1, 2])
    true = box.sample(5_000, seed=0)
    values = [
        metrics.chamfer_distance(
            metrics.PROTOCOLS["surface"](
                mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32)
            ),
            true,
        )
        for mesh in (box, crowded)
    ]
    np.testing.assert_allclose(values[0], values[1], rtol=0.05)


ROWS = [
    ("chair", {"chamfer": 1.0, "f": 0.5}),
    ("lamp", {"chamfer": 4.0, "f": 0.1}),
    ("chair", {"chamfer": 2.0, "f": 0.7}),
]


def test_aggregate_weighs_by_category_and_by_sample():
    result = metrics.aggregate(ROWS, ["lamp", "sofa", "chair"])
    assert list(result["per_category"]) == ["lamp", "chair"]
    assert result["per_category"]["chair"] == {
        "count": 2,
        "chamfer": 1.5,
        "f": pytest.approx(0.6),
    }
    assert result["mean_over_categories"] == {
        "chamfer": pytest.approx((1.5 + 4) / 2),
        "f": pytest.approx((0.6 + 0.1) / 2),
    }
    assert result["mean_over_samples"] == {
        "chamfer": pytest.approx(7 / 3),
        "f": pytest.approx(1.3 / 3),
    }
    assert result["categories_without_samples"] == ["sofa"]


def test_aggregate_keeps_categories_that_nobody_announced():
    assert list(metrics.aggregate(ROWS, ["lamp"])["per_category"]) == ["lamp", "chair"]


def test_aggregate_of_nothing_is_empty():
    result = metrics.aggregate([], ["chair"])
    assert result["per_category"] == result["mean_over_samples"] == {}
    assert result["categories_without_samples"] == ["chair"]


@pytest.mark.data
def test_metrics_match_the_pixel2mesh_evaluator(data_dir):
    recorded = np.load(data_dir / "oracles" / "eval_p2m_onet_mfprn.npz")
    rows = []
    for i, label in enumerate(recorded["p2m/labels"]):
        predicted, true = recorded["p2m/pred"][i], recorded[f"p2m/gt{i}"]
        rows.append((str(label), metrics.score(cKDTree(predicted), cKDTree(true))))
    actual = [list(scores.values()) for _, scores in rows]
    np.testing.assert_allclose(
        actual, recorded["p2m/per_sample_cd_f1tau_f12tau"], rtol=1e-6
    )
    result = metrics.aggregate(
        rows, [str(i) for i in range(recorded["p2m/num_classes"])]
    )
    np.testing.assert_allclose(
        list(result["mean_over_samples"].values()), recorded["p2m/weighted_mean"]
    )
    # The evaluator counts a category without samples as 0; here it is left out.
    present = len(result["per_category"]) / recorded["p2m/num_classes"]
    np.testing.assert_allclose(
        np.array(list(result["mean_over_categories"].values())) * present,
        recorded["p2m/class_mean"],
        rtol=1e-6,
    )


@pytest.mark.data
def test_chamfer_matches_occupancy_networks(data_dir):
    recorded = np.load(data_dir / "oracles" / "eval_p2m_onet_mfprn.npz")
    for name in ("onet/chamfer_kdtree", "onet/chamfer_naive"):
        actual = [
            metrics.chamfer_distance(a, b)
            for a, b in zip(
                recorded["onet/chamfer_a"], recorded["onet/chamfer_b"], strict=True
            )
        ]
        np.testing.assert_allclose(actual, recorded[name], rtol=1e-5)
