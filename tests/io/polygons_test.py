"""Polygons become the triangles that a modelling program would show."""

import numpy as np
import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import surface as surface_geometry
from pixel2mesh_jax.io import mesh_limits, polygons

# The letter C: outline of area 0.625 with a notch on the right.
LETTER = np.array(
    [(1, 0), (1, 0.25), (0.25, 0.25), (0.25, 0.75), (1, 0.75), (1, 1), (0, 1), (0, 0)]
)


def flat(outline):
    return np.column_stack([outline, np.zeros(len(outline))])


def cut(vertices, *sizes):
    corners = np.arange(len(vertices))
    places, owner = polygons.triangulate(vertices, corners, np.array(sizes))
    return corners[places], owner


@pytest.mark.parametrize("start", range(8))
@pytest.mark.parametrize("turned", [False, True])
def test_concave_polygon(start, turned):
    """Also from behind, from any corner on, and askew in space."""
    outline = np.roll(flat(LETTER), start, axis=0)[:: -1 if turned else 1]
    askew = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    vertices = outline @ askew.T + 7
    faces, _ = cut(vertices, 8)
    assert len(faces) == 6
    areas = surface_geometry.face_areas(vertices, faces)
    assert areas.sum() == pytest.approx(0.625)
    normals = surface_geometry.face_normals(vertices, faces)
    expected = np.linalg.det(askew) * askew[:, 2] * (-1 if turned else 1)
    np.testing.assert_allclose(normals[areas > 1e-9], [expected] * 6, atol=1e-9)


@pytest.mark.parametrize("start", range(4))
def test_quadrilateral_with_a_notch(start):
    arrow = np.roll(flat(np.array([(0, 0), (2, 1), (0, 2), (1, 1)])), start, axis=0)
    faces, _ = cut(arrow, 4)
    assert surface_geometry.face_areas(arrow, faces).sum() == pytest.approx(1)


def test_convex_polygons_are_fans_in_their_order():
    square = flat(np.array([(0, 0), (1, 0), (1, 1), (0, 1)]))
    triangle = flat(np.array([(0, 0), (1, 0), (0, 1)]))
    faces, owner = cut(np.concatenate([square, triangle, square]), 4, 3, 4)
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6], [7, 8, 9], [7, 9, 10]]
    assert owner.tolist() == [0, 0, 1, 2, 2]


def test_polygon_that_is_not_flat():
    """A saddle of four corners has two triangles whichever way it is cut."""
    saddle = np.array([(0, 0, 1), (1, 0, 0), (1, 1, 1), (0, 1, 0)], float)
    faces, _ = cut(saddle, 4)
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    bent = flat(LETTER)
    bent[:, 2] = 0.3 * bent[:, 0] ** 2
    faces, _ = cut(bent, 8)
    assert surface_geometry.face_areas(flat(LETTER), faces).sum() == pytest.approx(
        0.625
    )


def test_fewer_than_three_corners_are_no_surface():
    faces, owner = cut(np.zeros((6, 3)), 1, 2, 3)
    assert faces.tolist() == [[3, 4, 5]]
    assert owner.tolist() == [2]


@pytest.mark.parametrize("outline", [np.zeros((6, 2)), np.full((6, 2), np.nan)])
def test_degenerate_polygons_do_no_harm(outline):
    assert len(cut(flat(outline), 6)[0]) == 4


def test_limits(monkeypatch):
    monkeypatch.setattr(mesh_limits, "MAX_POLYGON", 5)
    with pytest.raises(InputError, match="a face has 6 corners; at most 5"):
        cut(np.zeros((6, 3)), 6)
    with pytest.raises(InputError, match="vertices 0 to 9"):
        polygons.triangulate(np.zeros((3, 3)), np.array([0, 1, 9]), np.array([3]))
