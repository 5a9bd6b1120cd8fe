"""Pixel2Mesh2: ResNet-18, an icosphere, one image scale per stage."""

import ml_collections

from pixel2mesh_jax.geometry import graph
from pixel2mesh_jax.losses.pixel2mesh2 import pixel2mesh2
from pixel2mesh_jax.losses.stages import FourLossWeights
from pixel2mesh_jax.methods import cascade
from pixel2mesh_jax.methods.method import Method, check
from pixel2mesh_jax.models.pixel2mesh2 import Pixel2Mesh2

FAMILIES = {"pixel2mesh2": (FourLossWeights, cascade.without_keys(pixel2mesh2))}


def defaults() -> ml_collections.ConfigDict:
    """See `models/pixel2mesh2.py`, and `configs/rgb_resnet18.py` for the losses."""
    model = {
        "template": "flattened_icosphere",
        "encoder": "resnet18",
        "color_encoding": "imagenet",
        "scales": (2, 3, 3),  # feature map per stage: 1/16, 1/32, 1/32
        "projected_features": (128, 256, 256),
        "hidden_features": 256,
        "num_blocks": 3,
        "operator": "gcn",
        "sees_coordinates": True,
        "origin": (0.0, 0.0, -0.8),
        "rematerialize": False,
    }
    weights = FourLossWeights(
        chamfer=1000.0,
        edge=100.0,
        normal=10.0,
        laplacian=100.0,
        chamfer_stages=(1.0, 1.0, 3.0),
        edge_stages=(1.0, 0.3, 0.1),
        normal_stages=(0.0, 0.5, 1.0),
    )
    return cascade.defaults(model, {"family": "pixel2mesh2", **weights._asdict()})


def make(config: ml_collections.ConfigDict) -> Method:
    """See `methods.make`."""
    cascade.check_model(config, defaults())
    return cascade.make(config, model=_make_network(config), families=FAMILIES)


def _make_network(config):
    model = config.model
    check("model.operator", model.operator, graph.OPERATORS)
    return Pixel2Mesh2(
        **cascade.network_arguments(config),
        scales=tuple(model.scales),
        projected_features=tuple(model.projected_features),
        hidden_features=model.hidden_features,
        num_blocks=model.num_blocks,
        operator=model.operator,
        sees_coordinates=model.sees_coordinates,
        origin=tuple(model.origin),
        rematerialize=model.rematerialize,
    )
