"""Bilinear sampling against a naive sum over all cells and recorded numbers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from pixel2mesh_jax.geometry import interpolate
from tests import oracles

FEATURES = np.random.default_rng(0).normal(size=(5, 7, 2)).astype(np.float32)


def bilinear(feature_map, uv):
    return interpolate.sample(
        feature_map, interpolate.corners(uv, feature_map.shape[:2])
    )


def bilinear_zeros(feature_map, uv):
    return interpolate.sample(
        feature_map, interpolate.corners_zeros(uv, feature_map.shape[:2])
    )


def positions(low, high, num=60, seed=1):
    return np.random.default_rng(seed).uniform(low, high, (num, 2)).astype(np.float32)


def test_matches_a_sum_over_all_cells():
    uv = positions(-2, 9)
    expected = [oracles.bilinear(FEATURES, *position) for position in uv]
    np.testing.assert_allclose(bilinear(FEATURES, uv), expected, atol=1e-5)


def test_cell_centres_have_the_value_of_the_cell():
    # The released TensorFlow code gives 0 here, see the table in geometry/pooling.py.
    v, u = np.mgrid[:5, :7]
    uv = np.stack([u.ravel(), v.ravel()], axis=1).astype(np.float32)
    np.testing.assert_allclose(
        bilinear(FEATURES, uv), FEATURES.reshape(-1, 2), atol=1e-6
    )


@pytest.mark.parametrize("uv", [(-5, 2), (90, 2), (3, -1), (3, 70)])
def test_outside_the_border_value_is_repeated(uv):
    u, v = np.clip(uv, 0, (6, 4))
    value = bilinear(FEATURES, np.array([uv], np.float32))
    np.testing.assert_allclose(value[0], FEATURES[v, u], rtol=1e-6)


def test_linear_functions_are_reproduced():
    v, u = np.mgrid[:5, :7]
    plane = (2 * u - 3 * v + 1)[..., None].astype(np.float32)
    uv = positions(0, 4)
    expected = 2 * uv[:, 0] - 3 * uv[:, 1] + 1
    actual = bilinear(plane, uv)[:, 0]
    np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_half_pixel_maps_borders_to_borders():
    image, cells = (224, 112), (14, 7)  # heights and widths
    uv = np.array([[-0.5, -0.5], [111.5, 223.5], [55.5, 111.5]], np.float32)
    np.testing.assert_allclose(
        interpolate.half_pixel(uv, image, cells),
        [[-0.5, -0.5], [6.5, 13.5], [3.0, 6.5]],
    )


def test_an_image_sampled_at_its_own_size_is_itself():
    uv = positions(0, 20)
    np.testing.assert_allclose(
        interpolate.half_pixel(uv, (30, 40), (30, 40)), uv, atol=1e-5
    )


def test_gradients(x64):
    # Away from the kinks between cells, where only one-sided derivatives exist.
    inside = jnp.asarray(np.arange(4)[:, None] + positions(0.1, 0.9, 4))
    features = jnp.asarray(FEATURES, jnp.float64)
    check_grads(bilinear, (features, inside), 1, ["rev"])


def test_gradient_to_positions_is_zero_outside():
    outside = jnp.array([[-3.0, -2.0], [20.0, 30.0]])
    gradient = jax.grad(lambda uv: bilinear(FEATURES, uv).sum())
    np.testing.assert_array_equal(gradient(outside), 0)


@pytest.mark.parametrize("sample", [bilinear, bilinear_zeros])
def test_a_position_that_is_not_a_number_has_no_value_and_harms_no_other(sample):
    uv = jnp.array([[jnp.nan, 1.0], [jnp.inf, jnp.nan], [2.0, 3.0]])
    value, pull = jax.vjp(sample, jnp.asarray(FEATURES), uv)
    assert np.isnan(value[:2]).all()
    np.testing.assert_allclose(value[2], FEATURES[3, 2], rtol=1e-6)
    to_features, to_uv = pull(jnp.ones_like(value))
    assert to_features.shape == FEATURES.shape
    assert np.isfinite(to_uv[2]).all()


def test_align_corners_maps_borders_to_the_centres_of_the_outer_cells():
    image, cells = (224, 112), (14, 7)  # heights and widths
    uv = np.array([[-0.5, -0.5], [111.5, 223.5], [55.5, 111.5]], np.float32)
    np.testing.assert_allclose(
        interpolate.align_corners(uv, image, cells), [[0, 0], [6, 13], [3, 6.5]]
    )


def test_outside_a_zero_padded_map_the_value_falls_to_zero_within_one_cell():
    ones = np.ones((5, 7, 2), np.float32)
    uv = np.array([[3, 2], [-0.25, 2], [6.75, 4.5], [-1, 2], [90, -70]], np.float32)
    sampled = bilinear_zeros(ones, uv)
    np.testing.assert_allclose(sampled[:, 0], [1, 0.75, 0.125, 0, 0], atol=1e-6)


IMAGE = (100, 100)  # any size: positions are given as shares of the image


def positions_in_cells(align, feature_map, vertices):
    """What PyTorch3D's `vert_align` does with positions in [-1, 1], y down."""
    uv = (vertices[:, :2] + 1) * 50 - 0.5
    convert = interpolate.align_corners if align else interpolate.half_pixel
    return convert(uv, IMAGE, feature_map.shape[:2])


@pytest.mark.data
@pytest.mark.parametrize("padding", ["border", "zeros"])
@pytest.mark.parametrize("align", [True, False])
def test_matches_vert_align(data_dir, padding, align):
    """PyTorch3D with all its conventions: values and gradients."""
    with np.load(data_dir / "oracles" / "p3d_vert_align.npz") as arrays:
        recorded = dict(arrays)
    key = f"{padding}_align_{str(align).lower()}"
    sample = bilinear_zeros if padding == "zeros" else bilinear

    def align_vertices(sample, vertices, *maps):
        cells = [positions_in_cells(align, m, vertices) for m in maps]
        return jnp.concatenate(list(map(sample, maps, cells)), axis=1)

    for row, vertices in enumerate(recorded["verts"]):
        maps = [np.moveaxis(recorded[f"map{i}"][row], 0, -1) for i in range(3)]
        value, pull = jax.vjp(
            functools.partial(align_vertices, sample), vertices, *maps
        )
        np.testing.assert_allclose(value, recorded[f"{key}/out"][row], atol=1e-5)
        grads = pull(jnp.asarray(recorded["cotangent"][row], jnp.float32))
        kinks = recorded["note_rows_at_kinks"] if row == 0 else []
        smooth = np.delete(np.arange(len(vertices)), kinks)
        expected = recorded[f"{key}/grad_verts"][row][smooth]
        np.testing.assert_allclose(grads[0][smooth], expected, atol=1e-4)
        np.testing.assert_allclose(
            np.moveaxis(grads[3], -1, 0), recorded[f"{key}/grad_map2"][row], atol=1e-5
        )


def test_gradients_of_half_precision_maps_are_added_up_in_full_precision():
    """A thousand positions in one cell: their sum is not that of bfloat16."""
    uv = np.full((1000, 2), 2.25, np.float32)
    shares = np.random.default_rng(0).uniform(0.5, 1.5, (1000, 2)).astype(np.float32)

    def total(maps):
        return jnp.sum(bilinear(maps, uv).astype(jnp.float32) * shares)

    exact = jax.grad(total)(jnp.asarray(FEATURES))
    half = jax.grad(total)(jnp.asarray(FEATURES, jnp.bfloat16))
    np.testing.assert_allclose(half.astype(jnp.float32), exact, rtol=0.01)
