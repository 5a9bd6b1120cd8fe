"""Depth maps as of a sensor: what changes, and what must not."""

import functools

import jax
import numpy as np
import pytest

from pixel2mesh_jax.geometry import depth_noise
from tests.views_of_solids import SOLIDS, see

NUM_DRAWS = 32


@pytest.fixture(scope="module")
def view():
    return see(SOLIDS["torus"])


def draws(view, share, factor=1.0):
    keys = jax.random.split(jax.random.key(0), NUM_DRAWS)
    worse = functools.partial(depth_noise.sensor_like, share=share)
    depth = view.depth * np.float32(factor)
    return np.asarray(jax.jit(jax.vmap(worse, (0, None, None)))(keys, depth, view.mask))


def test_share_zero_changes_nothing(view):
    np.testing.assert_array_equal(draws(view, 0.0)[0], view.depth)


def test_share_is_the_part_that_is_made_worse(view):
    changed = (draws(view, 0.5) != view.depth).any(axis=(1, 2))
    assert 0.25 < changed.mean() < 0.75


def test_depth_is_lost_but_never_made_up(view):
    found = draws(view, 1.0)
    assert (found[:, view.depth == 0] == 0).all()
    lost = (found[:, view.depth > 0] == 0).mean(axis=1)
    assert 0.01 < lost.mean() < 0.4
    assert lost.max() < 0.9


def test_what_remains_is_near_the_truth(view):
    """Within two percent, but for pixels that fly between two surfaces."""
    found = draws(view, 1.0)
    there = found > 0
    ratio = found[there] / np.broadcast_to(view.depth, found.shape)[there]
    assert np.quantile(np.abs(ratio - 1), 0.97) < 0.02
    assert (ratio != 1).mean() > 0.5


def test_the_unit_does_not_matter(view):
    metres, millimetres = draws(view, 1.0), draws(view, 1.0, factor=1000.0)
    same = np.isclose(millimetres, 1000 * metres, rtol=1e-3)
    assert same.mean() > 0.98  # rounding moves a few pixels over a threshold


def test_images_without_depth_stay_without(view):
    empty = view._replace(depth=np.zeros_like(view.depth))
    assert not draws(empty, 1.0).any()
    nothing = empty._replace(mask=np.zeros_like(view.mask))
    assert not draws(nothing, 1.0).any()
