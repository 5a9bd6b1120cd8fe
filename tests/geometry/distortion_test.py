"""Lenses that bend: against OpenCV's formula written out, and there and back."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pixel2mesh_jax.geometry import camera, distortion
from pixel2mesh_jax.geometry.distortion import Distortion

RATIONAL = Distortion((0.4, -0.2, 0.05), (1e-3, -2e-3), (0.35, -0.1, 0.02))
BARREL = Distortion((-0.28, 0.08, 0.0), (5e-4, -3e-4))


def points():
    return np.random.default_rng(0).uniform(-0.6, 0.6, (200, 2))


def by_the_book(x, y, lens):
    """One point, as the documentation of OpenCV's calib3d prints it."""
    k1, k2, k3 = lens.radial
    k4, k5, k6 = lens.denominator or (0, 0, 0)
    p1, p2 = lens.tangential
    r2 = x * x + y * y
    top = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    radial = top / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    return (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    )


@pytest.mark.parametrize("lens", [RATIONAL, BARREL])
def test_the_formula(lens):
    wanted = [by_the_book(x, y, lens) for x, y in points()]
    assert_allclose(distortion.bend(points(), lens), wanted, atol=1e-12)


def test_the_modified_model_shifts_at_the_bent_point():
    """Differs from the usual one by products of both kinds of terms only."""
    lens = BARREL._replace(model="modified")
    change = distortion.bend(points(), lens) - distortion.bend(points(), BARREL)
    assert 1e-6 < np.abs(change).max() < 1e-3
    alone = lens._replace(radial=(0.0, 0.0, 0.0))
    usual = BARREL._replace(radial=(0.0, 0.0, 0.0))
    assert_allclose(
        distortion.bend(points(), alone), distortion.bend(points(), usual), atol=0
    )


def test_the_inverse_model_is_the_other_way_round():
    lens = BARREL._replace(model="inverse")
    shown = distortion.shown_at(points(), lens, 1e-9)
    assert_allclose(distortion.bend(shown, BARREL), points(), atol=1e-9)


def test_pixels_of_a_lens_without_distortion():
    matrix = camera.pinhole(100.0, 31.5, 23.5)
    places = distortion.sources(matrix, (48, 64), Distortion((0.0,)))
    assert_allclose(places, np.indices((48, 64)), atol=1e-5)


def test_pixels_of_a_barrel_come_from_nearer_the_middle():
    matrix = camera.pinhole(60.0, 31.5, 23.5)
    rows, columns = distortion.sources(matrix, (48, 64), BARREL)
    assert rows[0, 0] > 1
    assert columns[0, 0] > 1
    assert columns[24, 63] < 62
    assert_allclose([rows[23, 31], columns[23, 31]], [23, 31], atol=0.02)


def test_where_a_lens_folds_over_nothing_is_shown():
    """k1 = -1: radius r (1 - r^2) grows up to r = 1 / sqrt(3) = 0.577 only."""
    lens = Distortion((-1.0,))
    radii = np.array([[0.3, 0.0], [0.57, 0.0], [0.6, 0.0], [1.0, 0.0]])
    found = distortion.shown_at(radii, lens, 1e-6)
    assert np.isfinite(found[:2]).all()
    assert np.isnan(found[2:]).all()
    solved = distortion.shown_at(radii, lens._replace(model="inverse"), 1e-6)
    assert np.isfinite(solved[0]).all()  # 0.3 = r (1 - r^2) at 0.34
    assert np.isnan(solved[1:]).all()  # the largest that is bent at all is 0.385
