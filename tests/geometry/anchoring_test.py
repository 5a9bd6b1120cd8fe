"""Anchoring: the visible side goes to the depth map, the hidden one is not torn off."""

import numpy as np
import pytest

from pixel2mesh_jax.geometry import anchoring, surface, templates
from pixel2mesh_jax.rendering import raycast
from tests.views_of_solids import CENTER, SIZE, SOLIDS, see


@pytest.fixture(scope="module")
def view():
    return see(SOLIDS["sphere"])


def anchored(view, vertices, faces, steps):
    wanted = anchoring.DepthView(view.depth, view.mask, view.intrinsics)
    return anchoring.anchor(vertices, faces, wanted, steps)


def error(vertices, faces, view):
    """Median distance of the visible side from the depth map, metres."""
    found = raycast.cast(vertices, faces, view.intrinsics, (SIZE, SIZE)).depth
    both = (found > 0) & (view.depth > 0)
    return np.median(np.abs(found - view.depth)[both])


def test_a_shifted_sphere_comes_to_its_depth_map(view):
    shifted = tuple(CENTER + np.array([0.01, 0.0, -0.02]))
    start = templates.icosphere(3, 1, 0.19, shifted)
    faces = np.asarray(start.levels[0].faces)
    moved = anchored(view, start.vertices, faces, 30)
    assert error(start.vertices, faces, view) > 0.02
    assert error(moved, faces, view) < 0.002
    assert surface.signed_volume(moved, faces) > 0.5 * 4 / 3 * np.pi * 0.2**3


def test_what_is_right_stays(view):
    start = templates.icosphere(4, 1, 0.2, tuple(CENTER))
    faces = np.asarray(start.levels[0].faces)
    moved = anchored(view, start.vertices, faces, 10)
    assert np.abs(moved - start.vertices).max() < 0.004
    np.testing.assert_array_equal(
        anchored(view, start.vertices, faces, 0), start.vertices
    )
