"""Objectives: outputs and batch in, named and weighted loss terms out.

One family of losses is a NamedTuple of weights and a function of (outputs, batch,
weights), in a module of its own; `FAMILIES` lists them. Here is what they share:
the reconstruction of the picture and weight decay.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Key

from pixel2mesh_jax import losses
from pixel2mesh_jax.frustum_objective import FrustumWeights, frustum_terms
from pixel2mesh_jax.geometry import depth as depth_maps
from pixel2mesh_jax.mesh_rcnn_objective import MeshRCNNWeights, mesh_rcnn
from pixel2mesh_jax.pixel2mesh2_objective import pixel2mesh2
from pixel2mesh_jax.pixel2mesh_objective import (
    Pixel2MeshWeights,
    pixel2mesh,
    pixel2mesh_printed,
)
from pixel2mesh_jax.stage_terms import FourLossWeights, Terms, batch_mean
from pixel2mesh_jax.structures import Array, Batch, Outputs

Objective = Callable[[Outputs, Batch, Key[Array, ""]], Terms]


class Family(NamedTuple):
    """One set of losses.

    Attributes:
      weights: NamedTuple of the settings; what `config.loss` may hold.
      terms: weighted terms by name, of (outputs, batch, weights); of a random key too
        if it draws.
      draws: whether the terms draw random numbers.
    """

    weights: type
    terms: Callable[..., Terms]
    draws: bool = False


FAMILIES = {
    "pixel2mesh": Family(Pixel2MeshWeights, pixel2mesh),
    "pixel2mesh_printed": Family(FourLossWeights, pixel2mesh_printed),
    "pixel2mesh2": Family(FourLossWeights, pixel2mesh2),
    "frustum": Family(FrustumWeights, frustum_terms),
    "mesh_rcnn": Family(MeshRCNNWeights, mesh_rcnn, draws=True),
}


def bind(family: Family, weights: Any) -> Objective:
    """The objective of a family with its weights."""

    def objective(outputs: Outputs, batch: Batch, key: Key[Array, ""]) -> Terms:
        random = (key,) if family.draws else ()
        return family.terms(outputs, batch, weights, *random)

    return objective


def reconstruction(outputs: Outputs, batch: Batch, weights: Pixel2MeshWeights) -> Terms:
    """Cross entropy plus L1 of the reconstructed picture, and of its depth if any.

    Empty for a model without a decoder.
    """
    disparity = jax.vmap(depth_maps.disparity)
    terms = {}
    if outputs.image is not None:
        error = jax.vmap(losses.reconstruction)(outputs.image, batch.rgb)
        terms["image"] = weights.image * batch_mean(error, batch)
    if outputs.depth is not None:
        true_depth = disparity(batch.depth, batch.mask)
        error = jax.vmap(losses.reconstruction)(outputs.depth, true_depth)
        terms["depth"] = weights.depth * batch_mean(error, batch)
    return terms


def with_reconstruction(objective: Objective, weights: Any) -> Objective:
    """The same objective with the terms of `reconstruction`."""

    def both(outputs: Outputs, batch: Batch, key: Key[Array, ""]) -> Terms:
        found = objective(outputs, batch, key)
        return found | reconstruction(outputs, batch, weights)

    return both


def weight_decay(params: dict, weights: Any) -> Terms:
    """L2 of the graph network, and of the convolution kernels of the image networks.

    Args:
      params: of the model.
      weights: of any family, with `graph_decay`, `encoder_decay` and `decay_all`.
    """
    image, graph = {}, {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if not name.startswith(("encoder/", "decoder/")):
            graph[name] = leaf
        elif weights.decay_all or name.endswith("/kernel"):
            image[name] = leaf
    decay = weights.graph_decay * losses.squared_norm(graph)
    return {"decay": decay + weights.encoder_decay * losses.squared_norm(image)}
