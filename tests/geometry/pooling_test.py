"""The pooling conventions: recorded numbers of the published program, quirks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from pixel2mesh_jax.geometry import camera, interpolate, pooling

SIZE = 224  # pixels
ONES = np.ones((7, 7, 1), np.float32)
PUBLISHED = {  # prefix of the recorded arrays -> name here
    "default": "p2m_torch",
    "align_corners_true": "align_corners",
    "tensorflow": "p2m_tf",
}


def pool(convention, feature_map, uv):
    at = convention.corners(uv, (SIZE, SIZE), feature_map.shape[:2])
    return interpolate.sample(feature_map, at)


def sample(name, feature_map, *uv):
    uv = jnp.array(uv, jnp.float32)
    return np.asarray(pool(pooling.POOLINGS[name], feature_map, uv))


@pytest.fixture
def recorded(data_dir):
    with np.load(data_dir / "oracles" / "p2m_projection.npz") as arrays:
        return dict(arrays)


@pytest.mark.data
@pytest.mark.parametrize("mode", PUBLISHED)
@pytest.mark.parametrize("row", [0, 1])
def test_values_match_the_published_program(recorded, mode, row):
    maps, pool_all, points, _ = problem(recorded, mode, row)
    expected = recorded[f"{mode}/out"][row][:, 3:]
    np.testing.assert_allclose(pool_all(points, *maps), expected, atol=2e-5)


@pytest.mark.data
@pytest.mark.parametrize("mode", PUBLISHED)
def test_gradients_match_the_published_program(recorded, mode, x64):
    sums = []
    for row in (0, 1):
        maps, pool_all, points, cotangent = problem(recorded, mode, row, np.float64)
        grads = jax.vjp(pool_all, points, *maps)[1](jnp.asarray(cotangent))
        grads = list(map(np.asarray, grads))
        # The recorded gradient is also that of the points, passed on as they are.
        to_points = grads[0] + recorded["cotangent"][row][:, :3]
        smooth = recorded[f"{mode}/smooth_rows"][row]
        np.testing.assert_allclose(
            to_points[smooth],
            recorded[f"{mode}/grad_points"][row][smooth],
            rtol=1e-6,
            atol=1e-6,
        )
        np.testing.assert_allclose(
            np.moveaxis(grads[4], -1, 0), recorded[f"{mode}/grad_map3"][row], atol=1e-6
        )
        sums.append([grad.sum() for grad in grads[1:]])
    np.testing.assert_allclose(
        np.sum(sums, axis=0), recorded[f"{mode}/grad_map_sum"], rtol=1e-6
    )


def problem(recorded, mode, row, dtype=np.float32):
    """Maps, `pool_all(points, *maps)`, points in the camera frame, cotangent."""
    maps = [
        np.moveaxis(recorded[f"map{i}"][row], 0, -1).astype(dtype) for i in range(4)
    ]
    (focal, _), center = recorded[f"{mode}/camera_f"], recorded[f"{mode}/camera_c"]
    intrinsics = camera.pinhole(focal, *center).astype(dtype)
    convention = pooling.POOLINGS[PUBLISHED[mode]]

    def pool_all(points, *maps):
        uv = convention.project(points, intrinsics)
        pooled = [pool(convention, x, uv) for x in maps]
        return jnp.concatenate(pooled, axis=1)

    # The program keeps this offset in float32, also in its run in float64.
    offset = np.float64(np.float32(recorded[f"{mode}/mesh_pos"]))
    points = recorded[f"{mode}/points"][row] + offset
    cotangent = recorded["cotangent"][row][:, 3:]
    return maps, pool_all, jnp.asarray(points, dtype), cotangent


def test_p2m_tf_is_zero_at_whole_cells_and_beyond_the_last_one():
    """The two defects of the released code; 224 / 7 = 32 pixels per cell."""
    assert sample("p2m_tf", ONES, (64, 70))[0] == 0
    assert sample("p2m_tf", ONES, (70, 64))[0] == 0
    assert sample("p2m_tf", ONES, (70, 193))[0] == 0  # row 6.03 of 0 to 6
    assert sample("p2m_tf", ONES, (70, -3))[0] == 0
    np.testing.assert_allclose(sample("p2m_tf", ONES, (70, 71)), 1)
    for name in ("half_pixel", "align_corners"):
        np.testing.assert_allclose(sample(name, ONES, (64, 70), (70, 193)), 1)


def test_p2m_torch_halves_the_border():
    middle = (SIZE - 1) / 2
    ends = (0, middle), (-9, middle), (0, 0), (middle, middle)
    np.testing.assert_allclose(
        sample("p2m_torch", ONES, *ends)[:, 0], [0.5, 0.5, 0.25, 1]
    )
    np.testing.assert_allclose(sample("align_corners", ONES, *ends), 1)


@pytest.mark.parametrize("name", pooling.POOLINGS)
def test_conventions_agree_up_to_the_cells_that_they_shift(name):
    """A ramp over the image is pooled with the same slope, off by about a cell."""
    ramp = np.broadcast_to(np.arange(56.0)[None, :, None], (56, 56, 1))
    u = np.array([50.1, 90.2, 130.3], np.float32)
    values = sample(name, ramp.astype(np.float32), *((x, 77.7) for x in u))[:, 0]
    np.testing.assert_allclose(values, u / 4, atol=0.6)


@pytest.mark.parametrize("name", pooling.POOLINGS)
def test_gradients(name, x64):
    maps = jnp.asarray(np.random.default_rng(0).normal(size=(7, 7, 2)))
    uv = 32 * (np.array([[1.2, 2.3], [3.3, 4.6], [4.7, 1.6]]))
    function = functools.partial(pool, pooling.POOLINGS[name])
    check_grads(function, (maps, jnp.asarray(uv)), 1, ["rev"])


@pytest.mark.parametrize("name", pooling.POOLINGS)
def test_values_and_gradients_are_finite_in_the_plane_of_the_camera(name):
    convention = pooling.POOLINGS[name]
    points = jnp.array([[0.1, 0.2, 0.0], [0.0, 0.0, 0.0], [0.1, 0.2, 0.3]])

    def total(points):
        uv = convention.project(points, camera.pinhole(248, 112, 112))
        return jnp.sum(pool(convention, ONES, uv))

    value, gradient = jax.value_and_grad(total)(points)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
