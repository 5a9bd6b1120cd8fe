"""The reconstruction of the image, for networks with an image decoder."""

from typing import Any

import jax

from pixel2mesh_jax.geometry import depth as depth_maps
from pixel2mesh_jax.losses import terms as losses
from pixel2mesh_jax.losses.stages import Terms, batch_mean
from pixel2mesh_jax.structures import Batch, Outputs


def reconstruction(outputs: Outputs, batch: Batch, weights: Any) -> Terms:
    """Cross entropy plus L1 of the reconstructed image, and of its depth if any.

    Empty for a model without a decoder.

    Args:
      outputs: of the network.
      batch: the image and its depth.
      weights: with `image` and `depth`.
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
