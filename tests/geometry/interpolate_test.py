"""Bilinear sampling against a naive sum over all cells and recorded numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from pixel2mesh_jax.geometry import interpolate
from tests import oracles

FEATURES = np.random.default_rng(0).normal(size=(5, 7, 2)).astype(np.float32)


def positions(low, high, num=60, seed=1):
    return np.random.default_rng(seed).uniform(low, high, (num, 2)).astype(np.float32)


def test_matches_a_sum_over_all_cells():
    uv = positions(-2, 9)
    expected = [oracles.bilinear(FEATURES, *position) for position in uv]
    np.testing.assert_allclose(
        interpolate.sample_bilinear(FEATURES, uv), expected, atol=1e-5
    )


def test_cell_centres_have_the_value_of_the_cell():
    # The released TensorFlow code gives 0 here (FACTS 0.9).
    v, u = np.mgrid[:5, :7]
    uv = np.stack([u.ravel(), v.ravel()], axis=1).astype(np.float32)
    np.testing.assert_allclose(
        interpolate.sample_bilinear(FEATURES, uv), FEATURES.reshape(-1, 2), atol=1e-6
    )


@pytest.mark.parametrize("uv", [(-5, 2), (90, 2), (3, -1), (3, 70)])
def test_outside_the_border_value_is_repeated(uv):
    u, v = np.clip(uv, 0, (6, 4))
    value = interpolate.sample_bilinear(FEATURES, np.array([uv], np.float32))
    np.testing.assert_allclose(value[0], FEATURES[v, u], rtol=1e-6)


def test_linear_functions_are_reproduced():
    v, u = np.mgrid[:5, :7]
    plane = (2 * u - 3 * v + 1)[..., None].astype(np.float32)
    uv = positions(0, 4)
    expected = 2 * uv[:, 0] - 3 * uv[:, 1] + 1
    actual = interpolate.sample_bilinear(plane, uv)[:, 0]
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
    check_grads(interpolate.sample_bilinear, (features, inside), 1, ["rev"])


def test_gradient_to_positions_is_zero_outside():
    outside = jnp.array([[-3.0, -2.0], [20.0, 30.0]])
    gradient = jax.grad(lambda uv: interpolate.sample_bilinear(FEATURES, uv).sum())
    np.testing.assert_array_equal(gradient(outside), 0)


@pytest.mark.data
def test_matches_vert_align_with_border_padding(data_dir):
    """PyTorch3D: x right, y down in [-1, 1], edge to edge (align_corners False)."""
    recorded = np.load(data_dir / "oracles" / "p3d_vert_align.npz")
    maps = [np.moveaxis(recorded[f"map{i}"], 1, -1) for i in range(3)]
    for sample, vertices in enumerate(recorded["verts"]):
        image = (100, 100)
        uv = (vertices[:, :2] + 1) * 50 - 0.5
        sampled = [
            interpolate.sample_bilinear(
                m[sample], interpolate.half_pixel(uv, image, m.shape[1:3])
            )
            for m in maps
        ]
        np.testing.assert_allclose(
            np.concatenate(sampled, axis=1),
            recorded["border_align_false/out"][sample],
            atol=1e-5,
        )
