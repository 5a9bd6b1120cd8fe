"""Counted arithmetic against sums by hand."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks import operations
from pixel2mesh_jax.training import sharding


def test_a_product_of_matrices():
    a, b = jnp.ones((2, 3, 4)), jnp.ones((4, 5))
    assert operations.count(jnp.matmul, a, b) == 2 * (2 * 3) * 4 * 5


def test_a_loop_counts_as_often_as_it_runs():
    def power(a):
        return jax.lax.scan(lambda b, _: (b @ a, None), a, length=7)[0]

    assert operations.count(power, jnp.ones((3, 3))) == 7 * 2 * 27


def test_devices_that_share_the_work_count_together():
    shardings = sharding.make_shardings(jax.device_count())
    product = sharding.by_device(lambda b, a: jnp.sum(a @ b), shardings)
    a, b = jnp.ones((2 * jax.device_count(), 3)), jnp.ones((3, 5))
    assert operations.count(product, b, a) == 2 * a.size * 5


def test_functions_inside_functions_count():
    a = jnp.ones((3, 3))
    assert operations.count(jax.jit(jax.checkpoint(jnp.matmul)), a, a) == 2 * 27


@pytest.mark.parametrize("stride", [1, 2])
def test_the_gradients_of_a_convolution_cost_as_much_as_itself_each(stride):
    def convolve(image, kernel):
        return jax.lax.conv_general_dilated(
            image,
            kernel,
            (stride, stride),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    def both(image, kernel, cotangent):
        value, pull_back = jax.vjp(convolve, image, kernel)
        return value, pull_back(cotangent)

    image, kernel = jnp.ones((2, 8, 8, 4)), jnp.ones((3, 3, 4, 6))
    forward = 2 * (2 * (8 // stride) ** 2 * 6) * (3 * 3 * 4)
    assert operations.count(convolve, image, kernel) == forward
    total = operations.count(both, image, kernel, convolve(image, kernel))
    assert total == 3 * forward


def test_a_machine_multiplies():
    assert operations.machine_rate() > 1e8
