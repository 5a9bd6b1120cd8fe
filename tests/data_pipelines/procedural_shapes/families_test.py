"""The parametric shapes: valid, repeatable, various, painted and upright."""

import numpy as np
import pytest

from data_pipelines.procedural_shapes.families import FAMILIES, make_shape, parts
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera

SEEDS = (0, 1, 2)
MAX_FACES = 5000


def shape(category, seed):
    return make_shape(category, np.random.default_rng(seed))


@pytest.mark.parametrize("category", FAMILIES)
def test_shapes_are_valid_and_in_the_object_frame(category):
    for seed in SEEDS:
        mesh = shape(category, seed)
        assert np.isfinite(mesh.vertices).all()
        assert (mesh.extents > 0.02).all()  # nothing is flat
        assert 20 < len(mesh.faces) < MAX_FACES
        np.testing.assert_allclose(mesh.bounds.mean(axis=0), 0, atol=1e-9)
        diagonal = np.linalg.norm(mesh.extents)
        np.testing.assert_allclose(diagonal, camera.P2M_SCALE, rtol=1e-9)


@pytest.mark.parametrize("category", FAMILIES)
def test_face_budget_holds_for_many_seeds(category):
    assert max(len(shape(category, seed).faces) for seed in range(30)) < MAX_FACES


@pytest.mark.parametrize("category", FAMILIES)
def test_equal_seeds_give_equal_shapes_and_others_differ(category):
    meshes = [shape(category, seed) for seed in SEEDS]
    again = shape(category, SEEDS[0])
    np.testing.assert_array_equal(meshes[0].vertices, again.vertices)
    np.testing.assert_array_equal(meshes[0].faces, again.faces)
    np.testing.assert_array_equal(
        meshes[0].visual.face_colors, again.visual.face_colors
    )
    assert len({mesh.extents.tobytes() for mesh in meshes}) == len(SEEDS)


@pytest.mark.parametrize("category", FAMILIES)
def test_shapes_are_painted(category):
    for seed in SEEDS:
        colors = shape(category, seed).visual.face_colors
        assert (colors[:, 3] == 255).all()
        assert len(np.unique(colors, axis=0)) > 1 or category in ("mug", "table")


def covered_from_above(mesh, low, high):
    """Area that faces up between two heights, as a share of the floor plan."""
    height = (mesh.triangles_center[:, 1] - mesh.bounds[0, 1]) / mesh.extents[1]
    up = np.clip(mesh.face_normals[:, 1], 0, None)
    inside = (height >= low) & (height <= high)
    return (up * mesh.area_faces)[inside].sum() / np.prod(mesh.extents[[0, 2]])


@pytest.mark.parametrize("seed", range(6))
def test_y_is_up(seed):
    """A table top is at the top, a seat half way up, legs and wheels are below."""
    assert covered_from_above(shape("table", seed), 0.9, 1.0) > 0.7
    assert covered_from_above(shape("chair", seed), 0.35, 0.7) > 0.4
    assert covered_from_above(shape("chair", seed), 0.05, 0.3) < 0.3
    assert covered_from_above(shape("bench", seed), 0.3, 1.0) > 0.4
    car = shape("car", seed)
    low = car.triangles_center[:, 1] < car.bounds[0, 1] + 0.04 * car.extents[1]
    assert car.visual.face_colors[low, :3].max() < 100  # rubber on the road


def test_unknown_category():
    with pytest.raises(InputError, match="'ship'; valid: airplane, bench"):
        make_shape("ship", np.random.default_rng(0))


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_plate_has_the_volume_of_its_outline_and_faces_outwards(axis):
    outline = parts.rounded_rectangle(2, 3)
    plate = parts.plate(outline, (1, 2, 3), 0.5, axis, (1, 0, 0))
    assert plate.is_watertight
    np.testing.assert_allclose(plate.volume, 3)
    np.testing.assert_allclose(plate.bounds.mean(axis=0), (1, 2, 3))


def test_solids_of_revolution_converge_to_the_formula():
    """A lathed cone of 200 sides: volume pi r^2 h / 3."""
    cone = parts.lathe([(1.0, 0.0), (1e-6, 2.0)], (0, 0, 0), (1, 1, 1), segments=200)
    assert cone.is_watertight
    np.testing.assert_allclose(cone.volume, np.pi * 2 / 3, rtol=1e-3)


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, -2, 0), (0.3, 0.5, -0.8)])
def test_rods_are_round_and_point_along_their_path(direction):
    rod = parts.rod((0, 0, 0), direction, 0.1, (1, 1, 1), segments=100)
    length = np.linalg.norm(direction)
    np.testing.assert_allclose(rod.volume, np.pi * 0.01 * length, rtol=2e-3)
    np.testing.assert_allclose(rod.centroid, np.divide(direction, 2), atol=1e-9)


def test_mirrored_parts_face_outwards_too():
    part = parts.box((1, 1, 1), (2, 0, 0), (0, 1, 0))
    _, image = parts.mirrored([part])
    np.testing.assert_allclose(image.volume, 1)
    np.testing.assert_allclose(image.centroid, (-2, 0, 0), atol=1e-9)
    np.testing.assert_array_equal(image.visual.face_colors, part.visual.face_colors)


def test_faces_between_paints_whole_rings():
    rings = [parts.place(parts.ellipse(1, 1, 8), (0, y, 0)) for y in (0, 1, 2)]
    mesh = parts.loft(rings, (0, 0, 0))
    upper = parts.faces_between(np.array([False, True]), 8)
    assert upper.sum() == 16
    assert mesh.triangles_center[upper, 1].min() > 1
