"""Distances to a mask, against scipy and a loop over all pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from pixel2mesh_jax.geometry import distance_map


def blobs(seed, shape=(17, 23), share=0.08):
    return np.random.default_rng(seed).random(shape) < share


@pytest.mark.parametrize("seed", range(3))
def test_nearest_pixel_is_covered_and_as_near_as_scipy_says(seed):
    covered = blobs(seed)
    nearest = np.asarray(jax.jit(distance_map.nearest_pixel)(covered))
    assert covered[nearest[..., 0], nearest[..., 1]].all()
    steps = nearest - np.stack(np.indices(covered.shape), axis=-1)
    expected = ndimage.distance_transform_edt(~covered)
    np.testing.assert_allclose(np.hypot(*np.moveaxis(steps, -1, 0)), expected)


def test_signed_distance_is_half_a_pixel_beside_the_outline():
    covered = np.zeros((9, 9), bool)
    covered[2:7, 3:8] = True
    found = np.asarray(distance_map.signed_distance(covered))
    np.testing.assert_allclose(
        found[4], [2.5, 1.5, 0.5, -0.5, -1.5, -2.5, -1.5, -0.5, 0.5]
    )
    outside = ndimage.distance_transform_edt(~covered)
    np.testing.assert_allclose(found[~covered], outside[~covered] - 0.5, rtol=1e-6)


@pytest.mark.parametrize("value", [False, True])
def test_without_an_outline_every_distance_is_zero(value):
    covered = np.full((4, 5), value)
    assert not np.any(distance_map.signed_distance(covered))
    if not value:
        itself = np.stack(np.indices(covered.shape), axis=-1)
        np.testing.assert_array_equal(distance_map.nearest_pixel(covered), itself)


def test_a_batch_is_its_rows():
    covered = np.stack([blobs(0), blobs(1)])
    both = jax.vmap(distance_map.signed_distance)(jnp.asarray(covered))
    for row, expected in zip(covered, both, strict=True):
        np.testing.assert_array_equal(distance_map.signed_distance(row), expected)
