"""Depth encodings, relative depth and its alignment with metres."""

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest

from pixel2mesh_jax.geometry import depth, templates

DEPTH = np.random.default_rng(0).uniform(0.6, 1.1, (5, 7)).astype(np.float32)
MASK = np.zeros((5, 7), np.float32)
MASK[1:4, 2:6] = 1
DEPTH[2, 3] = 0  # a hole in the sensor's image of the object
VALID = (MASK > 0) & (DEPTH > 0)


def test_disparity_runs_from_0_at_the_back_to_1_at_the_front():
    encoded = np.asarray(depth.disparity(DEPTH, MASK))
    inverse = 1 / DEPTH[VALID]
    expected = (inverse - inverse.min()) / (inverse.max() - inverse.min())
    np.testing.assert_allclose(encoded[VALID], expected, atol=1e-6)
    assert encoded[VALID].argmax() == DEPTH[VALID].argmin()


@pytest.mark.parametrize("encoding", sorted(depth.ENCODINGS))
def test_background_and_holes_are_zero(encoding):
    encoded = np.asarray(depth.ENCODINGS[encoding](DEPTH, MASK))
    np.testing.assert_array_equal(encoded[~VALID], 0)


@pytest.mark.parametrize("encoding", sorted(depth.ENCODINGS))
def test_pixels_outside_the_object_have_no_influence(encoding):
    other = np.where(MASK > 0, DEPTH, 0.1).astype(np.float32)
    encode = depth.ENCODINGS[encoding]
    np.testing.assert_array_equal(encode(DEPTH, MASK), encode(other, MASK))


def test_disparity_ignores_scale_and_shift_of_a_monocular_estimate():
    inverse = 1 / np.where(DEPTH > 0, DEPTH, 1)
    estimate = np.where(DEPTH > 0, 1 / (3.0 * inverse + 2.0), 0).astype(np.float32)
    np.testing.assert_allclose(
        depth.disparity(estimate, MASK), depth.disparity(DEPTH, MASK), atol=1e-5
    )


def test_a_flat_object_has_disparity_1():
    flat = np.full_like(DEPTH, 0.8)
    np.testing.assert_array_equal(depth.disparity(flat, MASK), MASK)


@pytest.mark.parametrize("encoding", sorted(depth.ENCODINGS))
@pytest.mark.parametrize("missing", ["depth", "mask"])
def test_a_image_without_depth_or_object_is_zero(encoding, missing):
    inputs = {"depth": DEPTH, "mask": MASK, missing: np.zeros_like(DEPTH)}
    np.testing.assert_array_equal(depth.ENCODINGS[encoding](**inputs), 0)


def test_metric_measures_from_the_centre_of_the_template_toward_the_camera():
    encoded = depth.metric(np.array([[0.8, 0.52, 1.08]], np.float32), jnp.ones((1, 3)))
    np.testing.assert_allclose(encoded, [[0, 1, -1]], atol=1e-6)


def test_half_covered_pixels_belong_to_the_object():
    mask = np.array([[0.49, 0.5]], np.float32)
    found = depth.object_pixels(np.ones((1, 2), np.float32), mask)
    np.testing.assert_array_equal(found, [[False, True]])


RELATIVE = np.random.default_rng(1).random((5, 7), np.float32)
OBJECT = MASK > 0


def test_relative_inverse_depth_by_hand():
    prediction = 40 * RELATIVE - 7
    prediction[~OBJECT] = 1e9  # of no influence
    relative = depth.relative_inverse_depth(prediction, MASK)
    inside = RELATIVE[OBJECT]
    expected = (inside - inside.min()) / (inside.max() - inside.min())
    np.testing.assert_allclose(relative[OBJECT], expected, atol=1e-6)
    np.testing.assert_array_equal(relative[~OBJECT], 0)
    assert relative.dtype == prediction.dtype


@pytest.mark.parametrize("value", [-3.0, 0.0, 5.0])
def test_a_network_that_sees_no_relief_gives_a_flat_object(value):
    flat = np.full_like(DEPTH, value)
    np.testing.assert_array_equal(depth.relative_inverse_depth(flat, MASK), MASK)


def test_relative_inverse_depth_without_object():
    nothing = np.zeros_like(MASK)
    relative = depth.relative_inverse_depth(RELATIVE, nothing)
    np.testing.assert_array_equal(relative, nothing)


def test_relative_depth_spans_the_template():
    ends = depth.depth_from_relative(np.array([[0, 1]], np.float32), np.ones((1, 2)))
    np.testing.assert_allclose(ends, [[depth.FARTHEST, depth.NEAREST]], rtol=1e-6)
    center, radius = -templates.ELLIPSOID_CENTER[2], max(templates.ELLIPSOID_RADII)
    np.testing.assert_allclose(ends, [[center + radius, center - radius]], atol=1e-3)


def test_disparity_gives_relative_depth_back():
    metres = depth.depth_from_relative(RELATIVE, MASK)
    np.testing.assert_array_equal(metres[~OBJECT], 0)
    expected = depth.relative_inverse_depth(RELATIVE, MASK)
    np.testing.assert_allclose(depth.disparity(metres, MASK), expected, atol=2e-6)


def test_measured_and_estimated_depth_of_one_object_look_alike():
    estimate = 250 / DEPTH.clip(0.1) - 30  # as a network says it
    measured = np.where(MASK > 0, DEPTH.clip(0.1), 0).astype(np.float32)
    relative = depth.relative_inverse_depth(estimate.astype(np.float32), MASK)
    np.testing.assert_allclose(
        depth.disparity(depth.depth_from_relative(relative, MASK), MASK),
        depth.disparity(measured, MASK),
        atol=1e-5,
    )


def test_gradient_of_relative_depth(x64):
    relative = jnp.asarray(RELATIVE, jnp.float64)
    jax.test_util.check_grads(
        lambda r: depth.depth_from_relative(r, MASK), (relative,), 1, ["fwd", "rev"]
    )


def test_a_image_without_depth_has_no_infinities_on_the_way():
    """What `jax_debug_nans` would stop at, in the value and in the gradient."""
    empty = jnp.zeros((4, 4))
    with jax.debug_nans(True), jax.debug_infs(True):
        value, grad = jax.value_and_grad(lambda d: depth.disparity(d, empty).sum())(
            empty
        )
    assert value == 0
    np.testing.assert_array_equal(grad, 0)
