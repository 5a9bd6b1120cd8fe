"""Jitted functions as benchmark cases: with a gradient, and with their memory."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

MEGABYTE = 1e6


class Program(NamedTuple):
    """A compiled function with fixed arguments.

    Attributes:
      run: computes and waits.
      temporary: megabytes that it needs beside arguments and results.
    """

    run: Callable[[], object]
    temporary: float


def compile_program(function: Callable, *arguments: jax.Array) -> Program:
    """Compiles `function` for these arguments."""
    compiled = jax.jit(function).lower(*arguments).compile()
    memory = compiled.memory_analysis()
    return Program(
        run=lambda: jax.block_until_ready(compiled(*arguments)),
        temporary=memory.temp_size_in_bytes / MEGABYTE,
    )


def with_gradient(function: Callable) -> Callable:
    """(cotangent, *arguments) -> the value and its vector-Jacobian product.

    The cotangent is an argument: XLA would fold the backward pass of a linear function
    with a constant one at compile time.
    """

    def forward_and_backward(cotangent, *arguments):
        value, pull_back = jax.vjp(function, *arguments)
        return value, pull_back(cotangent)

    return forward_and_backward


def check_equal(
    a: Callable[[], object], b: Callable[[], object], rtol: float = 1e-4
) -> Callable[[], None]:
    """A check that both return the same up to `rtol` of the largest value."""

    def check():
        for x, y in zip(jax.tree.leaves(a()), jax.tree.leaves(b()), strict=True):
            scale = float(jnp.max(jnp.abs(x)))
            np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * scale)

    return check
