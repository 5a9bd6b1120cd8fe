"""Outward windings where the truth is known, and what must not change them."""

import time

import igl
import numpy as np
import pytest
import trimesh

from data_pipelines.procedural_shapes import families
from data_pipelines.surfaces import orientation, patches, render
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.geometry import surface as surface_geometry
from pixel2mesh_jax.io import materials, meshes
from pixel2mesh_jax.rendering import raycast
from tests.data_pipelines.surfaces import solid_shapes as shapes


def centers_and_normals(surface):
    centers = surface.vertices[surface.faces].mean(axis=1)
    return centers, surface_geometry.face_normals(surface.vertices, surface.faces)


def share_outward(surface, truth):
    """Share of the area whose winding agrees with that of `truth`, face by face.

    Faces at one place that look both ways, where closed parts touch, do not count.
    """
    centers, normals = centers_and_normals(truth)
    _, place, count = np.unique(
        np.round(centers, 6), axis=0, return_inverse=True, return_counts=True
    )
    area = surface_geometry.face_areas(truth.vertices, truth.faces)
    area = area * (count[place.ravel()] == 1)
    right = np.einsum("fi,fi->f", centers_and_normals(surface)[1], normals) > 0
    return (area * right).sum() / area.sum()


@pytest.mark.parametrize("category", families.CATEGORIES)
def test_closed_parts_of_random_winding(category):
    shape = families.make_shape(category, np.random.default_rng(0))
    truth = shapes.surface_of(shape)
    flip = np.random.default_rng(1).random(len(truth.faces)) < 0.5
    mixed = orientation.reverse_faces(truth, flip)
    assert 0.3 < share_outward(mixed, truth) < 0.7
    assert share_outward(orientation.orient_outward(mixed).surface, truth) > 0.99


def test_seams_of_the_vertices_do_not_matter():
    truth = shapes.surface_of(shapes.box(), shapes.sphere(0.2))
    split = shapes.with_split_vertices(truth)
    flip = np.arange(len(split.faces)) % 3 == 0
    oriented = orientation.orient_outward(orientation.reverse_faces(split, flip))
    assert share_outward(oriented.surface, truth) == 1


def test_hidden_box_points_away_from_itself():
    truth = shapes.surface_of(shapes.box(), shapes.box((0.3, 0.2, 0.2), (0.1, 0, 0)))
    flip = np.random.default_rng(0).random(len(truth.faces)) < 0.5
    oriented = orientation.orient_outward(orientation.reverse_faces(truth, flip))
    assert share_outward(oriented.surface, truth) == 1
    hidden = oriented.escapes[:, 0] == 0
    np.testing.assert_array_equal(hidden, np.arange(24) >= 12)


def test_open_cup_points_away_from_its_axis_and_down():
    cup = shapes.surface_of(shapes.cup())
    oriented = orientation.orient_outward(shapes.shuffled(cup))
    centers, normals = centers_and_normals(oriented.surface)
    wall = np.abs(normals[:, 1]) < 0.5
    assert (np.einsum("fi,fi->f", centers, normals)[wall] > 0).all()
    assert (normals[~wall, 1] < 0).all()
    assert (orientation.confidence(oriented.escapes) > orientation.CLEAR).all()


@pytest.mark.parametrize("upside_down", [False, True])
def test_sheet_keeps_the_winding_of_the_file(upside_down):
    sheet = shapes.surface_of(shapes.sheet())
    mostly = np.full(len(sheet.faces), upside_down)
    mostly[0] = not upside_down
    oriented = orientation.orient_outward(orientation.reverse_faces(sheet, mostly))
    _, normals = centers_and_normals(oriented.surface)
    np.testing.assert_allclose(normals[:, 1], -1 if upside_down else 1)
    assert (orientation.confidence(oriented.escapes) < orientation.CLEAR).all()


def test_doubled_faces_look_to_the_same_side():
    ball = shapes.sphere()
    double = shapes.surface_of(
        ball, trimesh.Trimesh(ball.vertices, ball.faces[:, ::-1])
    )
    oriented = orientation.orient_outward(double)
    centers, normals = centers_and_normals(oriented.surface)
    assert (np.einsum("fi,fi->f", centers, normals) > 0).all()
    assert oriented.first.sum() == len(ball.faces)


def test_order_and_winding_of_the_faces_do_not_matter():
    shape = families.make_shape("chair", np.random.default_rng(3))
    surface = shapes.surface_of(shape)
    expected = orientation.orient_outward(surface).surface
    mixed = orientation.orient_outward(shapes.shuffled(surface)).surface
    centers, normals = centers_and_normals(expected)
    others, turned = centers_and_normals(mixed)
    order = np.lexsort(np.round(np.hstack([centers, normals]), 6).T)
    other = np.lexsort(np.round(np.hstack([others, turned]), 6).T)
    np.testing.assert_allclose(turned[other], normals[order], atol=1e-6)


def test_equal_surfaces_give_equal_answers():
    surface = shapes.surface_of(families.make_shape("mug", np.random.default_rng(0)))
    first, again = (orientation.orient_outward(surface) for _ in range(2))
    np.testing.assert_array_equal(first.surface.faces, again.surface.faces)
    np.testing.assert_array_equal(first.escapes, again.escapes)


def test_faces_without_area_are_left_alone():
    surface = shapes.surface_of(shapes.box())
    rows = np.array([0, 0, *range(12)])
    faces = surface.faces[rows]
    faces[0, 1:] = faces[0, 0]
    faces[1, 2] = faces[1, 0]
    paint = surface.paint._replace(
        corner_colors=surface.paint.corner_colors[rows],
        corner_uv=surface.paint.corner_uv[rows],
        face_texture=surface.paint.face_texture[rows],
    )
    oriented = orientation.orient_outward(surface._replace(faces=faces, paint=paint))
    np.testing.assert_array_equal(oriented.surface.faces, faces)
    assert not oriented.first[:2].any()
    assert not oriented.escapes[:2].any()


def test_colors_turn_with_their_faces():
    surface = shapes.surface_of(shapes.box())
    colors = np.random.default_rng(0).random((12, 3, 3)).astype(np.float32)
    surface = surface._replace(paint=surface.paint._replace(corner_colors=colors))
    turned = orientation.reverse_faces(surface, np.arange(12) % 2 == 0)
    face = np.arange(12)
    weights = np.random.default_rng(1).dirichlet(np.ones(3), 12)
    reversed_weights = np.where((face % 2 == 0)[:, None], weights[:, ::-1], weights)
    np.testing.assert_allclose(
        materials.color_at(turned.paint, face, reversed_weights),
        materials.color_at(surface.paint, face, weights),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        np.einsum("nc,ncd->nd", reversed_weights, turned.vertices[turned.faces]),
        np.einsum("nc,ncd->nd", weights, surface.vertices[surface.faces]),
    )


def test_many_patches_are_gathered_in_turns(monkeypatch):
    """Turns change neither what belongs together nor how it is wound."""
    parts = [shapes.sphere(0.2 + 0.01 * i) for i in range(4)] + [shapes.cup()]
    surface = shapes.shuffled(shapes.surface_of(*parts))
    soup = np.random.default_rng(0).integers(0, 200, (300, 3))
    faces = np.concatenate([surface.faces, soup])  # open and branching edges as well
    faces = faces[(np.diff(np.sort(faces, axis=1), axis=1) > 0).all(axis=1)]
    at_once = igl.bfs_orient(faces)
    monkeypatch.setattr(patches, "MOST_PATCHES", 7)
    agreed, number = patches._bfs_orient(faces)
    np.testing.assert_array_equal(agreed, at_once[0])
    pairs = np.unique(np.stack([number, at_once[1]]), axis=1)
    assert pairs.shape[1] == number.max() + 1 == at_once[1].max() + 1 > 50


def test_a_soup_of_triangles_takes_a_bounded_number_of_rays(monkeypatch):
    rng, count = np.random.default_rng(0), 500
    area, patch = rng.random(count), rng.permutation(count)
    assert len(orientation._draw_faces(area, patch)) >= 32 * count
    monkeypatch.setattr(orientation, "MOST_RAYS", 2000)
    monkeypatch.setattr(orientation, "RAYS_PER_OBJECT", 10)
    drawn = orientation._draw_faces(area, patch)
    assert len(drawn) == 2000
    assert set(drawn) == set(range(count))


@pytest.mark.slow
def test_four_hundred_thousand_loose_triangles():
    """99 s and 5.75 GB when every one of them got 32 rays."""
    center = np.random.default_rng(0).random((400_000, 1, 3))
    corners = center + 0.01 * np.random.default_rng(1).normal(size=(400_000, 3, 3))
    faces = np.arange(1_200_000).reshape(-1, 3)
    mesh = trimesh.Trimesh(corners.reshape(-1, 3), faces, process=False)
    start = time.monotonic()
    oriented = orientation.orient_outward(meshes.surface_from_mesh(mesh))
    assert time.monotonic() - start < 60
    assert oriented.first.all()


@pytest.mark.data
def test_cameras_see_the_fronts_of_real_models(data_dir):
    """99.7 % of the pixels of every second object; as the files wind them, 98.6 %."""
    intrinsics = camera.r2n2_intrinsics(64)
    transform = camera.camera_from_object(40.0, 28.0, 0.8)
    eye = np.linalg.inv(transform)[:3, 3]
    fronts = []
    for path in sorted(data_dir.glob("objects/*/*/*.glb"))[::24]:
        surface = meshes.normalize(meshes.load_surface(path))
        surface = orientation.orient_outward(surface).surface
        scene = raycast.make_scene(surface.vertices, surface.faces)
        hits = raycast.cast_scene(scene, transform, intrinsics, (64, 64))
        seen = hits.triangle[hits.triangle >= 0]
        centers, normals = centers_and_normals(surface)
        towards = np.einsum("fi,fi->f", normals, eye - centers)[seen]
        fronts.append((towards > 0).mean())
    assert len(fronts) > 25
    assert np.mean(fronts) > 0.99


def test_points_of_a_surface_get_the_normals_of_its_winding():
    surface = shapes.shuffled(shapes.surface_of(shapes.sphere()))
    oriented = orientation.orient_outward(surface).surface
    samples = render.sample_surface(oriented, 500, np.random.default_rng(0))
    outward = np.einsum("ni,ni->n", samples.points, samples.normals)
    assert (outward > 0).all()
