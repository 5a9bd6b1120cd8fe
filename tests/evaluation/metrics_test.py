"""Metrics against naive loops, closed forms and recorded numbers."""

import itertools

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from pixel2mesh_jax.evaluation import metrics
from pixel2mesh_jax.geometry import surface, templates
from tests import oracles


def random_points(num_points, seed=0):
    return np.random.default_rng(seed).normal(size=(num_points, 3))


def sphere(radius, num_points=4000):
    return radius * templates.fibonacci_sphere(num_points)


def f_score(a, b, threshold):
    return metrics.f_score(metrics.match(a, b), threshold)


@pytest.mark.parametrize(("num_a", "num_b"), [(1, 1), (7, 9), (40, 3)])
def test_metrics_match_naive_loops(num_a, num_b):
    a, b = random_points(num_a), random_points(num_b, seed=1)
    matches = metrics.match(a, b)
    index, squared = oracles.nearest(a, b)
    np.testing.assert_array_equal(matches.true_index, index)
    np.testing.assert_allclose(matches.to_true**2, squared)
    np.testing.assert_allclose(metrics.chamfer(matches), oracles.chamfer(a, b))
    for threshold in (0.1, 1.0, 10.0):
        expected = oracles.f_score(a, b, threshold)
        np.testing.assert_allclose(metrics.f_score(matches, threshold), expected)


def test_points_and_their_trees_are_the_same():
    a, b = random_points(10), random_points(12, seed=1)
    trees = metrics.match(cKDTree(a), cKDTree(b))
    for one, other in zip(trees, metrics.match(a, b), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_shape_equals_itself_in_any_order():
    points = random_points(50)
    shuffled = np.random.default_rng(1).permutation(points)
    assert metrics.chamfer_distance(points, shuffled) == 0
    assert metrics.earth_movers_distance(points, shuffled) == 0
    assert f_score(points, shuffled, 0.0) == 1


def test_order_of_the_points_does_not_matter():
    a, b = random_points(30), random_points(40, seed=1)
    shuffled = np.random.default_rng(2).permutation(a)
    np.testing.assert_allclose(
        metrics.chamfer_distance(shuffled, b), metrics.chamfer_distance(a, b)
    )
    assert f_score(shuffled, b, 0.5) == f_score(a, b, 0.5)


def test_concentric_spheres_are_twice_the_squared_gap_apart():
    # Points of the two lattices lie on the same rays.
    inner, outer = sphere(0.20), sphere(0.21)
    np.testing.assert_allclose(metrics.chamfer_distance(inner, outer), 2 * 0.01**2)
    assert f_score(inner, outer, 0.99e-4) == 0
    assert f_score(inner, outer, 1.01e-4) == 1


def test_a_hit_is_at_most_the_squared_threshold_or_below_the_plain_one():
    matches = metrics.match(np.zeros((1, 3)), np.array([[0.0, 0.0, 0.5]]))
    assert metrics.f_score(matches, 0.25) == 1
    assert metrics.f_score(matches, 0.2499) == 0
    assert metrics.f_score_below(matches, 0.5) == 0
    assert metrics.f_score_below(matches, 0.5001) == 1


def test_precision_and_recall_are_combined_harmonically():
    predicted = np.array([[0.0, 0, 0], [9.0, 0, 0]])  # one of two is right
    true = np.array([[0.0, 0, 0]])  # and all is found
    np.testing.assert_allclose(f_score(predicted, true, 0.1), 2 / 3)


def test_enlarged_shapes_have_enlarged_distances():
    a, b = random_points(20), random_points(30, seed=1)
    np.testing.assert_allclose(
        metrics.chamfer(metrics.match(a, b).scaled(3.0)),
        metrics.chamfer_distance(3 * a, 3 * b),
    )


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        metrics.chamfer_distance(np.full((2, 3), np.nan), random_points(4))


def test_normals_of_concentric_spheres_agree():
    inner, outer = sphere(0.2, 500), sphere(0.21, 500)
    matches = metrics.match(inner, outer)
    cosines = metrics.normal_cosines(matches, inner, outer)
    np.testing.assert_allclose(metrics.normal_consistency(cosines), 1)
    inward = metrics.normal_cosines(matches, inner, -7 * outer)
    np.testing.assert_allclose(metrics.normal_consistency(inward), -1)
    np.testing.assert_allclose(metrics.absolute_normal_consistency(inward), 1)


def test_signs_of_true_normals_at_random_leave_only_the_absolute_consistency():
    a, b = sphere(0.2, 2000), sphere(0.21, 2000)
    signs = np.random.default_rng(0).choice([-1, 1], size=(len(b), 1))
    cosines = metrics.normal_cosines(metrics.match(a, b), a, signs * b)
    assert abs(metrics.normal_consistency(cosines)) < 0.1
    np.testing.assert_allclose(metrics.absolute_normal_consistency(cosines), 1)


def test_zero_normals_are_consistent_with_nothing():
    points = random_points(5)
    cosines = metrics.normal_cosines(
        metrics.match(points, points), np.zeros((5, 3)), points
    )
    assert metrics.absolute_normal_consistency(cosines) == 0


def test_earth_movers_distance_is_the_best_of_all_assignments():
    a, b = random_points(6), random_points(6, seed=1)
    expected = min(
        np.mean(np.linalg.norm(a - b[list(order)], axis=1))
        for order in itertools.permutations(range(6))
    )
    np.testing.assert_allclose(metrics.earth_movers_distance(a, b), expected)


def test_earth_movers_distance_of_a_translation_is_its_length():
    a = random_points(100)
    moved = metrics.earth_movers_distance(a, a + np.array([3.0, 0.0, 4.0]))
    np.testing.assert_allclose(moved, 5)


@pytest.mark.parametrize("counts", [(4, 5), (2049, 2049)])
def test_earth_movers_distance_refuses_what_it_cannot_assign(counts):
    a, b = (np.zeros((count, 3)) for count in counts)
    with pytest.raises(ValueError, match=f"at most 2048; got {counts[0]}"):
        metrics.earth_movers_distance(a, b)


def test_intersection_over_union_of_shifted_boxes():
    x = np.linspace(0, 3, 3000)  # two intervals of length 2, shifted by 1
    iou = metrics.intersection_over_union(x <= 2, x >= 1)
    np.testing.assert_allclose(iou, 1 / 3, rtol=1e-3)
    nothing = np.zeros(4, bool)
    assert metrics.intersection_over_union(nothing, nothing) == 1
    assert metrics.intersection_over_union(nothing, ~nothing) == 0


BOX = trimesh.creation.box((1.0, 1.2, 1.4))
PLACES = np.random.default_rng(0).uniform(-1, 1, (500, 3))
IN_BOX = np.all(np.abs(PLACES) < np.array([0.5, 0.6, 0.7]), axis=1)


def test_inside_of_a_box_and_of_the_same_box_inside_out():
    np.testing.assert_array_equal(
        metrics.is_inside(PLACES, BOX.vertices, BOX.faces), IN_BOX
    )
    np.testing.assert_array_equal(
        metrics.is_inside(PLACES, BOX.vertices, BOX.faces[:, ::-1]), IN_BOX
    )


def test_overlapping_parts_are_one_solid():
    moved = BOX.copy().apply_translation([0.3, 0, 0])
    both = trimesh.util.concatenate([BOX, moved])
    in_moved = np.all(np.abs(PLACES - [0.3, 0, 0]) < [0.5, 0.6, 0.7], axis=1)
    np.testing.assert_array_equal(
        metrics.is_inside(PLACES, both.vertices, both.faces), IN_BOX | in_moved
    )


def test_the_hole_of_a_torus_is_outside():
    torus = trimesh.creation.torus(0.6, 0.2, 64, 64)
    radius = np.hypot(np.hypot(PLACES[:, 0], PLACES[:, 1]) - 0.6, PLACES[:, 2])
    clear = np.abs(radius - 0.2) > 0.01  # the torus is faceted
    inside = metrics.is_inside(PLACES, torus.vertices, torus.faces)
    np.testing.assert_array_equal(inside[clear], (radius < 0.2)[clear])


def test_places_count_as_much_as_the_volumes_that_they_stand_for():
    predicted, true = np.array([True, True]), np.array([True, False])
    iou = metrics.intersection_over_union(predicted, true, np.array([3.0, 1.0]))
    assert iou == 0.75


def recorded_points(recorded, prefix=""):
    """(predicted, true) points and normals."""
    return [
        recorded[f"{prefix}{side}_{kind}"]
        for kind in ("points", "normals")
        for side in ("pred", "gt")
    ]


@pytest.mark.data
def test_pixel2mesh_scores_match_the_evaluator_of_noahcao(data_dir):
    recorded = np.load(data_dir / "oracles" / "eval_p2m_onet_mfprn.npz")
    actual = []
    for i, predicted in enumerate(recorded["p2m/pred"]):
        matches = metrics.match(predicted, recorded[f"p2m/gt{i}"])
        f_scores = [metrics.f_score(matches, threshold) for threshold in (1e-4, 2e-4)]
        actual.append([metrics.chamfer(matches), *f_scores])
    expected = recorded["p2m/per_sample_cd_f1tau_f12tau"]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.data
def test_f_score_at_the_very_threshold(data_dir):
    """The evaluator compares float32 numbers with `<`; TensorFlow's has `<=`."""
    recorded = np.load(data_dir / "oracles" / "eval_p2m_onet_mfprn.npz")
    squared = recorded["p2m/f1_edge_inputs_pred"], recorded["p2m/f1_edge_inputs_gt"]
    to_true, to_predicted = (np.sqrt(side.astype(np.float64)) for side in squared)
    nobody = np.zeros(0, int)
    matches = metrics.Matches(to_true, nobody, to_predicted, nobody)
    thresholds = np.sqrt(np.float32([1e-4, 2e-4, 0, 1]).astype(np.float64))
    np.testing.assert_allclose(
        [metrics.f_score_below(matches, float(t)) for t in thresholds],
        recorded["p2m/f1_edge_values"],
        rtol=1e-6,
    )
    exactly = np.array([0.25])
    matches = metrics.Matches(exactly, nobody, exactly, nobody)
    assert metrics.f_score(matches, 0.0625) == 1
    assert metrics.f_score_below(matches, 0.25) == 0


@pytest.mark.data
def test_scores_match_occupancy_networks_and_mfprn(data_dir):
    recorded = np.load(data_dir / "oracles" / "eval_p2m_onet_mfprn.npz")
    predicted, true, *normals = recorded_points(recorded, "onet/")
    matches = metrics.match(predicted, true)
    cosines = metrics.normal_cosines(matches, *normals)
    actual = {
        "accuracy": np.mean(matches.to_true),
        "accuracy2": np.mean(matches.to_true**2),
        "completeness": np.mean(matches.to_predicted),
        "completeness2": np.mean(matches.to_predicted**2),
        "chamfer-L1": (np.mean(matches.to_true) + np.mean(matches.to_predicted)) / 2,
        "chamfer-L2": metrics.chamfer(matches) / 2,
        "normals accuracy": np.mean(np.abs(cosines[0])),
        "normals completeness": np.mean(np.abs(cosines[1])),
        "normals": metrics.absolute_normal_consistency(cosines),
    }
    actual["chamfer_l2"] = actual["chamfer-L2"]
    for program in ("onet", "mfprn"):
        names = recorded[f"{program}/names"].tolist()
        np.testing.assert_allclose(
            [actual[name] for name in names], recorded[f"{program}/values"], rtol=1e-6
        )


@pytest.mark.data
def test_iou_matches_occupancy_networks(data_dir):
    recorded = np.load(data_dir / "oracles" / "eval_p2m_onet_mfprn.npz")
    inside = recorded["iou/a"] >= 0.5, recorded["iou/b"] >= 0.5
    actual = [
        metrics.intersection_over_union(a.ravel(), b.ravel())
        for a, b in zip(*inside, strict=True)
    ]
    np.testing.assert_allclose(actual, recorded["iou/batched"], rtol=1e-6)
    np.testing.assert_allclose(actual[0], recorded["iou/flat"], rtol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize("name", ["onet/chamfer_kdtree", "onet/chamfer_naive"])
def test_chamfer_matches_occupancy_networks(data_dir, name):
    recorded = np.load(data_dir / "oracles" / "eval_p2m_onet_mfprn.npz")
    pairs = zip(recorded["onet/chamfer_a"], recorded["onet/chamfer_b"], strict=True)
    actual = [metrics.chamfer_distance(a, b) for a, b in pairs]
    np.testing.assert_allclose(actual, recorded[name], rtol=1e-5)


def mesh_rcnn_scores(matches, normals, thresholds):
    """Under the names of the published program, in its units."""
    scores = {"Chamfer-L2": metrics.chamfer(matches)}
    if normals:
        cosines = metrics.normal_cosines(matches, *normals)
        scores["NormalConsistency"] = metrics.normal_consistency(cosines)
        scores["AbsNormalConsistency"] = metrics.absolute_normal_consistency(cosines)
    for t in thresholds:
        scores[f"Precision@{t:f}"] = 100 * np.mean(matches.to_true < t)
        scores[f"Recall@{t:f}"] = 100 * np.mean(matches.to_predicted < t)
        scores[f"F1@{t:f}"] = 100 * metrics.f_score_below(matches, t)
    return scores


def compared(recorded, case, rows):
    """Every score of every row with what the program says, and the means."""
    names = {key for key in recorded.files if key.startswith(f"{case}/")}
    means = {key for key in names if key.startswith(f"{case}/mean/")}
    assert {key.removeprefix(f"{case}/") for key in names - means} == set(rows[0])
    for name in rows[0]:
        actual = [row[name] for row in rows]
        np.testing.assert_allclose(actual, recorded[f"{case}/{name}"], rtol=1e-4)
        if means:
            expected = recorded[f"{case}/mean/{name}"]
            np.testing.assert_allclose(np.mean(actual), expected, rtol=1e-4)


@pytest.mark.data
@pytest.mark.parametrize(
    ("case", "thresholds"),
    [("points", (0.1, 0.3, 0.5)), ("points_no_normals", (0.1, 0.14142))],
)
def test_scores_of_points_match_mesh_rcnn(data_dir, case, thresholds):
    recorded = np.load(data_dir / "oracles" / "eval_compare_meshes.npz")
    rows = []
    for predicted, true, *normals in zip(*recorded_points(recorded), strict=True):
        matches = metrics.match(predicted, true)
        normals = () if case == "points_no_normals" else normals
        rows.append(mesh_rcnn_scores(matches, normals, thresholds))
    compared(recorded, case, rows)


def recorded_samples(recorded, number, side):
    """Points and normals at the recorded places of a recorded mesh."""
    vertices = recorded[f"mesh{number}/{side}_verts"]
    faces = recorded[f"mesh{number}/faces"]
    index = recorded[f"mesh/{side}_face_index"][number]
    weights = recorded[f"mesh/{side}_bary"][:, number].T
    points = np.einsum("nk,nkc->nc", weights, vertices[faces[index]])
    return points, np.asarray(surface.face_normals(vertices, faces))[index]


@pytest.mark.data
@pytest.mark.parametrize(
    ("case", "scales", "thresholds"),
    [
        ("mesh_gt10", None, (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("mesh_p2m", (0.57, 0.57), (0.01, 0.014142)),
        ("mesh_pair", (1.1, 0.9), (0.05,)),
    ],
)
def test_scores_of_meshes_match_mesh_rcnn(data_dir, case, scales, thresholds):
    recorded = np.load(data_dir / "oracles" / "eval_compare_meshes.npz")
    rows = []
    for number in (0, 1):
        predicted, predicted_normals = recorded_samples(recorded, number, "pred")
        true, true_normals = recorded_samples(recorded, number, "gt")
        true_box = np.ptp(recorded[f"mesh{number}/gt_verts"], axis=0)
        factors = scales or [10 / true_box.max()] * 2
        matches = metrics.match(factors[0] * predicted, factors[1] * true)
        normals = predicted_normals, true_normals
        rows.append(mesh_rcnn_scores(matches, normals, thresholds))
        np.testing.assert_allclose(
            predicted[:5], recorded["mesh/pred_samples_head"][number], atol=1e-6
        )
        np.testing.assert_allclose(
            predicted_normals[:5],
            recorded["mesh/pred_sample_normals_head"][number],
            atol=1e-5,
        )
    compared(recorded, case, rows)
