"""The sphere head of Mesh R-CNN: what Depth-Aware Pixel2Mesh trained."""

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
    model = config.model
    check("model.pooling", model.pooling, refinement.POOLINGS)
    head = refinement.RefinementHead(
        features=model.hidden_features,
        num_convs=model.num_blocks,
        residual=model.residual,
        pooling=model.pooling,
        dtype=cascade.dtype_of(model),
    )
    return refinement.MeshRefinement(head=head, **cascade.network_arguments(config))
