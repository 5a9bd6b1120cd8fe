"""From the names in a config to a model: the only place that knows both."""

import functools

import jax
import jax.numpy as jnp
import ml_collections
from flax import linen as nn

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import depth, graph, pooling, templates
from pixel2mesh_jax.io import dat
from pixel2mesh_jax.models import autoencoder, encoders, refinement
from pixel2mesh_jax.models.frustum_unet import FrustumUNet
from pixel2mesh_jax.models.pixel2mesh import (
    CHANNELS,
    COLOR_ENCODINGS,
    COORDINATES,
    PREDICTIONS,
    Pixel2Mesh,
)
from pixel2mesh_jax.models.pixel2mesh2 import Pixel2Mesh2
from pixel2mesh_jax.models.two_stream import TwoStream
from pixel2mesh_jax.structures import Template

ENCODERS = {
    "conv18": encoders.Conv18,
    "conv18_symmetric": functools.partial(encoders.Conv18, padding="symmetric"),
    "vgg16": encoders.VGG16,
    "resnet18": encoders.ResNet18,
    "resnet34": encoders.ResNet34,
    "resnet50": encoders.ResNet50,
}
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
FUSIONS = ("stacked", "two_stream")
DECODERS = ("none", "unet", "unet_relu")
TEMPLATES = {
    "ellipsoid": templates.ellipsoid,
    "icosphere": templates.icosphere,
    "flattened_icosphere": functools.partial(
        templates.icosphere, proportions=templates.FLATTENED
    ),
    "camera_sphere": functools.partial(
        templates.icosphere,
        radius=templates.CAMERA_SPHERE_RADIUS,
        center=templates.CAMERA,
    ),
}
# Instead of a name, the file of the released Pixel2Mesh.
TEMPLATE_FILE = "dat:"
MAX_STAGES = 4


def make_model(config: ml_collections.ConfigDict) -> nn.Module:
    """The network of `config.model` for the channels of `config.inputs`.

    Raises:
      InputError: a name that does not exist, with the valid ones, or settings that
        exclude each other.
    """
    for name in config.inputs:
        choose("input", name, CHANNELS)
    check("model.depth_encoding", config.model.depth_encoding, depth.ENCODINGS)
    check("model.color_encoding", config.model.color_encoding, COLOR_ENCODINGS)
    return choose("model.family", config.model.family, FAMILIES)(config)


def make_template(config: ml_collections.ConfigDict) -> Template:
    """The mesh hierarchy that a deformation starts from, as device arrays."""
    model = config.model
    stages = model.num_stages
    if not 1 <= stages <= MAX_STAGES:
        raise InputError(f"model.num_stages is {stages}; expected 1 to {MAX_STAGES}.")
    if model.template.startswith(TEMPLATE_FILE):
        file = dat.load_ellipsoid(model.template.removeprefix(TEMPLATE_FILE))
        template = templates.from_mesh(*file, num_levels=stages)
    else:
        check("model.template", model.template, (*TEMPLATES, "dat:PATH"))
        template = TEMPLATES[model.template](num_levels=stages)
    if not model.unpooling:
        template = templates.without_unpooling(template)
    return jax.tree.map(jnp.asarray, template)


def make_encoder(config: ml_collections.ConfigDict) -> nn.Module:
    """The image encoder; two of them if colour and depth are fused late."""
    model = config.model
    make = choose("model.encoder", model.encoder, ENCODERS)
    make = functools.partial(make, width=model.encoder_width, dtype=_dtype(config))
    check("model.fusion", model.fusion, FUSIONS)
    if model.fusion == "stacked":
        return make()
    if tuple(config.inputs) != ("rgb", "depth"):
        raise InputError(
            f"model.fusion 'two_stream' needs inputs ('rgb', 'depth'), not "
            f"{tuple(config.inputs)}."
        )
    return TwoStream(make(), make(), dtype=_dtype(config))


def make_decoder(config: ml_collections.ConfigDict) -> nn.Module | None:
    """The image decoder of the autoencoder variants; None without one."""
    model = config.model
    check("model.decoder", model.decoder, DECODERS)
    if model.decoder == "none":
        return None
    if config.image_size % autoencoder.SIZE_FACTOR:
        raise InputError(
            f"image_size is {config.image_size}; a decoder needs a multiple of "
            f"{autoencoder.SIZE_FACTOR}."
        )
    return autoencoder.ImageDecoder(
        channels=sum(CHANNELS[name] for name in config.inputs),
        width=model.encoder_width,
        relu_before_sigmoid=model.decoder == "unet_relu",
        dtype=_dtype(config),
    )


def _make_pixel2mesh(config):
    model = config.model
    check("model.operator", model.operator, graph.OPERATORS)
    check("model.prediction", model.prediction, PREDICTIONS)
    check("model.coordinates", model.coordinates, COORDINATES)
    check("model.pooling", model.pooling, pooling.POOLINGS)
    return Pixel2Mesh(
        encoder=make_encoder(config),
        inputs=tuple(config.inputs),
        depth_encoding=model.depth_encoding,
        color_encoding=model.color_encoding,
        hidden_features=model.hidden_features,
        last_features=model.last_features,
        num_blocks=model.num_blocks,
        residual=model.residual,
        coordinates=model.coordinates,
        operator=model.operator,
        prediction=model.prediction,
        origin=tuple(model.origin),
        pooling=model.pooling,
        camera=parse_camera(model.camera),
        vertex_colors=model.vertex_colors,
        decoder=make_decoder(config),
        rematerialize=model.rematerialize,
        dtype=_dtype(config),
    )


def _make_pixel2mesh2(config):
    model = config.model
    check("model.operator", model.operator, graph.OPERATORS)
    check("model.pooling", model.pooling, ("half_pixel",))
    check("model.camera", model.camera, ("sample",))
    return Pixel2Mesh2(
        encoder=make_encoder(config),
        inputs=tuple(config.inputs),
        depth_encoding=model.depth_encoding,
        color_encoding=model.color_encoding,
        scales=tuple(model.scales),
        projected_features=tuple(model.projected_features),
        hidden_features=model.hidden_features,
        num_blocks=model.num_blocks,
        operator=model.operator,
        sees_coordinates=model.sees_coordinates,
        origin=tuple(model.origin),
        rematerialize=model.rematerialize,
        dtype=_dtype(config),
    )


def _make_refinement(config):
    model = config.model
    check("model.pooling", model.pooling, refinement.POOLINGS)
    check("model.camera", model.camera, ("sample",))
    if model.vertex_colors or model.decoder != "none" or model.rematerialize:
        raise InputError(
            "model.family 'refinement' has neither vertex_colors nor a decoder, and no "
            "residual blocks to rematerialize."
        )
    head = refinement.RefinementHead(
        features=model.hidden_features,
        num_convs=model.num_blocks,
        residual=model.residual,
        pooling=model.pooling,
        dtype=_dtype(config),
    )
    return refinement.MeshRefinement(
        encoder=make_encoder(config),
        head=head,
        inputs=tuple(config.inputs),
        depth_encoding=model.depth_encoding,
        color_encoding=model.color_encoding,
        dtype=_dtype(config),
    )


def _make_frustum(config):
    model = config.model
    return FrustumUNet(
        inputs=tuple(config.inputs),
        resolution=model.resolution,
        layers=model.layers,
        widths=tuple(model.widths),
        features=model.features,
        depth_dropout=model.depth_dropout,
        depth_noise=model.depth_noise,
        dtype=_dtype(config),
    )


FAMILIES = {
    "frustum": _make_frustum,
    "pixel2mesh": _make_pixel2mesh,
    "pixel2mesh2": _make_pixel2mesh2,
    "refinement": _make_refinement,
}


def parse_camera(text: str) -> tuple[float, float] | None:
    """Focal length and principal point in pixels from "248,111.5"; None for "sample".

    Raises:
      InputError: neither of the two.
    """
    if text == "sample":
        return None
    try:
        focal_length, center = map(float, text.split(","))
    except ValueError:
        raise InputError(
            f"Unknown model.camera {text!r}. Valid: 'sample', or the focal length and "
            "the principal point in pixels, as in '248,111.5'."
        ) from None
    return focal_length, center


def choose(field: str, name: str, table: dict):
    """Looks a name up; raises InputError with the valid names."""
    check(field, name, table)
    return table[name]


def check(field: str, name: str, names) -> None:
    """Raises InputError with the valid names if this is none of them."""
    if name not in names:
        raise InputError(
            f"Unknown {field} {name!r}. Valid choices: {', '.join(sorted(names))}."
        )


def _dtype(config):
    return choose("model.dtype", config.model.dtype, DTYPES)
