"""Depth encodings, relative depth and its alignment with metres."""

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest
import scipy.optimize

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import depth, templates

DEPTH = np.random.default_rng(0).uniform(0.6, 1.1, (5, 7)).astype(np.float32)
MASK = np.zeros((5, 7), np.float32)
MASK[1:4, 2:6] = 1
DEPTH[2, 3] = 0  # a hole in the sensor's picture of the object
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
def test_a_picture_without_depth_or_object_is_zero(encoding, missing):
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


def line(scale=-3.0, shift=20.0):
    """A prediction that this line turns into the inverse of `DEPTH`."""
    inverse = 1 / np.where(DEPTH > 0, DEPTH, 1)
    return ((inverse - shift) / scale).astype(np.float32)


@pytest.mark.parametrize("method", depth.ALIGNMENTS)
@pytest.mark.parametrize("true", [(2.0, 0.1), (0.03, 0.7), (-3.0, 20.0)])
def test_alignment_finds_scale_and_shift(method, true):
    found = depth.align_scale_shift(line(*true), DEPTH, MASK, method)
    np.testing.assert_allclose(found, true, rtol=1e-3)


def test_least_squares_equals_numpy():
    rng = np.random.default_rng(3)
    noisy = line(2.0, 0.1) + rng.normal(0, 0.05, DEPTH.shape).astype(np.float32)
    expected = np.polyfit(noisy[VALID], 1 / DEPTH[VALID], 1)
    np.testing.assert_allclose(
        depth.align_scale_shift(noisy, DEPTH, MASK), expected, rtol=1e-4
    )


def test_least_absolute_equals_linear_programming():
    """min sum e with -e <= scale p + shift - t <= e, solved exactly by scipy."""
    rng = np.random.default_rng(4)
    noisy = line(2.0, 0.1) + rng.normal(0, 0.05, DEPTH.shape).astype(np.float32)
    p, t = noisy[VALID].astype(float), 1 / DEPTH[VALID].astype(float)
    columns, own = np.stack([p, np.ones_like(p)], axis=1), np.eye(len(p))
    solution = scipy.optimize.linprog(
        [0, 0, *np.ones_like(p)],
        np.block([[columns, -own], [-columns, -own]]),
        np.concatenate([t, -t]),
        bounds=[(None, None)] * 2 + [(0, None)] * len(p),
    )
    scale, shift = depth.align_scale_shift(noisy, DEPTH, MASK, "least_absolute")
    assert np.abs(scale * p + shift - t).sum() < 1.001 * solution.fun
    np.testing.assert_allclose([scale, shift], solution.x[:2], atol=0.02)


def test_a_third_of_wrong_pixels_moves_only_least_squares():
    reference = DEPTH.copy()
    rows, columns = np.nonzero(VALID)
    reference[rows[::3], columns[::3]] = 5.0  # a wall behind the object
    prediction = line(2.0, 0.1)
    robust = depth.align_scale_shift(prediction, reference, MASK, "least_absolute")
    np.testing.assert_allclose(robust, [2.0, 0.1], atol=1e-3)
    plain = depth.align_scale_shift(prediction, reference, MASK)
    assert abs(plain.scale - 2.0) + abs(plain.shift - 0.1) > 0.3


@pytest.mark.parametrize("method", depth.ALIGNMENTS)
def test_aligned_depth_does_not_depend_on_the_scale_of_the_prediction(method):
    prediction = line(2.0, 0.1) + 0.1 * RELATIVE
    other = 7 * prediction - 3
    aligned = [
        scale * image + shift
        for image in (prediction, other)
        for scale, shift in [depth.align_scale_shift(image, DEPTH, MASK, method)]
    ]
    np.testing.assert_allclose(*aligned, rtol=1e-3)


@pytest.mark.parametrize("method", depth.ALIGNMENTS)
def test_alignment_looks_at_object_pixels_with_reference_only(method):
    prediction = line(2.0, 0.1)
    prediction[~VALID] = 1e6
    reference = np.where(MASK > 0, DEPTH, 0.01).astype(np.float32)
    np.testing.assert_array_equal(
        depth.align_scale_shift(prediction, reference, MASK, method),
        depth.align_scale_shift(line(2.0, 0.1), DEPTH, MASK, method),
    )


@pytest.mark.parametrize("method", depth.ALIGNMENTS)
def test_alignment_of_a_constant_prediction(method):
    flat = np.full_like(DEPTH, 4.0)
    scale, shift = depth.align_scale_shift(flat, DEPTH, MASK, method)
    inverse = 1 / DEPTH[VALID]
    assert scale == 0
    if method == "least_squares":
        np.testing.assert_allclose(shift, inverse.mean(), rtol=1e-5)
    else:  # the best constant is a median
        sums = [np.abs(inverse - value).sum() for value in (shift, np.median(inverse))]
        np.testing.assert_allclose(*sums, rtol=1e-3)


@pytest.mark.parametrize("method", depth.ALIGNMENTS)
@pytest.mark.parametrize("missing", ["reference", "mask"])
def test_alignment_without_any_pixel(method, missing):
    inputs = {"reference": DEPTH, "mask": MASK, missing: np.zeros_like(DEPTH)}
    found = depth.align_scale_shift(RELATIVE, **inputs, method=method)
    np.testing.assert_array_equal(found, [0, 0])


@pytest.mark.parametrize("method", depth.ALIGNMENTS)
def test_gradient_of_alignment(method, x64):
    noisy = jnp.asarray(line(2.0, 0.1) + 0.1 * RELATIVE, jnp.float64)
    reference = jnp.asarray(DEPTH, jnp.float64)
    mask = jnp.asarray(MASK, jnp.float64)

    def residual(prediction):
        scale, shift = depth.align_scale_shift(prediction, reference, mask, method)
        inverse = 1 / jnp.where(VALID, reference, 1)
        error = jnp.where(VALID, scale * prediction + shift - inverse, 0)
        return jnp.sum(error**2)

    jax.test_util.check_grads(residual, (noisy,), 1, ["rev"], rtol=1e-3)


@pytest.mark.parametrize("method", depth.ALIGNMENTS)
@pytest.mark.parametrize("flat", [True, False])
def test_gradient_of_alignment_is_finite_where_it_is_singular(method, flat):
    image = jnp.full_like(DEPTH, 4.0) if flat else jnp.asarray(RELATIVE)
    mask = MASK if flat else np.zeros_like(MASK)

    def total(prediction):
        return sum(depth.align_scale_shift(prediction, DEPTH, mask, method))

    assert np.isfinite(jax.grad(total)(image)).all()


def test_unknown_alignment():
    with pytest.raises(InputError, match="unknown alignment 'x'; valid: least_squares"):
        depth.align_scale_shift(RELATIVE, DEPTH, MASK, "x")


def test_a_picture_without_depth_has_no_infinities_on_the_way():
    """What `jax_debug_nans` would stop at, in the value and in the gradient."""
    empty = jnp.zeros((4, 4))
    with jax.debug_nans(True), jax.debug_infs(True):
        value, grad = jax.value_and_grad(lambda d: depth.disparity(d, empty).sum())(
            empty
        )
    assert value == 0
    np.testing.assert_array_equal(grad, 0)
