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


@pytest.mark.parametrize("count", [1, 2, 5])
def test_several_neighbours_match_a_kd_tree(count):
    a, b = random_points(40), random_points(70, seed=1)
    index = np.asarray(jax.jit(nearest.nearest_indices, static_argnums=2)(a, b, count))
    distance, _ = scipy.spatial.cKDTree(b).query(a, list(range(1, count + 1)))
    np.testing.assert_allclose(
        np.linalg.norm(a - b[index], axis=2), distance.T, rtol=1e-5
    )


def test_several_equals_come_in_their_order():
    a, b = np.zeros((1, 3), np.float32), np.ones((50, 3), np.float32)
    indices = nearest.nearest_indices(a, b, 3)
    np.testing.assert_array_equal(indices[:, 0], [0, 1, 2])


@pytest.mark.data
@pytest.mark.parametrize("count", [1, 2, 3])
def test_neighbours_and_distances_match_pytorch3d(data_dir, count):
    recorded = np.load(data_dir / "oracles" / "p3d_chamfer_knn.npz")
    find = jax.jit(jax.vmap(lambda a, b: nearest.nearest_indices(a, b, count)))
    index = np.asarray(find(recorded["x"], recorded["y"])).transpose(0, 2, 1)
    np.testing.assert_array_equal(index, recorded[f"knn/norm2_K{count}/idx"])
    squared = squared_distances(recorded["x"], recorded["y"], index)
    np.testing.assert_allclose(
        squared, recorded[f"knn/norm2_K{count}/dists"], atol=1e-6
    )


def squared_distances(x, y, index):
    """(B, N, K): to the chosen points of y."""
    chosen = jax.vmap(lambda points, rows: points[rows])(y, index)
    return jnp.sum((x[:, :, None] - chosen) ** 2, axis=-1)


@pytest.mark.data
def test_gradient_of_several_distances_matches_pytorch3d(data_dir):
    recorded = np.load(data_dir / "oracles" / "p3d_chamfer_knn.npz")
    index = recorded["knn/norm2_K3/idx"]
    cotangent = recorded["knn/grad_K3/cotangent"]

    def total(x, y):
        return jnp.sum(squared_distances(x, y, index) * cotangent)

    gradients = jax.jit(jax.grad(total, (0, 1)))(recorded["x"], recorded["y"])
    for gradient, name in zip(gradients, ("grad_p1", "grad_p2"), strict=True):
        expected = recorded[f"knn/grad_K3/{name}"]
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.data
def test_ragged_sets_match_pytorch3d_without_its_padding(data_dir, monkeypatch):
    """There, K = 9 neighbours of sets of 75, 40 and 8 points; rows are zero-padded."""
    recorded = np.load(data_dir / "oracles" / "p3d_chamfer_knn.npz")
    indices, distances = (
        recorded[f"knn/ragged_K9/{name}"] for name in ("idx", "dists")
    )
    lengths = zip(recorded["x_lengths"], recorded["y_lengths"], strict=True)
    monkeypatch.setattr(nearest, "BLOCK", 2)  # compiles faster
    for i, (n, m) in enumerate(lengths):
        a, b, count = recorded["x"][i, :n], recorded["y"][i, :m], min(9, m)
        index = np.asarray(nearest.nearest_indices(a, b, int(count))).T
        np.testing.assert_array_equal(index, indices[i, :n, :count])
        squared = squared_distances(a[None], b[None], index[None])[0]
        np.testing.assert_allclose(squared, distances[i, :n, :count], atol=1e-6)
        padded = np.zeros((len(recorded["x"][i]), count), int)  # rows without a point
        padded[:n] = index
        normals = recorded["y_normals"][i][padded]
        np.testing.assert_allclose(
            normals.sum(axis=(0, 1)),
            recorded["knn/ragged_K9/gathered_normals_sum"][i],
            rtol=1e-4,
            atol=1e-4,
        )
        np.testing.assert_allclose(
            normals[0], recorded["knn/ragged_K9/gathered_normals_row0"][i, :count]
        )
