"""Exponential moving average of the parameters: what predictions use."""

from typing import Any

import jax
import jax.numpy as jnp


def start_average(params: Any, decay: float) -> Any:
    """The first average; empty if there shall be none (`decay` 0)."""
    return jax.tree.map(jnp.copy, params) if decay else {}


def update_average(average: Any, params: Any, step: jax.Array, decay: float) -> Any:
    """The average after `params` have moved for the `step`-th time.

    In the beginning it is over fewer steps: the decay is at most (1 + n) / (10 + n)
    after n updates.
    """
    if not decay:
        return average
    rate = 1 - jnp.minimum(decay, (1 + step) / (10 + step))
    return jax.tree.map(lambda mean, new: mean + rate * (new - mean), average, params)
