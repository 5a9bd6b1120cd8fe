"""Planes of symmetry: those of a box are found, a lopsided thing has none."""

import numpy as np
import pytest

from pixel2mesh_jax.geometry import frustum, symmetry
from tests.views_of_solids import BOX_AXES, CENTER, SOLIDS, parts_of, see


def mirrors_of(distance, count=3, unit=1.0):
    """Of a solid that is known all around; lengths times `unit`."""
    volume, true, measured, depth, _ = parts_of(see(distance))
    volume = volume._replace(near=volume.near * unit, extent=volume.extent * unit)
    limit = frustum.TRUNCATION
    field = np.clip(true, -limit, limit)
    return symmetry.find_mirrors(field, measured, depth * unit, volume, count)


def lopsided(points):
    """Four balls of four sizes: no plane makes it its own image."""
    places = [(-0.14, -0.08, 0.05), (0.12, -0.1, -0.06), (0.05, 0.14, 0.08)]
    places = np.array([*places, (-0.05, 0.02, -0.13)])
    sizes = (0.05, 0.08, 0.06, 0.095)
    away = [
        np.linalg.norm(points - CENTER - place, axis=-1) - size
        for place, size in zip(places, sizes, strict=True)
    ]
    return np.minimum.reduce(away)


def test_the_three_planes_of_a_box_are_found():
    mirrors = mirrors_of(SOLIDS["box"])
    assert len(mirrors) == 3
    cosines = np.abs([mirror.normal for mirror in mirrors] @ BOX_AXES.T)
    degrees = np.degrees(np.arccos(np.clip(cosines.max(axis=1), 0, 1)))
    assert degrees.max() < 2
    assert sorted(cosines.argmax(axis=1)) == [0, 1, 2]
    for mirror in mirrors:
        assert abs(mirror.normal @ CENTER - mirror.offset) < 0.005
        assert mirror.misfit < 0.1


def test_the_best_come_first_and_no_more_than_wanted():
    mirrors = mirrors_of(SOLIDS["torus"])
    misfits = [mirror.misfit for mirror in mirrors]
    assert misfits == sorted(misfits)
    assert len(mirrors_of(SOLIDS["torus"], count=1)) == 1
    assert mirrors_of(SOLIDS["torus"], count=0) == []


def test_a_lopsided_thing_has_no_plane_that_fits():
    assert all(mirror.misfit > 0.15 for mirror in mirrors_of(lopsided))


def plane(normal, misfit=0.1):
    normal = np.array(normal, float)
    return symmetry.Mirror(normal / np.linalg.norm(normal), 0.0, misfit)


def test_planes_that_lean_are_left_out():
    """A camera that looks down by 30 degrees."""
    up = np.array([0, np.sqrt(3), 1]) / 2
    side, front = plane([1, 0, 0]), plane(np.cross(up, [1, 0, 0]))
    level, between = plane(up), plane([1, *np.cross(up, [1, 0, 0])[1:]])
    leans = plane([0.5, *up[1:]])
    standing = symmetry.standing([side, leans, front, level, between])
    assert standing == [side, front, level, between]
    assert symmetry.standing([]) == []


def test_the_better_of_two_planes_says_where_up_is():
    up = np.array([0, np.sqrt(3), 1]) / 2
    level, wrong = plane(up, 0.02), plane([0.4, *up[1:]], 0.2)
    assert symmetry.standing([level, wrong]) == [level]


def test_a_plane_that_no_upright_camera_sees_is_left_out():
    """Its up would be that of a camera that looks up by 60 degrees."""
    assert symmetry.standing([plane([0.5, np.sin(np.pi / 3), 0.5])]) == []


def test_nothing_seen_or_nothing_inside_has_none():
    volume, true, measured, depth, _ = parts_of(see(SOLIDS["box"]))
    none = np.zeros_like(depth)
    assert symmetry.find_mirrors(true, measured, none, volume, 3) == []
    empty = np.full_like(true, 3.0)
    assert symmetry.find_mirrors(empty, measured, depth, volume, 3) == []


def test_the_unit_does_not_matter():
    for metres, millimetres in zip(
        mirrors_of(SOLIDS["box"]), mirrors_of(SOLIDS["box"], unit=1000.0), strict=True
    ):
        np.testing.assert_allclose(millimetres.normal, metres.normal, atol=1e-3)
        assert millimetres.offset == pytest.approx(1000 * metres.offset, abs=1)


def test_an_object_right_before_the_camera_is_searched_too():
    """Mirrored points come to lie beside and behind the camera."""
    volume, true, measured, depth, _ = parts_of(see(SOLIDS["box"]))
    near = np.float32(0.05) * volume.near
    close = volume._replace(near=near)
    depth = np.where(depth > 0, depth - volume.near + near, 0)
    mirrors = symmetry.find_mirrors(true, measured, depth, close, 3)
    assert all(np.isfinite([*mirror.normal, mirror.offset]).all() for mirror in mirrors)


def test_mirrored_twice_is_where_it_was():
    normal = np.array([2.0, -1.0, 2.0]) / 3
    mirror = symmetry.Mirror(normal, 0.3, 0.0)
    points = np.random.default_rng(0).normal(size=(20, 3))
    there = symmetry.mirrored(points, mirror)
    np.testing.assert_allclose(symmetry.mirrored(there, mirror), points, atol=1e-12)
    np.testing.assert_allclose((points + there) / 2 @ normal, 0.3, atol=1e-12)
