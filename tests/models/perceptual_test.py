"""Feature pooling: which features a vertex sees, and on which side it is multiplied."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import pooling, templates
from pixel2mesh_jax.models import perceptual
from tests.batches import SIZE, make_batch

VERTICES = templates.ellipsoid(num_vertices=42).vertices[:, None].repeat(2, axis=1)
# Cells per side of a map: more and fewer cells than the 42 vertices.
FINE, COARSE = 8, 5


def make_sampler(convention="half_pixel"):
    intrinsics = jnp.asarray(make_batch().intrinsics)
    return perceptual.sampler(
        jnp.asarray(VERTICES), intrinsics, (SIZE, SIZE), convention
    )


def make_parts(convention="half_pixel"):
    """Coordinates, a fine map, a coarse map, hidden features; and how to sample."""
    keys = jax.random.split(jax.random.key(0), 3)
    sample = make_sampler(convention)
    maps = [
        perceptual.Unsampled(
            jax.random.normal(key, (2, side, side, channels)), sample, len(VERTICES)
        )
        for key, side, channels in zip(keys, (FINE, COARSE), (4, 6), strict=False)
    ]
    return [jnp.asarray(VERTICES), *maps, jax.random.normal(keys[2], (42, 2, 5))]


def concatenated(parts):
    sampled = [
        part if isinstance(part, jax.Array) else part.sample(part.feature_map)
        for part in parts
    ]
    return jnp.concatenate(sampled, axis=-1)


def test_features_vary_over_the_vertices():
    """peterjheile/Pixel2Mesh2: with a camera of 1 pixel all vertices see one cell."""
    features = make_sampler()(jnp.asarray(make_batch().rgb))
    assert features.shape == (42, 2, 3)
    assert np.all(np.std(features, axis=0) > 0.05)


@pytest.mark.parametrize("convention", pooling.POOLINGS)
def test_product_is_that_of_the_concatenation(convention):
    parts = make_parts(convention)
    kernel = jax.random.normal(jax.random.key(1), (perceptual.num_features(parts), 7))
    np.testing.assert_allclose(
        perceptual.multiply(parts, kernel),
        concatenated(parts) @ kernel,
        rtol=1e-4,
        atol=1e-5,
    )


def test_gradients_are_those_of_the_concatenation():
    first, fine, coarse, last = make_parts()
    kernel = jax.random.normal(jax.random.key(1), (18, 7))

    def loss(product, fine_map, coarse_map, kernel):
        parts = [
            first,
            fine._replace(feature_map=fine_map),
            coarse._replace(feature_map=coarse_map),
            last,
        ]
        return jnp.sum(jnp.sin(product(parts, kernel)))

    arguments = (fine.feature_map, coarse.feature_map, kernel)
    gradients = [
        jax.grad(functools.partial(loss, product), (0, 1, 2))(*arguments)
        for product in (perceptual.multiply, lambda p, k: concatenated(p) @ k)
    ]
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), *gradients
    )


def test_the_side_with_fewer_rows_is_multiplied():
    """The coarse map (25 cells) before, the fine one (64) after it is sampled."""
    parts, kernel = make_parts(), jnp.zeros((18, 7))
    jaxpr = jax.make_jaxpr(functools.partial(perceptual.multiply, parts))(kernel)
    products = [
        equation.invars[0].aval.shape
        for equation in jaxpr.eqns
        if equation.primitive.name == "dot_general"
    ]
    assert sorted(products) == [(2, COARSE, COARSE, 6), (42, 2, 3 + 4 + 5)]


def test_a_map_alone():
    fine = make_parts()[1]
    kernel = jnp.eye(4)
    np.testing.assert_allclose(
        perceptual.multiply([fine], kernel), fine.sample(fine.feature_map), atol=1e-6
    )
