"""Losses of the view volume against naive loops, and their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from pixel2mesh_jax.geometry import frustum
from pixel2mesh_jax.geometry.frustum import TRUNCATION
from pixel2mesh_jax.losses import frustum as losses

R = 5
TERMS = {
    "distance": losses.distance_error,
    "sign": losses.sign_error,
    "overlap": losses.overlap_error,
}


@pytest.fixture(scope="module")
def fields():
    rng = np.random.default_rng(0)
    found = rng.uniform(-4, 4, (R, R, R))
    target = np.clip(rng.uniform(-4, 4, (R, R, R)), -TRUNCATION, TRUNCATION)
    base = rng.uniform(-3, 3, (R, R, R))
    return found, target, base


def naive(name, found, target, base):
    total = weights = both = either = 0.0
    for d, t, b in zip(found.ravel(), target.ravel(), base.ravel(), strict=True):
        inside = 1 / (1 + np.exp(d / losses.SOFTNESS))
        weight = losses.SURFACE_WEIGHT if abs(t) < 1 else 1.0
        weight = losses.FREE_WEIGHT if b > 0 else weight
        weights += weight
        if name == "distance":
            one_sided = {TRUNCATION: max(TRUNCATION - d, 0), -TRUNCATION: max(3 + d, 0)}
            total += weight * one_sided.get(t, abs(d - t))
        elif name == "sign":
            total -= weight * np.log(inside if t < 0 else 1 - inside)
        elif b < 0:
            both += inside * (t < 0)
            either += inside + (t < 0) - inside * (t < 0)
    if name == "overlap":
        return 1 - (both + 1) / (either + 1)
    return total / weights


@pytest.mark.parametrize("name", TERMS)
def test_terms_are_their_definition(name, fields):
    found = jax.jit(TERMS[name])(*(jnp.asarray(f, jnp.float32) for f in fields))
    np.testing.assert_allclose(found, naive(name, *fields), rtol=1e-5)


@pytest.mark.parametrize("name", TERMS)
def test_gradients(name, fields, x64):
    found, target, base = (jnp.asarray(f, jnp.float64) for f in fields)
    check_grads(lambda d: TERMS[name](d, target, base), (found,), 1, ("rev",))


def test_truth_is_best(fields):
    _, target, _ = fields
    base = np.minimum(target, -1e-3)
    far = 20 * target  # sure of every sign
    assert losses.distance_error(*map(jnp.asarray, (target, target, base))) == 0
    assert losses.sign_error(*map(jnp.asarray, (far, target, base))) < 2e-2
    assert losses.overlap_error(*map(jnp.asarray, (far, target, base))) < 2e-2


def test_far_colours_count_where_there_is_a_far_side():
    true = np.zeros((R, R, 3), np.uint8)
    true[0] = 255
    found = jnp.full((R, R, 3), 0.5)
    np.testing.assert_allclose(losses.far_color_error(found, true), 0.5, rtol=1e-6)


def test_front_is_the_first_layer_inside():
    target = np.ones((2, 2, 4), np.float32)
    target[0, 0, 2:] = -1  # starts half way
    front = jnp.full((2, 2), 0.25)
    np.testing.assert_allclose(losses.front_error(front, target), 0.25, rtol=1e-6)


def placement_of(near, extent):
    return jnp.asarray([0.0, 0.0, 0.5, near, extent], jnp.float32)


def plane_target(placement, layers, at):
    """int8 distances to a plane across the rays."""
    volume = frustum.unpack(placement)
    cells = (frustum.layer_depths(volume, layers) - at) / frustum.thickness(
        volume, layers
    )
    cells = np.clip(-np.asarray(cells), -TRUNCATION, TRUNCATION)
    stored = np.round(cells * losses.FULL / TRUNCATION).astype(np.int8)
    return np.broadcast_to(stored, (2, 2, layers))


def test_targets_follow_the_layers():
    """A plane is where it was, in cells of the new volume."""
    layers, old = 32, placement_of(0.6, 0.4)
    stored = plane_target(old, layers, at=0.75)
    same = losses.moved_target(stored, old, old)
    np.testing.assert_allclose(same, stored * TRUNCATION / losses.FULL, atol=0.02)
    for new in (
        placement_of(0.62, 0.4),
        placement_of(0.6, 0.5),
        placement_of(0.6, 0.34),
    ):
        expected = plane_target(new, layers, at=0.75) * TRUNCATION / losses.FULL
        found = np.asarray(losses.moved_target(stored, old, new))
        near = np.abs(expected) < 2
        np.testing.assert_allclose(found[near], expected[near], atol=0.05)
        np.testing.assert_array_equal(np.sign(found), np.sign(expected))
