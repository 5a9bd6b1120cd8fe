"""Losses of depth maps: invariance, empty masks, a loop over the pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.losses import depth as losses

LOSSES = {"relative": losses.relative_error, "metric": losses.metric_error}


def maps(seed=0, shape=(6, 7)):
    rng = np.random.default_rng(seed)
    found, true = 0.6 + 0.4 * rng.random((2, *shape), dtype=np.float32)
    mask = (rng.random(shape) < 0.8).astype(np.float32)
    found[0, 0] = true[1, 1] = 0  # missing
    return found, true, mask


def test_relative_error_is_that_of_a_loop():
    found, true, mask = maps()
    pairs = [
        (1 / a, 1 / b)
        for a, b, m in zip(found.ravel(), true.ravel(), mask.ravel(), strict=True)
        if a > 0 and b > 0 and m >= 0.5
    ]
    columns = [np.array(column, np.float64) for column in zip(*pairs, strict=True)]
    columns = [column - column.mean() for column in columns]
    a, b = (column / np.abs(column).mean() for column in columns)
    expected = np.abs(a - b).mean()
    np.testing.assert_allclose(
        losses.relative_error(found, true, mask), expected, rtol=1e-5
    )


@pytest.mark.parametrize(("scale", "shift"), [(3.0, 0.0), (1.0, 0.7), (0.4, -0.2)])
def test_scale_and_shift_of_inverse_depth_do_not_matter(scale, shift):
    found, true, mask = maps()
    safe = np.where(true > 0, true, 1)
    other = np.where(true > 0, 1 / (scale / safe + shift), 0).astype(np.float32)
    before = losses.relative_error(found, true, mask)
    np.testing.assert_allclose(
        losses.relative_error(found, other, mask), before, rtol=1e-4
    )
    np.testing.assert_allclose(losses.relative_error(true, other, mask), 0, atol=1e-4)
    assert losses.metric_error(true, other, mask) > 0.01


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("what", ["mask", "found", "true", "flat"])
def test_empty_masks_and_flat_surfaces_have_finite_gradients(name, what):
    found, true, mask = maps()
    changes = {
        "mask": (found, true, 0 * mask),
        "found": (0 * found, true, mask),
        "true": (found, 0 * true, mask),
        "flat": (0 * found + 0.8, 0 * true + 0.8, mask),
    }
    value, slope = jax.value_and_grad(LOSSES[name])(*map(jnp.asarray, changes[what]))
    assert np.isfinite(value)
    assert np.isfinite(slope).all()
    if what != "flat":
        assert value == 0
        assert not np.any(slope)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name, x64):
    found, true, mask = (np.float64(x) for x in maps())
    with_gradient = jax.grad(LOSSES[name])(found, true, mask)
    for place in [(0, 1), (2, 3), (5, 6)]:
        step = np.zeros_like(found)
        step[place] = 1e-6
        ahead, behind = (LOSSES[name](found + s * step, true, mask) for s in (1, -1))
        np.testing.assert_allclose(
            with_gradient[place], (ahead - behind) / 2e-6, rtol=1e-4, atol=1e-8
        )
