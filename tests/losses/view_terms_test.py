"""Losses by look-up: zero where they must be, closed forms, loops, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import camera, sight
from pixel2mesh_jax.losses import view_terms

SIZE = 16
INTRINSICS = camera.r2n2_intrinsics(SIZE)
MASK = np.zeros((SIZE, SIZE), np.float32)
MASK[4:12, 5:11] = 1
DEPTH = 0.8 * MASK
PIXEL = 0.8 / INTRINSICS[0, 0]


@pytest.fixture(scope="module")
def maps():
    return sight.view_maps(DEPTH, MASK, INTRINSICS)


def at(row, column, depth=0.8):
    """The point at a depth that a pixel shows."""
    grid = np.full((SIZE, SIZE), depth, np.float32)
    return camera.unproject(grid, INTRINSICS)[row, column][None]


def look(point, maps):
    return sight.look_up(jnp.asarray(point), maps, INTRINSICS)


@pytest.mark.parametrize(("depth", "expected"), [(0.7, 0.01), (0.8, 0), (0.9, 0)])
def test_free_space_is_before_the_surface_only(maps, depth, expected):
    found = view_terms.free_space(look(at(8, 8, depth), maps))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(("column", "pixels"), [(8, 0), (10, 0), (12, 1.5), (15, 4.5)])
def test_silhouette_is_the_way_to_the_outline(maps, column, pixels):
    found = view_terms.silhouette(look(at(8, column), maps))
    np.testing.assert_allclose(found, (pixels * PIXEL) ** 2, rtol=1e-4, atol=1e-9)


def test_mask_coverage_is_the_mean_of_a_loop():
    points = np.concatenate([at(8, 8), at(2, 2, 0.9)])
    draw = lambda count: view_terms.mask_coverage(  # noqa: E731
        jax.random.key(0), points, MASK, INTRINSICS, count
    )
    squares = [
        ((row - 8) ** 2 + (column - 8) ** 2) * PIXEL**2
        if np.hypot(row - 8, column - 8) < np.hypot(row - 2, column - 2)
        else ((row - 2) ** 2 + (column - 2) ** 2) * (PIXEL * 9 / 8) ** 2
        for row, column in np.argwhere(MASK)
    ]
    np.testing.assert_allclose(draw(20_000), np.mean(squares), rtol=0.03)


def test_an_empty_mask_asks_for_nothing():
    def total(points):
        seen = sight.look_up(
            points, sight.view_maps(0 * DEPTH, 0 * MASK, INTRINSICS), INTRINSICS
        )
        cover = view_terms.mask_coverage(
            jax.random.key(0), points, 0 * MASK, INTRINSICS, 10
        )
        return view_terms.free_space(seen) + view_terms.silhouette(seen) + cover

    value, slope = jax.value_and_grad(total)(jnp.asarray(at(3, 3)))
    assert value == 0
    assert not np.any(slope)


def test_a_step_down_the_gradient_goes_towards_the_object(maps):
    """A point before the surface goes away from the camera, one beside it inward."""
    ahead = lambda p: view_terms.free_space(look(p, maps))  # noqa: E731
    assert jax.grad(ahead)(jnp.asarray(at(8, 8, 0.7)))[0, 2] > 0
    beside = lambda p: view_terms.silhouette(look(p, maps))  # noqa: E731
    assert jax.grad(beside)(jnp.asarray(at(8, 14)))[0, 0] > 0
    cover = lambda p: view_terms.mask_coverage(  # noqa: E731
        jax.random.key(0), p, MASK, INTRINSICS, 50
    )
    assert jax.grad(cover)(jnp.asarray(at(8, 14)))[0, 0] > 0
