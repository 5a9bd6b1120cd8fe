"""What stands for a mesh, and the scores of every protocol."""

import numpy as np
import pytest
import trimesh

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import metrics, occupancy, protocols
from pixel2mesh_jax.evaluation.protocols import PROTOCOLS
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.rendering import raycast

BOX = trimesh.creation.box((1.0, 1.0, 1.0))


def arrays(mesh):
    return mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32)


def truth_of(mesh, num_points=5000):
    points, face = trimesh.sample.sample_surface(mesh, num_points, seed=0)
    return protocols.truth(points, mesh.face_normals[face])


def score(name, mesh, true):
    protocol = PROTOCOLS[name]
    return protocol.score(protocol.represent(*arrays(mesh)), true)


def test_vertices_stand_for_a_mesh_in_the_protocol_of_the_programs():
    vertices, faces = arrays(BOX)
    represented = PROTOCOLS["pixel2mesh"].represent(vertices, faces)
    np.testing.assert_array_equal(represented.tree.data, vertices)


@pytest.mark.parametrize(
    ("name", "count"),
    [("surface", 10_000), ("mesh_rcnn", 10_000), ("occupancy", 100_000), ("emd", 1024)],
)
def test_points_of_the_surface_stand_for_it_in_the_others(name, count):
    represented = PROTOCOLS[name].represent(*arrays(BOX))
    points = np.asarray(represented.tree.data)
    assert points.shape == represented.normals.shape == (count, 3)
    np.testing.assert_allclose(np.abs(points).max(axis=1), 0.5, atol=1e-6)
    np.testing.assert_allclose(
        np.sum(points * represented.normals, axis=1), 0.5, atol=1e-5
    )
    again = PROTOCOLS[name].represent(*arrays(BOX))
    np.testing.assert_array_equal(points, again.tree.data)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_columns_are_scores(name):
    protocol = PROTOCOLS[name]
    scores = score(name, BOX, truth_of(BOX))
    assert {column.score for column in protocol.columns} == set(scores) | set(
        protocol.needs
    )
    assert all(isinstance(value, float) for value in scores.values())


def test_surface_protocol_does_not_depend_on_the_triangulation():
    crowded = BOX.subdivide(face_index=[0, 1, 2]).subdivide(face_index=[0, 1, 2])
    true = truth_of(BOX)
    plain, fine = (score("surface", mesh, true)["chamfer"] for mesh in (BOX, crowded))
    np.testing.assert_allclose(plain, fine, rtol=0.05)


def test_mesh_rcnn_does_not_depend_on_the_scale():
    small = BOX.copy().apply_scale(0.01)
    moved = [mesh.copy() for mesh in (BOX, small)]
    for mesh in moved:
        mesh.vertices *= 1.05
    one = score("mesh_rcnn", moved[0], truth_of(BOX))
    other = score("mesh_rcnn", moved[1], truth_of(small))
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=1e-2)


def test_the_longest_box_edge_becomes_ten():
    points = np.array([[0.0, 0.0, 0.0], [1.0, 0.2, -4.0]])
    assert protocols.box_scale(points) == 2.5


def test_mesh_rcnn_scores_are_those_of_the_enlarged_points():
    true = truth_of(BOX)
    predicted = BOX.copy().apply_translation([0.02, 0, 0])
    scores = score("mesh_rcnn", predicted, true)
    represented = PROTOCOLS["mesh_rcnn"].represent(*arrays(predicted))
    factor = protocols.box_scale(true.tree.data)
    matches = metrics.match(factor * represented.tree.data, factor * true.tree.data)
    np.testing.assert_allclose(scores["chamfer"], metrics.chamfer(matches))
    np.testing.assert_allclose(
        scores["f_score_0.1"], np.float64(metrics.f_score_below(matches, 0.1))
    )


def test_iou_is_of_places_inside_and_absent_without_any():
    true = truth_of(BOX)
    assert "iou" not in score("occupancy", BOX, true)
    places = np.random.default_rng(0).uniform(-1, 1, (2000, 3))
    inside = np.all(np.abs(places) < 0.5, axis=1)
    true = true._replace(solid=occupancy.Occupancy(places, inside, np.ones(2000)))
    assert score("occupancy", BOX, true)["iou"] == 1
    shifted = BOX.copy().apply_translation([0.5, 0, 0])
    assert score("occupancy", shifted, true)["iou"] == pytest.approx(1 / 3, abs=0.05)


def test_volume_is_of_cells_and_absent_without_any():
    true = truth_of(BOX)
    assert score("volume", BOX, true) == {}
    places = np.random.default_rng(0).uniform(-1, 1, (2000, 3))
    inside = np.all(np.abs(places) < 0.5, axis=1)
    true = true._replace(cells=occupancy.Occupancy(places, inside, np.ones(2000)))
    assert score("volume", BOX, true) == {"iou": 1}


def test_occupancy_chamfer_is_half_of_both_directions():
    bigger = trimesh.creation.icosphere(subdivisions=4, radius=1.1)
    ball = trimesh.creation.icosphere(subdivisions=4, radius=1.0)
    scores = score("occupancy", bigger, truth_of(ball, 100_000))
    np.testing.assert_allclose(scores["chamfer_l1"], 0.1, rtol=0.02)
    np.testing.assert_allclose(scores["chamfer_l2"], 0.01, rtol=0.03)
    np.testing.assert_allclose(scores["normal_consistency"], 1, atol=1e-3)


def test_emd_says_how_many_points_it_is_of():
    shifted = BOX.copy().apply_translation([3.0, 0, 0])
    scores = score("emd", shifted, truth_of(BOX))
    assert list(scores) == ["emd_1024"]
    np.testing.assert_allclose(scores["emd_1024"], 3, atol=0.05)
    few = score("emd", shifted, truth_of(BOX, 100))
    np.testing.assert_allclose(few["emd_1024"], 3, atol=0.2)


def test_scores_repeat_exactly():
    true = truth_of(BOX)
    for name in PROTOCOLS:
        assert score(name, BOX, true) == score(name, BOX, true)


def test_names_are_parsed_in_order_and_once():
    assert protocols.parse("surface, mesh_rcnn,surface") == ("surface", "mesh_rcnn")
    assert protocols.parse(("emd",)) == ("emd",)


@pytest.mark.parametrize("names", ["p2m", "surface,p2m", "", ","])
def test_unknown_names_are_answered_with_the_known_ones(names):
    with pytest.raises(InputError, match="pixel2mesh, surface, mesh_rcnn, occupancy"):
        protocols.parse(names)


def test_absent_scores_are_dashes():
    column = PROTOCOLS["occupancy"].columns[-1]
    assert column.text({}) == "–"
    assert column.text({"iou": 0.5}) == "50.00"


@pytest.mark.data
def test_pixel2mesh_protocol_matches_the_evaluator_of_noahcao(data_dir):
    recorded = np.load(data_dir / "oracles" / "eval_p2m_onet_mfprn.npz")
    protocol, no_faces = PROTOCOLS["pixel2mesh"], np.zeros((0, 3), np.int32)
    actual = []
    for i, vertices in enumerate(recorded["p2m/pred"]):
        points = recorded[f"p2m/gt{i}"]
        true = protocols.truth(points, np.zeros_like(points))
        scores = protocol.score(protocol.represent(vertices, no_faces), true)
        actual.append([scores[column.score] for column in protocol.columns])
    expected = recorded["p2m/per_sample_cd_f1tau_f12tau"]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_visible_is_the_depth_of_the_mesh_against_that_of_the_image():
    """A box seen from the front, and the same 3 mm farther away."""
    intrinsics = camera.r2n2_intrinsics(24)
    box = trimesh.creation.box((0.3, 0.3, 0.2))
    box.apply_translation([0, 0, -0.8])
    depth = raycast.cast(*arrays(box), intrinsics, (24, 24)).depth
    true = truth_of(box)._replace(view=(depth, intrinsics))
    assert score("visible", box, true) == pytest.approx(
        {"visible_error": 0, "visible_iou": 1}, abs=1e-6
    )
    box.apply_translation([0, 0, -0.003])
    found = score("visible", box, true)
    np.testing.assert_allclose(found["visible_error"], 0.003, rtol=1e-3)
    assert 0.7 < found["visible_iou"] <= 1
    assert score("visible", box, truth_of(box)) == {}


def test_colors_are_those_of_the_nearest_vertices():
    mesh = BOX.subdivide().subdivide()
    true = truth_of(mesh)
    paint = lambda points: np.where(points[:, :1] > 0, 1.0, [[0.2, 0.4, 0.6]])  # noqa: E731
    painted = PROTOCOLS["colors"].represent(*arrays(mesh))
    right = painted._replace(colors=paint(mesh.vertices))
    true = true._replace(colors=paint(np.asarray(true.tree.data)))
    found = PROTOCOLS["colors"].score(right, true)
    assert found["color_l1"] < 0.06  # near the border between the two
    grey = painted._replace(colors=np.full((len(mesh.vertices), 3), 0.5))
    found = PROTOCOLS["colors"].score(grey, true)
    expected = np.abs(true.colors - 0.5).mean()
    np.testing.assert_allclose(found["color_l1"], expected, rtol=1e-6)
    assert PROTOCOLS["colors"].score(painted, true) == {}


def test_closed_is_said_of_a_box_and_not_of_one_without_a_lid():
    faces = BOX.faces
    turned = np.concatenate([faces[:1, ::-1], faces[1:]])
    for shown, expected in ((faces, 1), (faces[1:], 0), (turned, 0)):
        mesh = trimesh.Trimesh(BOX.vertices, shown, process=False)
        assert score("closed", mesh, truth_of(BOX)) == {"closed": expected}
