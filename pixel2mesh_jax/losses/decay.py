"""Weight decay as the published programs have it: a term of the loss."""

from typing import Any

import jax

from pixel2mesh_jax.losses import terms as losses
from pixel2mesh_jax.losses.stages import Terms


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
