"""What the families of losses share: the batch, weight decay, the image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import depth
from pixel2mesh_jax.losses import decay as decay_terms
from pixel2mesh_jax.losses import terms as losses
from pixel2mesh_jax.losses.pixel2mesh import Pixel2MeshWeights, pixel2mesh_printed
from pixel2mesh_jax.losses.pixel2mesh2 import pixel2mesh2
from pixel2mesh_jax.losses.reconstruction import reconstruction
from pixel2mesh_jax.losses.stages import FourLossWeights
from pixel2mesh_jax.structures import Outputs
from tests.cascades import random, random_batch, random_outputs, row

WEIGHTS = Pixel2MeshWeights()


def test_weight_decay_spares_the_biases_of_the_encoder():
    params = {
        "encoder": {"conv": {"kernel": jnp.full(3, 2.0), "bias": jnp.full(3, 9.0)}},
        "stage1": {"own": {"kernel": jnp.full(2, 3.0), "bias": jnp.full(2, 1.0)}},
    }
    graph, encoder = (2 * 9 + 2 * 1) / 2, 3 * 4 / 2
    expected = 5e-6 * graph + 0.3e-5 * encoder
    decay = decay_terms.weight_decay(params, WEIGHTS)
    np.testing.assert_allclose(decay["decay"], expected, rtol=1e-6)


def test_weight_decay_may_cover_every_parameter_of_the_image_networks():
    layer = {"kernel": jnp.full(3, 2.0), "bias": jnp.full(3, 1.0)}
    graph = {"own": jnp.zeros(2)}
    params = {"encoder": {"conv": layer}, "decoder": {"deconv": layer}, "stage1": graph}
    kernels, everything = 2 * 3 * 4 / 2, 2 * 3 * (4 + 1) / 2
    for decay_all, expected in ((False, kernels), (True, everything)):
        weights = WEIGHTS._replace(encoder_decay=0.1, decay_all=decay_all)
        decay = decay_terms.weight_decay(params, weights)
        np.testing.assert_allclose(decay["decay"], 0.1 * expected, rtol=1e-6)


@pytest.mark.parametrize("terms", [pixel2mesh_printed, pixel2mesh2])
def test_other_families_average_over_the_batch(terms):
    weights = FourLossWeights(1.0, 0.1, 0.2, 0.3)
    outputs, batch = random_outputs(2), random_batch(2)
    run = jax.jit(terms)
    together = run(outputs, batch, weights)
    singles = [run(row(outputs, i), row(batch, i), weights) for i in range(2)]
    for name, value in together.items():
        mean = (singles[0][name] + singles[1][name]) / 2
        np.testing.assert_allclose(value, mean, rtol=1e-5)


def test_reconstruction_compares_the_image_and_its_disparity():
    shape = (2, 4, 4)
    image, true_depth = random(*shape, 3), 0.5 + random(*shape, seed=1)
    batch = random_batch(2, weight=[1, 0])._replace(
        rgb=random(*shape, 3, seed=2), depth=true_depth, mask=jnp.ones(shape)
    )
    disparity = jax.vmap(depth.disparity)(true_depth, batch.mask)
    outputs = Outputs(image=image, depth=disparity)
    weights = WEIGHTS._replace(image=2.0, depth=3.0)
    terms = reconstruction(outputs, batch, weights)
    error = losses.reconstruction(image[0], batch.rgb[0])  # the second is a filler
    np.testing.assert_allclose(terms["image"], 2 * error, rtol=1e-5)
    perfect = losses.reconstruction(disparity[0], disparity[0])
    np.testing.assert_allclose(terms["depth"], 3 * perfect, rtol=1e-5)
    assert reconstruction(Outputs(), batch, weights) == {}
