"""An image and its mirror image are told the same, mirrored."""

import jax
import numpy as np
import pytest

from configs import rgbd_sdf
from pixel2mesh_jax import methods
from pixel2mesh_jax.methods import two_guesses
from pixel2mesh_jax.training import state as states
from tests.views_of_solids import SIZE, SOLIDS, batch_of, see


def config_of(**changes):
    config = rgbd_sdf.get_config("tiny")
    config.image_size = SIZE
    config.model.update(resolution=24, layers=24, widths=(8, 16), features=8, **changes)
    return config


@pytest.fixture(scope="module")
def call():
    """A network of random weights: it has no reason to say the same of both images."""
    method = methods.make(config_of())
    state = states.init_variables(method, method.constants, seed=0)
    leaves, tree = jax.tree.flatten(state)
    rng = np.random.default_rng(0)
    noisy = [
        np.asarray(leaf) + rng.normal(0, 0.1, leaf.shape).astype(leaf.dtype)
        for leaf in leaves
    ]
    return states.Programs(method).bind(jax.tree.unflatten(tree, noisy), ())


def one_guess(call, batch):
    return jax.device_get(call("__call__", batch))


@pytest.fixture(scope="module")
def seen():
    """A torus before a lens whose middle is not that of the image."""
    batch = batch_of(see(SOLIDS["torus"]))
    rgb = batch.rgb.copy()
    rgb[:, :, : SIZE // 2, 0] *= 0.5
    return batch._replace(rgb=rgb)


@pytest.fixture(scope="module")
def batch(seen):
    """The same without depth."""
    return seen._replace(depth=np.zeros_like(seen.depth))


def test_what_the_view_says_is_mirrored_with_it(call, seen):
    one = one_guess(call, seen)
    other = one_guess(call, two_guesses.mirrored_views(seen))
    # At edges half way between two pixels either may be the nearest.
    assert np.mean(np.abs(one.base - other.base[:, :, ::-1]) > 1e-3) < 0.05
    assert np.mean(np.abs(one.depth - other.depth[:, :, ::-1]) > 1e-5) < 0.05
    assert np.mean(np.abs(one.distances - other.distances[:, :, ::-1]) > 0.1) > 0.1


def test_the_mean_of_the_mirror_image_is_the_mirrored_mean(call, batch):
    one = two_guesses.guess(call, batch)
    other = two_guesses.guess(call, two_guesses.mirrored_views(batch))
    np.testing.assert_allclose(one.distances, other.distances[:, :, ::-1], atol=1e-3)
    np.testing.assert_allclose(one.far_colors, other.far_colors[:, :, ::-1], atol=1e-3)
    np.testing.assert_allclose(one.near, other.near, rtol=1e-5)


def test_mirrored_twice_a_view_is_itself(seen):
    twice = two_guesses.mirrored_views(two_guesses.mirrored_views(seen))
    for name in ("rgb", "depth", "mask", "intrinsics"):
        np.testing.assert_allclose(getattr(twice, name), getattr(seen, name))


def test_a_view_with_depth_is_guessed_once(call, seen, batch):
    both = jax.tree.map(lambda *rows: np.concatenate(rows), seen, batch)
    found = two_guesses.guess(call, both)
    for row, expected in (
        (0, one_guess(call, both)),
        (1, two_guesses.guess(call, both)),
    ):
        np.testing.assert_array_equal(found.distances[row], expected.distances[row])
    assert np.abs(found.distances - one_guess(call, both).distances)[1].max() > 0.1
