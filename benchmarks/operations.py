"""How much arithmetic a program does, and how much this machine could do."""

import functools
import math
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

SIDE = 2048  # of the matrices that are multiplied to measure the machine
REPETITIONS = 5


def count(function: Callable, *arguments) -> float:
    """Floating-point operations in the products and convolutions of a call.

    A multiplication and its addition are two. Loops count as often as they run, where
    that is known from the program.
    """
    return _of_jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


@functools.cache
def machine_rate() -> float:
    """Operations per second of a large product of float32 matrices."""
    a = jnp.ones((SIDE, SIDE))
    product = jax.jit(jnp.matmul)
    product(a, a).block_until_ready()
    seconds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        product(a, a).block_until_ready()
        seconds.append(time.perf_counter() - start)
    return 2 * SIDE**3 / min(seconds)


def _of_jaxpr(jaxpr):
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation):
    name = equation.primitive.name
    if name == "dot_general":
        return _of_product(equation)
    if name == "conv_general_dilated":
        return _of_convolution(equation)
    return _repetitions(equation) * sum(
        _of_jaxpr(inner) for inner in inner_programs(equation)
    )


def _repetitions(equation):
    """How often the programs inside an equation run."""
    if equation.primitive.name == "scan":
        return equation.params["length"]
    if equation.primitive.name == "shard_map":
        return equation.params["mesh"].size
    return 1


def _of_product(equation):
    (contracted, _), _ = equation.params["dimension_numbers"]
    shape = equation.invars[0].aval.shape
    terms = math.prod(shape[axis] for axis in contracted)
    return 2 * terms * math.prod(equation.outvars[0].aval.shape)


def _of_convolution(equation):
    """Without the products with the zeros that a stride leaves in its gradient."""
    kernel = equation.invars[1].aval.shape
    outputs = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
    terms = math.prod(kernel) / outputs / math.prod(equation.params["lhs_dilation"])
    return 2 * terms * math.prod(equation.outvars[0].aval.shape)


def inner_programs(equation):
    """The programs inside an equation of a jaxpr: of loops, branches, devices."""
    for parameter in equation.params.values():
        several = parameter if isinstance(parameter, tuple | list) else (parameter,)
        for value in several:
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield inner
