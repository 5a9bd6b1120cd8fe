"""How far away an object is, from coarse maps of its image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.models.frustum_distance import (
    PER_SIZE,
    TYPICAL_NEAR,
    TYPICAL_SIZE,
    DistanceHead,
)

HEAD = DistanceHead()


def placement(*, x=0.0, size=TYPICAL_SIZE):
    return jnp.array([[x, 0.0, size, 0.6, 1.0]])


@pytest.fixture(scope="module")
def maps():
    keys = jax.random.split(jax.random.key(0))
    shapes = (1, 8, 8, 12), (1, 4, 4, 16)
    return [
        jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True)
    ]


@pytest.fixture(scope="module")
def fresh(maps):
    return HEAD.init(jax.random.key(1), maps, placement())


@pytest.fixture(scope="module")
def learned(fresh):
    """Weights of which none is zero."""
    noise = iter(jax.random.split(jax.random.key(2), 100))
    return jax.tree.map(
        lambda leaf: leaf + 0.1 * jax.random.normal(next(noise), leaf.shape), fresh
    )


@pytest.mark.parametrize("size", [0.2, 0.5, 1.0])
def test_it_begins_with_what_the_angle_of_an_object_says(maps, fresh, size):
    found = HEAD.apply(fresh, maps, placement(size=size))
    expected = TYPICAL_NEAR * (size / TYPICAL_SIZE) ** PER_SIZE
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_it_looks_at_every_map_and_at_the_place(maps, learned):
    def near(maps, place):
        return HEAD.apply(learned, maps, place)[0]

    slopes = jax.grad(near, argnums=(0, 1))(maps, placement(x=0.05))
    assert all(jnp.any(slope != 0) for slope in slopes[0])
    # The depth that a volume is given where none is measured says nothing.
    assert (slopes[1][0] != 0).tolist() == [True, True, True, False, False]


def test_gradients_are_those_of_small_differences(maps, learned):
    fine, coarse = (np.asarray(part, np.float64) for part in maps)

    def near(change):
        moved = [fine + change * np.sign(fine), coarse]
        return HEAD.apply(learned, moved, placement())[0]

    step = 1e-2
    differences = (near(step) - near(-step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(near)(0.0), differences, rtol=2e-2)


def test_channels_are_left_out_only_when_asked(maps, learned):
    first, second = (
        HEAD.apply(learned, maps, placement(), 0.5, rngs={"dropout": jax.random.key(n)})
        for n in (0, 1)
    )
    assert first != second
    assert HEAD.apply(learned, maps, placement()) == HEAD.apply(
        learned, maps, placement()
    )
