"""The sphere head of Mesh R-CNN: what Depth-Aware Pixel2Mesh trained."""

from typing import Any

import ml_collections

from pixel2mesh_jax.losses.mesh_rcnn import MeshRCNNWeights, mesh_rcnn
from pixel2mesh_jax.methods import cascade
from pixel2mesh_jax.methods.method import Method, check
from pixel2mesh_jax.models import refinement

FAMILIES = {"mesh_rcnn": (MeshRCNNWeights, mesh_rcnn)}


def defaults() -> ml_collections.ConfigDict:
    """Source: facebookresearch/meshrcnn, configs/shapenet/pixel2mesh_R50.yaml."""
    model = {
        "template": "icosphere",
        "encoder": "resnet50",
        "color_encoding": "imagenet",
        "hidden_features": 128,
        "num_blocks": 3,  # graph convolutions per stage; residual: pairs of them
        "residual": False,
        "pooling": "align_corners_zeros",
    }
    loss = {"family": "mesh_rcnn", **MeshRCNNWeights()._asdict()}
    return cascade.defaults(model, loss)


def make(config: ml_collections.ConfigDict) -> Method:
    """See `methods.make`."""
    cascade.check_model(config, defaults())
    return cascade.make(config, model=_make_network(config), families=FAMILIES)


def _make_network(config):
    pooling = config.model.pooling
    check("model.pooling", pooling, refinement.POOLINGS)
    head = refinement.RefinementHead(**stage_settings(config.model, pooling))
    return refinement.MeshRefinement(head=head, **cascade.network_arguments(config))


def stage_settings(model: ml_collections.ConfigDict, pooling: str) -> dict[str, Any]:
    """What `models.refinement.Refinement` takes, from the settings of a model."""
    return {
        "features": model.hidden_features,
        "num_convs": model.num_blocks,
        "residual": model.residual,
        "pooling": pooling,
        "dtype": cascade.dtype_of(model),
    }
