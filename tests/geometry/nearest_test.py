"""Nearest neighbours against a KD-tree; ties are compared by distance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial

from pixel2mesh_jax.geometry import nearest

nearest_index = jax.jit(nearest.nearest_index)


def random_points(num_points, dimensions=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(num_points, dimensions)).astype(np.float32)


@pytest.mark.parametrize("num_a", [1, 5, 200])
@pytest.mark.parametrize(
    "num_b", [1, 3, nearest.BLOCK - 1, nearest.BLOCK, nearest.BLOCK + 1, 500]
)
def test_matches_a_kd_tree(num_a, num_b):
    a, b = random_points(num_a), random_points(num_b, seed=1)
    index = np.asarray(nearest_index(a, b))
    distance, _ = scipy.spatial.cKDTree(b).query(a)
    np.testing.assert_allclose(
        np.linalg.norm(a - b[index], axis=1), distance, rtol=1e-5
    )


def test_close_points_far_from_the_origin_are_told_apart():
    # |a|^2 + |b|^2 - 2ab cannot: its terms are 1e8 times the squared distances.
    b = (10 + 1e-3 * random_points(300)).astype(np.float32)
    a = (b + 1e-5 * random_points(300, seed=1)).astype(np.float32)
    expected = scipy.spatial.cKDTree(b).query(a)[0]
    index = np.asarray(nearest_index(a, b))
    np.testing.assert_allclose(np.linalg.norm(a - b[index], axis=1), expected)


def test_the_first_of_equals_wins():
    a = np.zeros((2, 3), np.float32)
    b = np.tile(np.array([[1, 0, 0], [0, 1, 0]], np.float32), (100, 1))
    np.testing.assert_array_equal(nearest_index(a, b), [0, 0])


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_other_dimensions(dimensions):
    a, b = random_points(20, dimensions), random_points(30, dimensions, seed=1)
    expected = scipy.spatial.cKDTree(b).query(a)[1]
    np.testing.assert_array_equal(nearest_index(a, b), expected)


def test_a_batch_is_a_vmap():
    a, b = random_points(20).reshape(2, 10, 3), random_points(60).reshape(2, 30, 3)
    together = jax.vmap(nearest_index)(a, b)
    for i in range(2):
        np.testing.assert_array_equal(together[i], nearest_index(a[i], b[i]))


def test_gradient_flows_through_the_gathered_points_only():
    a, b = jnp.asarray(random_points(6)), jnp.asarray(random_points(9, seed=1))

    def loss(a, b):
        return jnp.sum((a - b[nearest_index(a, b)]) ** 2)

    index = nearest_index(a, b)
    gradient_a, gradient_b = jax.grad(loss, (0, 1))(a, b)
    np.testing.assert_allclose(gradient_a, 2 * (a - b[index]), rtol=1e-6)
    expected = np.zeros(b.shape)
    np.add.at(expected, index, -2 * (a - b[index]))
    np.testing.assert_allclose(gradient_b, expected, atol=1e-6)


@pytest.mark.data
def test_neighbours_match_pytorch3d(data_dir):
    recorded = np.load(data_dir / "oracles" / "p3d_chamfer_knn.npz")
    index = jax.vmap(nearest_index)(recorded["x"], recorded["y"])
    np.testing.assert_array_equal(index, recorded["knn/norm2_K1/idx"][..., 0])
