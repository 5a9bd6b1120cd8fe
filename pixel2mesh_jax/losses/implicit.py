"""The objective of implicit models: L1 of truncated signed distances and of colours.

Source: seed 004, equation 4, and section 4.1 for the truncation.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float

from pixel2mesh_jax.losses.stages import Terms, batch_mean
from pixel2mesh_jax.structures import Array, Batch, FieldOutputs


class ImplicitWeights(NamedTuple):
    """Weights of the losses of a field.

    Attributes:
      distance: lambda_S, L1 of the signed distances in sides of the cube.
      color: lambda_C, L1 of the colours; 0 trains no colours at all.
      truncation: sides of the cube from which all distances are the same.
    """

    distance: float = 10.0
    color: float = 0.5
    truncation: float = 0.1


def implicit_terms(
    found: FieldOutputs, batch: Batch, weights: ImplicitWeights
) -> Terms:
    """Weighted terms at the query points of a batch."""
    sides = batch.query_distances / found.side[:, None]
    error = distance_error(found.distances, sides, weights.truncation)
    terms = {"distance": weights.distance * batch_mean(error, batch)}
    if found.colors is not None:
        error = color_error(found.colors, batch.query_colors)
        terms["color"] = weights.color * batch_mean(error, batch)
    return terms


def distance_error(
    distances: Float[Array, "B Q"],
    true: Float[Array, "B Q"],
    truncation: float,
) -> Float[Array, " B"]:
    """Mean |difference| to the truncated distances, in sides of the cube."""
    target = jnp.clip(true, -truncation, truncation)
    return jnp.mean(jnp.abs(distances - target), axis=-1)


def color_error(
    colors: Float[Array, "B Q 3"], true: Float[Array, "B Q 3"]
) -> Float[Array, " B"]:
    """Mean |difference| of the channels."""
    return jnp.mean(jnp.abs(colors - true), axis=(-2, -1))
