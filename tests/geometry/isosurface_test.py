"""Meshes of view volumes: closed, outward, where the surface is."""

import functools

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from pixel2mesh_jax.geometry import camera, frustum, isosurface, surface
from tests.views_of_solids import SOLIDS, R, parts_of, see, whole_volume


def is_closed(mesh):
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    return solid.is_watertight and solid.is_winding_consistent


@pytest.mark.parametrize("name", SOLIDS)
def test_perfect_distances_come_back_within_half_a_cell(name):
    view = see(SOLIDS[name])
    volume, true, measured, depth, cosine = parts_of(view)
    field = isosurface.carve_and_stamp(true, measured, depth, cosine, volume)
    mesh = isosurface.extract(field, volume)
    cell = float(frustum.thickness(volume, R))
    assert is_closed(mesh)
    assert surface.signed_volume(mesh.vertices.astype(np.float64), mesh.faces) > 0
    distance = np.abs(view.distance(mesh.vertices.astype(np.float64))) / cell
    assert np.quantile(distance, 0.98) < 0.5
    assert distance.max() < 1.5  # at the outline, where rays miss by less than a pixel


@pytest.mark.parametrize("name", SOLIDS)
def test_carving_and_stamping_keep_what_is_seen(name):
    """Even with a network that calls everything empty, or everything solid."""
    view = see(SOLIDS[name])
    volume, true, measured, depth, cosine = parts_of(view)
    points = camera.unproject(view.depth, view.intrinsics)[view.depth > 0]
    cell = float(frustum.thickness(volume, R))
    for network in (np.full_like(true, 3.0), np.full_like(true, -3.0)):
        field = isosurface.carve_and_stamp(network, measured, depth, cosine, volume)
        mesh = isosurface.extract(field, volume)
        assert is_closed(mesh)
        away, _ = cKDTree(mesh.vertices).query(points)
        assert np.quantile(away, 0.98) < cell


def test_finer_grids_are_more_exact():
    view = see(SOLIDS["sphere"])
    errors = []
    for resolution in (12, 24, 48):
        volume = whole_volume(view)
        cells = frustum.cell_points(volume, resolution, resolution)
        cell = float(frustum.thickness(volume, resolution))
        limit = frustum.TRUNCATION
        field = np.clip(view.distance(cells) / cell, -limit, limit)
        mesh = isosurface.extract(field, volume)
        errors.append(np.abs(view.distance(mesh.vertices.astype(np.float64))).max())
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_distances_beyond_the_truncation_do_not_matter():
    view = see(SOLIDS["box"])
    volume, true, *_ = parts_of(view)
    limit = frustum.TRUNCATION
    whole = isosurface.extract(true, volume)
    cut = isosurface.extract(np.clip(true, -limit, limit), volume)
    np.testing.assert_allclose(cut.vertices, whole.vertices, atol=1e-6)


def test_random_fields_give_closed_meshes():
    rng = np.random.default_rng(0)
    volume = frustum.ViewVolume(np.zeros(2), np.float64(0.5), np.float64(0.6), 0.5)
    for _ in range(5):
        mesh = isosurface.extract(rng.normal(size=(9, 9, 9)), volume, visible=False)
        edges = np.sort(mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        _, count = np.unique(edges, axis=0, return_counts=True)
        assert (count % 2 == 0).all()


def test_solids_at_the_border_are_closed_there():
    volume = frustum.ViewVolume(np.zeros(2), np.float64(0.5), np.float64(0.6), 0.5)
    mesh = isosurface.extract(np.full((8, 8, 8), -1.0), volume)
    assert is_closed(mesh)
    assert surface.signed_volume(mesh.vertices.astype(np.float64), mesh.faces) > 0


def test_nothing_inside_gives_no_faces_and_the_ball_stands_in():
    volume = frustum.ViewVolume(np.zeros(2), np.float64(0.5), np.float64(0.6), 0.5)
    assert len(isosurface.extract(np.ones((8, 8, 8)), volume).faces) == 0
    assert is_closed(isosurface.extract(isosurface.ball((8, 8, 8)), volume))


def test_parts_that_nobody_sees_are_left_out():
    """Of two balls on one ray the farther one goes, of two side by side both stay."""
    rows, columns, layers = np.indices((20, 20, 20))
    volume = frustum.ViewVolume(np.zeros(2), np.float64(0.5), np.float64(0.6), 0.5)

    def ball(row, column, layer, radius):
        offset = [rows - row, columns - column, layers - layer]
        return np.linalg.norm(offset, axis=0) - radius

    front, behind, beside = (
        ball(10, 6, 5, 4),
        ball(10, 6, 14, 2.5),
        ball(10, 15, 14, 2.5),
    )
    two = isosurface.extract(np.minimum(front, behind), volume)
    alone = isosurface.extract(front, volume)
    assert len(two.faces) == len(alone.faces)
    both = isosurface.extract(np.minimum(front, beside), volume)
    assert len(both.faces) > len(alone.faces)


def test_shell_is_the_visible_side_with_a_back():
    view = see(SOLIDS["sphere"])
    volume, _, measured, depth, _ = parts_of(view)
    mesh = isosurface.extract(isosurface.shell(measured, depth, volume), volume)
    assert is_closed(mesh)
    thick = isosurface.SHELL * float(frustum.thickness(volume, R))
    near, far = -mesh.vertices[:, 2].max(), -mesh.vertices[:, 2].min()
    np.testing.assert_allclose(near, view.depth[view.depth > 0].min(), atol=0.01)
    assert far < view.depth.max() + 1.5 * thick


def board(outline):
    """Distances of a board at layer 9, of whose middle a network is not sure."""
    field = np.abs(np.arange(16.0) - 9) - 1.2 + np.zeros((16, 16, 1))
    field = np.maximum(field, outline)
    field[6:10, 6:10] += 1.5
    return field


def outline_of(rows, columns):
    """Distance to a rectangle, the same in all layers."""
    row, column = np.ogrid[:16, :16]
    sides = row - rows[0], rows[1] - row, column - columns[0], columns[1] - column
    inside = functools.reduce(np.minimum, sides)
    return np.repeat(-(inside + 0.5)[..., None], 16, axis=-1)


SQUARE = outline_of((3, 12), (3, 12))


def test_every_ray_within_the_outline_meets_the_object():
    field = board(SQUARE)
    met = isosurface.meet_rays(field, SQUARE)
    inside = SQUARE[..., 0] < 0
    assert ((field.min(axis=-1) < 0) != inside).any()
    np.testing.assert_array_equal(met.min(axis=-1) < 0, inside)
    np.testing.assert_array_equal(met.argmin(axis=-1)[inside], 9)
    assert ((met[6:10, 6:10] < 0).sum(axis=-1) <= 2 * isosurface.THICKEST).all()


def test_rays_that_meet_it_anyway_and_those_beside_it_stay():
    field = board(SQUARE)
    met = isosurface.meet_rays(field, SQUARE)
    same = np.ones((16, 16), bool)
    same[6:10, 6:10] = False
    np.testing.assert_array_equal(met[same], field[same])
    np.testing.assert_allclose(isosurface.meet_rays(met, SQUARE), met, atol=1e-12)


@pytest.mark.parametrize(
    ("outline", "hits"), [(SQUARE, False), (outline_of((3, 3), (3, 12)), True)]
)
def test_rays_at_the_rim_may_miss_unless_the_part_is_as_thin(outline, hits):
    met = isosurface.meet_rays(np.full((16, 16, 16), 2.0), outline)
    assert (met[3, 6:10].min(axis=-1) < 0).all() == hits
