"""Exponential moving average of the parameters, kept in the state of the optimizer."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class AverageState(NamedTuple):
    """Attributes: mean: of the parameters. count: updates so far."""

    mean: Any
    count: Any


def average_parameters(decay: float) -> optax.GradientTransformation:
    """Last in a chain: remembers the mean of what the updates make of the parameters.

    In the beginning the mean is over fewer steps: the decay is at most
    (1 + n) / (10 + n) after n updates.
    """

    def init(params):
        return AverageState(jax.tree.map(jnp.copy, params), jnp.zeros((), jnp.int32))

    def update(updates, state, params):
        count = state.count + 1
        rate = 1 - jnp.minimum(decay, (1 + count) / (10 + count))
        moved = optax.apply_updates(params, updates)
        mean = jax.tree.map(lambda m, p: m + rate * (p - m), state.mean, moved)
        return updates, AverageState(mean, count)

    return optax.GradientTransformation(init, update)


def averaged(opt_state: Any) -> Any | None:
    """The mean parameters in the state of an optimizer; None if it keeps none."""
    states = jax.tree.leaves(
        opt_state, is_leaf=lambda node: isinstance(node, AverageState)
    )
    found = [state.mean for state in states if isinstance(state, AverageState)]
    return found[0] if found else None
