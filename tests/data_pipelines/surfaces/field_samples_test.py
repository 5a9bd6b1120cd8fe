"""Signed distances and colours against closed forms, and where they are asked for."""

import numpy as np
import pytest

from data_pipelines.building.options import UNIFORM_QUERIES as UNIFORM
from data_pipelines.building.options import Options
from data_pipelines.surfaces import field_samples, orientation, render, solids
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import meshes
from tests.data_pipelines.surfaces import solid_shapes as shapes


def visible_surface_of(surface):
    return solids.find_visible_surface(orientation.orient_outward(surface))


def random_points(count=3000, seed=0):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, (count, 3))


def signed_distance_to_box(points, half):
    outside = np.abs(points) - half
    far = np.linalg.norm(np.maximum(outside, 0), axis=1)
    return far + np.minimum(outside.max(axis=1), 0)


def test_distance_to_a_box():
    surface = shapes.surface_of(shapes.box())
    field = field_samples.evaluate_field(visible_surface_of(surface), random_points())
    expected = signed_distance_to_box(random_points(), surface.vertices.max(axis=0))
    assert (field.distances < 0).any()
    np.testing.assert_allclose(field.distances, expected, atol=1e-7)


def test_distance_to_a_sphere():
    """To the depth of the facets."""
    surface = shapes.surface_of(shapes.sphere())
    radius = np.linalg.norm(surface.vertices, axis=1).max()
    field = field_samples.evaluate_field(visible_surface_of(surface), random_points())
    expected = np.linalg.norm(random_points(), axis=1) - radius
    np.testing.assert_allclose(field.distances, expected, atol=0.002 * radius)


def test_color_is_that_of_the_nearest_side():
    surface = shapes.surface_of(shapes.box((1, 1, 1)))
    points = random_points()
    side = np.abs(points).argmax(axis=1)
    row = np.arange(len(points))
    largest, second = np.sort(np.abs(points), axis=1).T[:0:-1]
    clear = second + 1e-3 < np.minimum(largest, surface.vertices.max())  # no edge
    color = np.full(points.shape, 128)
    color[row, side] += 100 * np.sign(points[row, side]).astype(int)
    field = field_samples.evaluate_field(visible_surface_of(surface), points)
    difference = np.abs(field.colors[clear].astype(int) - color[clear])
    assert difference.max() <= 1


def test_distance_is_zero_on_the_surface_of_a_sheet_and_positive_elsewhere():
    surface = visible_surface_of(shapes.surface_of(shapes.sheet()))
    on = render.sample_surface(surface, 100, np.random.default_rng(0)).points
    field = field_samples.evaluate_field(surface, on)
    np.testing.assert_allclose(field.distances, 0, atol=1e-7)
    field = field_samples.evaluate_field(surface, random_points())
    assert (field.distances > 0).all()


def test_hidden_faces_do_not_count():
    outer, inner = shapes.box(), shapes.box((0.3, 0.3, 0.3))
    surface = shapes.surface_of(outer, inner)
    field = field_samples.evaluate_field(visible_surface_of(surface), np.zeros((1, 3)))
    assert field.distances[0] == pytest.approx(-surface.vertices.max(axis=0).min())


def test_order_and_winding_of_the_faces_do_not_matter():
    surface = shapes.surface_of(shapes.box(), shapes.sphere(0.55))
    fields = [
        field_samples.evaluate_field(visible_surface_of(s), random_points())
        for s in (surface, shapes.shuffled(surface))
    ]
    np.testing.assert_allclose(fields[0].distances, fields[1].distances, atol=1e-7)


def test_usual_mixture_is_that_of_deepsdf():
    """To the last bit, or the records of an object would be others than before."""
    assert Options().uniform_queries == UNIFORM == 25 / 525
    assert (1 - UNIFORM) / 2 == 250 / 525


@pytest.mark.parametrize("uniform", [UNIFORM, 0.5])
def test_distances_are_those_of_the_mixture(uniform):
    """Distances to a large flat sheet are the noise along one axis."""
    surface = visible_surface_of(shapes.surface_of(shapes.sheet()))
    rng = np.random.default_rng(0)
    points = field_samples.sample_queries(surface, 100_000, rng, uniform)
    assert np.abs(points[:, 0]).max() > 0.97 * field_samples.UNIT
    height = np.abs(points[:, 1]) / field_samples.UNIT
    # Share of each kind within a height: normal distributions and a uniform one.
    for limit in (0.005, 0.02, 0.1, 0.5):
        within = [_normal_within(limit / width) for width in field_samples.NOISE]
        near = (1 - uniform) / len(within)
        expected = np.dot([near, near, uniform], [*within, limit])
        assert (height < limit).mean() == pytest.approx(expected, abs=0.006)


def _normal_within(ratio):
    return np.mean(np.abs(np.random.default_rng(1).normal(size=200_000)) < ratio)


def test_random_numbers_decide_everything():
    surface = visible_surface_of(shapes.surface_of(shapes.box()))
    fields = [
        field_samples.sample_field(surface, 300, np.random.default_rng(seed), UNIFORM)
        for seed in (5, 5, 6)
    ]
    for one, other in zip(fields[0], fields[1], strict=True):
        np.testing.assert_array_equal(one, other)
    assert (fields[0].points != fields[2].points).any()


def test_a_rigid_motion_moves_points_only():
    surface = shapes.surface_of(shapes.box())
    rng = np.random.default_rng(0)
    field = field_samples.sample_field(visible_surface_of(surface), 500, rng, UNIFORM)
    transform = camera.camera_from_object(10.0, 27.0, 0.8)
    moved = field_samples.move_field(field, transform)
    turned = surface._replace(
        vertices=camera.transform_points(surface.vertices, transform)
    )
    again = field_samples.evaluate_field(visible_surface_of(turned), moved.points)
    np.testing.assert_allclose(again.distances, moved.distances, atol=2e-6)
    np.testing.assert_array_equal(moved.colors, field.colors)


@pytest.mark.data
def test_depth_of_real_models_lies_on_the_zero_level(data_dir):
    intrinsics = camera.r2n2_intrinsics(137)
    viewpoint = render.Viewpoint(azimuth=35.0, elevation=28.0, distance=0.8)
    object_from_camera = np.linalg.inv(camera.camera_from_object(*viewpoint))
    for path in sorted(data_dir.glob("objects/*/*/*.glb"))[3::72]:
        surface = meshes.normalize(meshes.load_surface(path))
        view = render.render(surface, viewpoint, intrinsics, 137)
        points = camera.unproject(view.depth, intrinsics)[view.depth > 0]
        points = camera.transform_points(points, object_from_camera)
        field = field_samples.evaluate_field(visible_surface_of(surface), points)
        distance = np.abs(field.distances)
        assert np.median(distance) < 1e-6, path.name
        assert (distance < 1e-4).mean() > 0.99, path.name
