"""From the names in a config to a model: the only place that knows both."""

import jax
import jax.numpy as jnp
import ml_collections
from flax import linen as nn

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import depth, graph, templates
from pixel2mesh_jax.models import encoders
from pixel2mesh_jax.models.pixel2mesh import PREDICTIONS, Pixel2Mesh
from pixel2mesh_jax.structures import Template

ENCODERS = {
    "conv18": encoders.Conv18,
    "resnet18": encoders.ResNet18,
    "resnet50": encoders.ResNet50,
}
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
INPUTS = {"rgb": None, "depth": None}


def make_model(config: ml_collections.ConfigDict) -> nn.Module:
    """The network of `config.model` for the channels of `config.inputs`.

    Raises:
      InputError: a name that does not exist, with the valid ones.
    """
    model = config.model
    for name in config.inputs:
        choose("input", name, INPUTS)
    dtype = choose("model.dtype", model.dtype, DTYPES)
    make_encoder = choose("model.encoder", model.encoder, ENCODERS)
    choose("model.depth_encoding", model.depth_encoding, depth.ENCODINGS)
    choose("model.operator", model.operator, dict.fromkeys(graph.OPERATORS))
    choose("model.prediction", model.prediction, dict.fromkeys(PREDICTIONS))
    return Pixel2Mesh(
        encoder=make_encoder(width=model.encoder_width, dtype=dtype),
        inputs=tuple(config.inputs),
        depth_encoding=model.depth_encoding,
        hidden_features=model.hidden_features,
        last_features=model.last_features,
        num_blocks=model.num_blocks,
        operator=model.operator,
        prediction=model.prediction,
        origin=tuple(model.origin),
        vertex_colors=model.vertex_colors,
        dtype=dtype,
    )


def make_template() -> Template:
    """The ellipsoid hierarchy as device arrays."""
    return jax.tree.map(jnp.asarray, templates.ellipsoid())


def choose(field: str, name: str, table: dict):
    """Looks a name up; raises InputError with the valid names."""
    if name not in table:
        raise InputError(
            f"Unknown {field} {name!r}. Valid choices: {', '.join(sorted(table))}."
        )
    return table[name]
