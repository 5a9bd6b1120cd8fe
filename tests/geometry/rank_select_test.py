"""Counting and selecting bits against numpy."""

import functools

import jax
import numpy as np
import pytest

from pixel2mesh_jax.geometry import rank_select

SHAPES = [(7,), (3, 32), (2, 5, 33), (4, 70)]


def random_mask(shape, share, seed=0):
    return np.random.default_rng(seed).random(shape) < share


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_rank_counts_what_is_before(shape, share):
    mask = random_mask(shape, share)
    before = np.cumsum(mask.ravel()) - mask.ravel()
    found = jax.jit(rank_select.rank)(mask)
    np.testing.assert_array_equal(found, before.reshape(shape))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("size", [4, 200])
def test_select_finds_the_first_places_of_all_masks(shape, share, size):
    masks = [random_mask(shape, share, seed) for seed in range(3)]
    run = jax.jit(functools.partial(rank_select.select, size=size))
    number, place, exists = run(masks)
    expected = np.argwhere(np.stack(masks).reshape(3, -1))[:size]
    np.testing.assert_array_equal(exists, np.arange(size) < len(expected))
    found = np.stack([number, place], axis=1)
    np.testing.assert_array_equal(found[: len(expected)], expected)
    assert not found[len(expected) :].any()
