"""Signed distances of models in the volumes of their views."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data_pipelines import build
from data_pipelines.building.examples import render_images
from data_pipelines.building.options import VERSION, Options
from data_pipelines.procedural_shapes import source as procedural_shapes
from data_pipelines.surfaces import orientation, solids, volumes
from pixel2mesh_jax.geometry import camera, frustum
from tests.data_pipelines.surfaces import solid_shapes

R = 32


def target_of(*parts):
    surface = solid_shapes.surface_of(*parts)
    solid = solids.make_solid(orientation.orient_outward(surface))
    grid = volumes.make_grid(solid)
    (image,) = render_images(surface, "a", Options(views=1))
    found = volumes.target(solid, grid, image.view, image.camera_from_object, R)
    volume = frustum.unpack(found.placement.astype(np.float64))
    points = frustum.cell_points(volume, R, R).reshape(-1, 3)
    points = camera.transform_points(points, np.linalg.inv(image.camera_from_object))
    cells = found.distances.astype(float) / volumes.STEPS_PER_CELL
    return surface, found, cells, points, float(frustum.thickness(volume, R))


def test_sphere():
    surface, _, cells, points, cell = target_of(solid_shapes.sphere())
    radius = np.linalg.norm(surface.vertices, axis=1).max()
    true = (np.linalg.norm(points, axis=1) - radius) / cell
    true = np.clip(true, -frustum.TRUNCATION, frustum.TRUNCATION)
    np.testing.assert_allclose(cells.ravel(), true, atol=0.15)


def test_box():
    surface, _, cells, points, cell = target_of(solid_shapes.box())
    out = np.abs(points) - surface.vertices.max(axis=0)
    true = np.linalg.norm(np.maximum(out, 0), axis=1) + np.minimum(out.max(axis=1), 0)
    # Edges are rounded by the interpolation, less than a grid step; the grid ends where
    # the distances do not matter to a network of 64 layers.
    near = np.abs(true) < volumes.BAND - volumes.SPACING
    found = cells.ravel()[near] * cell
    limit = frustum.TRUNCATION * cell
    expected = np.clip(true[near], -limit, limit)
    np.testing.assert_allclose(found, expected, atol=volumes.SPACING)


def test_sheets_are_one_cell_thick():
    surface, _, cells, points, cell = target_of(solid_shapes.sheet())
    height = (points[:, 1] - surface.vertices[:, 1].mean()) / cell
    over = np.abs(points[:, [0, 2]]).max(axis=1) < surface.vertices[:, 0].max() - cell
    inside = cells.ravel() < 0
    assert inside[over & (np.abs(height) < 0.35)].all()
    assert not inside[np.abs(height) > 0.65].any()


def test_thick_parts_are_not_made_thicker():
    surface, _, cells, points, cell = target_of(solid_shapes.box())
    out = (np.abs(points) - surface.vertices.max(axis=0)).max(axis=1)
    assert not (cells.ravel() < 0)[out > 0.1 * cell].any()


def test_far_side_has_its_colours():
    """A box with a colour per side: the rays from behind see none of the front."""
    _, found, *_ = target_of(solid_shapes.box())
    colors = found.far_colors.reshape(-1, 3)
    there = colors.any(axis=1)
    assert 0.1 < there.mean() < 0.9
    sides = {tuple(color) for color in colors[there]}
    assert 1 <= len(sides) <= 3


def test_records(tmp_path):
    arguments = "--train=1 --val=0 --test=0 --views=1 --num_points=50 --workers=1"
    arguments += f" --volume=16 --data_dir={tmp_path}"
    assert build.main(["procedural_shapes", *arguments.split()]) == 0
    builder = tfds.builder_from_directory(tmp_path / "procedural_shapes" / VERSION)
    for record in builder.as_data_source(split="train"):
        assert record["distances"].shape == (16, 16, 16)
        assert record["distances"].dtype == np.int8
        assert 0 < (record["distances"] < 0).mean() < 0.5
        assert record["far_colors"].shape == (16, 16, 3)
        assert record["placement"].shape == (5,)


@pytest.mark.parametrize("volume", [0, 16])
def test_nothing_is_added_unless_asked(volume):
    options = Options(views=1, num_points=50, objects=(1, 0, 0), volume=volume)
    item = procedural_shapes.find_items(options)[0]
    (example,) = procedural_shapes.make_examples(item, options)
    assert (example.volume is not None) == (volume > 0)
