"""Fields on fine grids: what is left out changes nothing."""

import numpy as np
import pytest

from pixel2mesh_jax.geometry import cube, field_grid, isosurface

TRUNCATION = 0.1


def sphere(points):
    return np.linalg.norm(points - np.float32([0.03, -0.02, 0.05]), axis=1) - 0.3


def box(points):
    away = np.abs(points) - np.float32([0.31, 0.12, 0.2])
    outside = np.linalg.norm(np.maximum(away, 0), axis=1)
    return outside + np.minimum(away.max(axis=1), 0)


def torus(points):
    ring = np.hypot(points[:, 0], points[:, 1]) - 0.27
    return np.hypot(ring, points[:, 2]) - 0.09


def balls(points):
    """Two that do not touch, one of them smaller than a block."""
    small = np.linalg.norm(points - np.float32([-0.41, 0.4, 0.4]), axis=1) - 0.02
    return np.minimum(sphere(points), small)


VOLUMES = {
    "sphere": 4 / 3 * np.pi * 0.3**3,
    "box": 8 * 0.31 * 0.12 * 0.2,
    "torus": 2 * np.pi**2 * 0.27 * 0.09**2,
}
SHAPES = {"sphere": sphere, "box": box, "torus": torus, "balls": balls}


class Counter:
    """A truncated field that counts how many points it is asked."""

    def __init__(self, distance):
        self.distance, self.count = distance, 0

    def __call__(self, points):
        self.count += len(points)
        found = np.clip(self.distance(points), -TRUNCATION, TRUNCATION)
        return found.astype(np.float32)


def meshes(ask, resolution):
    """Of the whole grid and of what is looked at."""
    whole = field_grid.whole(ask, resolution)
    part = field_grid.coarse_to_fine(ask, resolution, TRUNCATION)
    return [isosurface.marching_cubes(resolution * f) for f in (whole, part)]


@pytest.mark.parametrize("resolution", [31, 64, 96])
@pytest.mark.parametrize("name", SHAPES)
def test_the_mesh_is_that_of_the_whole_grid_to_the_bit(name, resolution):
    whole, part = meshes(Counter(SHAPES[name]), resolution)
    assert len(whole[1])
    np.testing.assert_array_equal(part[0], whole[0])
    np.testing.assert_array_equal(part[1], whole[1])


@pytest.mark.parametrize("name", ["sphere", "box", "torus"])
def test_the_surface_is_where_it_is(name):
    resolution = 64
    ask = Counter(SHAPES[name])
    field = field_grid.coarse_to_fine(ask, resolution, TRUNCATION)
    index, faces = isosurface.marching_cubes(resolution * field)
    away = SHAPES[name](cube.nodes(index, resolution))
    assert np.abs(away).max() < 0.5 / resolution
    corners = cube.nodes(index, resolution)[faces].astype(np.float64)
    volume = np.linalg.det(corners).sum() / 6
    np.testing.assert_allclose(volume, VOLUMES[name], rtol=0.01)


def test_little_is_looked_at():
    ask = Counter(torus)
    field_grid.coarse_to_fine(ask, 128, TRUNCATION)
    assert ask.count < 0.15 * 128**3


def test_a_field_that_is_no_distance_is_followed_along_its_surface():
    """Ten times too large: blocks near the surface seem to be far from it."""
    steep = lambda points: 10 * torus(points)  # noqa: E731
    whole, part = meshes(Counter(steep), 64)
    np.testing.assert_array_equal(part[0], whole[0])
    np.testing.assert_array_equal(part[1], whole[1])


@pytest.mark.parametrize("value", [-1, 1])
def test_fields_of_one_sign(value):
    found = field_grid.coarse_to_fine(
        Counter(lambda points: np.full(len(points), value)), 64, TRUNCATION
    )
    np.testing.assert_array_equal(np.sign(found), value)
