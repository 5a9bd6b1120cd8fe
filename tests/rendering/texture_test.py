"""Textures: charts made by hand, whose texels have a known place, and of xatlas."""

import re
import sys

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose, assert_array_equal

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera, surface
from pixel2mesh_jax.rendering import atlas as atlases
from pixel2mesh_jax.rendering import texture
from pixel2mesh_jax.rendering.atlas import Atlas
from pixel2mesh_jax.structures import HostMesh, View

SIZE = 64
PIXELS = 101
LENS = camera.pinhole(100.0, 50.0, 50.0)
SQUARE = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
TWO = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
GREEN = (0.0, 1.0, 0.0)


def quad(side=0.6, depth=1.0, turned=0.0, count=1):
    """A square across the optical axis, turned around the y axis by degrees."""
    angle = np.deg2rad(turned)
    flat = SQUARE * side / 2
    x, z = flat[:, 0] * np.cos(angle), flat[:, 0] * np.sin(angle) - depth
    vertices = np.stack([x, flat[:, 1], z], axis=1).astype(np.float32)
    return HostMesh(vertices, TWO, np.tile(np.float32(GREEN), (4, 1)))


def whole_square():
    return Atlas((SQUARE + 1) / 2, np.arange(4, dtype=np.int32), TWO)


def ramp(alpha=None):
    """An image whose red grows with the column, blue with the row."""
    rgba = np.full((PIXELS, PIXELS, 4), 255, np.uint8)
    rgba[..., 0] = 2 * np.arange(PIXELS)
    rgba[..., 1] = 0
    rgba[..., 2] = 2 * np.arange(PIXELS)[:, None]
    if alpha is not None:
        rgba[..., 3] = alpha
    return View(rgba, np.zeros((PIXELS, PIXELS), np.float32), LENS)


def expected(positions):
    """sRGB bytes of the ramp where points project."""
    u, v = camera.project(positions, LENS).T
    return np.stack([2 * u, 0 * u, 2 * v], axis=1)


def places_of_texels(mesh, atlas, size=SIZE):
    hits = atlases.texels(atlas, size)
    covered = hits.triangle >= 0
    corners = mesh.vertices[mesh.faces[hits.triangle[covered]]]
    points = np.einsum("nk,nkc->nc", hits.barycentric[covered], corners)
    return covered, points


def test_texels_are_points_of_the_triangles():
    mesh, atlas = quad(), whole_square()
    covered, points = places_of_texels(mesh, atlas)
    assert covered.all()
    middles = (np.arange(SIZE) + 0.5) / SIZE * 0.6 - 0.3
    grid = points.reshape(SIZE, SIZE, 3)
    assert_allclose(grid[0, :, 0], middles, atol=1e-6)
    assert_allclose(grid[:, 0, 1], -middles, atol=1e-6)  # the top row is at v = 1


def test_what_the_camera_sees_is_the_image():
    mesh, atlas = quad(), whole_square()
    _, points = places_of_texels(mesh, atlas)
    found = texture.paint(mesh, atlas, ramp(), SIZE)
    inner = (slice(4, -4), slice(4, -4))
    wanted = expected(points).reshape(SIZE, SIZE, 3)
    assert_allclose(found[inner], wanted[inner], atol=1)
    assert np.abs(found[0, 0].astype(int) - (0, 255, 0)).max() < 128  # at its outline


def test_beside_the_mask_and_the_image_vertices_count():
    alpha = np.where(np.arange(PIXELS) < 50, 255, 0)
    mesh, atlas = quad(), whole_square()
    found = texture.paint(mesh, atlas, ramp(alpha), SIZE)
    assert_array_equal(
        found[:, SIZE // 2 + 3 :], np.broadcast_to((0, 255, 0), (64, 29, 3))
    )
    assert (found[10:-10, 10:20, 1] == 0).all()
    beyond = quad(side=2.0)  # four fifths of it are beyond the image
    found = texture.paint(beyond, atlas, ramp(), SIZE)
    assert_array_equal(found[:8], np.broadcast_to((0, 255, 0), (8, SIZE, 3)))
    blank = texture.paint(mesh, atlas, ramp(np.zeros(PIXELS)), SIZE)
    assert (blank == (0, 255, 0)).all()


@pytest.mark.parametrize(("turned", "share"), [(0.0, 1.0), (60.0, 1.0), (88.0, 0.0)])
def test_what_is_seen_edge_on_is_not_believed(turned, share):
    mesh = quad(turned=turned)
    middle = np.array([[0.0, 0.0, -1.0]])
    cosine = np.cos(np.deg2rad([turned]))
    assert texture.image_colors(mesh, middle, cosine, ramp())[1] == share


def test_what_is_hidden_has_the_colours_of_the_vertices():
    """A small square before a large one; both in one atlas, side by side."""
    front, back = quad(0.2, 0.8), quad(0.6, 1.0)
    mesh = HostMesh(
        np.concatenate([front.vertices, back.vertices]),
        np.concatenate([TWO, TWO + 4]),
        np.concatenate([front.colors, back.colors]),
    )
    half = (SQUARE + 1) / 2 * np.array([0.5, 1.0])
    uv = np.concatenate([half, half + np.array([0.5, 0.0])]).astype(np.float32)
    atlas = Atlas(uv, np.arange(8, dtype=np.int32), mesh.faces)
    _, points = places_of_texels(mesh, atlas, 2 * SIZE)
    points = points.reshape(2 * SIZE, 2 * SIZE, 3)
    found = texture.paint(mesh, atlas, ramp(), 2 * SIZE)
    shadow = np.abs(points[..., :2] / -points[..., 2:]).max(axis=2) < 0.1 / 0.8
    behind = shadow & (points[..., 2] < -0.9)
    assert behind.sum() > 500
    assert_array_equal(found[behind], np.broadcast_to((0, 255, 0), (behind.sum(), 3)))
    seen = np.zeros_like(behind)
    seen[20:-20, 12:52] = True  # of the front, away from its outline
    wanted = expected(points[seen])
    assert_allclose(found[seen], wanted, atol=1)


def test_space_between_charts_has_the_colour_of_the_nearest():
    mesh = quad()
    small = whole_square()._replace(uv=((SQUARE + 1) / 4).astype(np.float32))
    found = texture.paint(mesh, small, ramp(np.zeros(PIXELS)), SIZE)
    assert (found == (0, 255, 0)).all()


def test_a_mesh_without_colours_is_grey_where_it_is_not_seen():
    mesh = quad()._replace(colors=None)
    found = texture.paint(mesh, whole_square(), ramp(np.zeros(PIXELS)), SIZE)
    assert (found == round(texture.UNKNOWN * 255)).all()


@pytest.mark.parametrize("size", [-1, 63, 8193])
def test_sizes_have_bounds(size):
    with pytest.raises(InputError, match="expected 64 to 8192 texels a side"):
        atlases.check_size(size)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "xatlas", None)
    with pytest.raises(InputError, match=re.escape("pixel2mesh-jax[texture]")):
        atlases.load_xatlas()


def test_charts_hold_every_triangle_once():
    pytest.importorskip("xatlas")
    ball = trimesh.creation.icosphere(3, 0.3)
    vertices = np.asarray(ball.vertices, np.float32) - np.float32([0, 0, 1])
    faces = np.asarray(ball.faces, np.int32)
    found = atlases.unwrap(vertices, faces, 256)
    assert_array_equal(found.rows[found.faces], faces)
    assert found.uv.min() >= 0
    assert found.uv.max() <= 1
    flat = np.concatenate([found.uv, np.zeros((len(found.uv), 1))], axis=1)
    area = surface.face_areas(flat, found.faces).sum() * 256**2
    covered = (atlases.texels(found, 256).triangle >= 0).sum()
    assert covered == pytest.approx(area, rel=0.02)  # charts do not overlap
    again = atlases.unwrap(vertices * 1024, faces, 256)
    assert_allclose(again.uv, found.uv, atol=1e-4)  # in any unit


def test_a_painted_ball_shows_the_image():
    pytest.importorskip("xatlas")
    ball = trimesh.creation.icosphere(4, 0.3)
    vertices = np.asarray(ball.vertices, np.float32) - np.float32([0, 0, 1])
    mesh = HostMesh(vertices, np.asarray(ball.faces, np.int32))
    found = texture.make_texture(mesh, ramp(), 256)
    atlas = Atlas(found.uv, found.rows, found.faces)
    covered, points = places_of_texels(mesh, atlas, 256)
    from_middle = (points - (0, 0, -1)) / 0.3
    cosine = -np.sum(from_middle * points, axis=1) / np.linalg.norm(points, axis=1)
    front, back = cosine > 0.6, cosine < 0
    assert_allclose(found.image[covered][front], expected(points[front]), atol=1.5)
    grey = round(texture.UNKNOWN * 255)
    assert (found.image[covered][back] == grey).all()
