"""Pixel2Mesh and its variants: an ellipsoid, deformed by three graph networks."""

import functools
from typing import Any

import ml_collections
import numpy as np

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import graph, pooling, topology, vertex_colors
from pixel2mesh_jax.losses.pixel2mesh import (
    Pixel2MeshWeights,
    pixel2mesh,
    pixel2mesh_printed,
)
from pixel2mesh_jax.losses.pixel2mesh_plus import (
    Pixel2MeshPlusWeights,
    pixel2mesh_plus,
)
from pixel2mesh_jax.losses.reconstruction import reconstruction
from pixel2mesh_jax.losses.stages import FourLossWeights
from pixel2mesh_jax.methods import cascade
from pixel2mesh_jax.methods.method import Call, Method, check
from pixel2mesh_jax.models import autoencoder
from pixel2mesh_jax.models.pixel2mesh import (
    CHANNELS,
    COORDINATES,
    PLACEMENTS,
    PREDICTIONS,
    Pixel2Mesh,
)
from pixel2mesh_jax.structures import Batch, HostMesh, Reconstruction

SEEN_COLORS = ("network", "image")
DECODERS = ("none", "unet", "unet_relu")
PLUS = "pixel2mesh_plus"
WEIGHTS = {"pixel2mesh": Pixel2MeshWeights, PLUS: Pixel2MeshPlusWeights}


def defaults() -> ml_collections.ConfigDict:
    """The released Pixel2Mesh; `models/pixel2mesh.py` and the losses explain names."""
    model = {
        "hidden_features": 256,
        "last_features": 128,
        "num_blocks": 6,  # residual blocks per stage
        "residual": True,  # False: no shortcuts
        "coordinates": "every_stage",
        "operator": "chebyshev",
        "prediction": "positions",
        "origin": (0.0, 0.0, -0.8),
        "pooling": "half_pixel",  # of geometry/pooling.py
        "camera": "sample",  # or "FOCAL,CENTER", pixels, for all samples
        "decoder": "none",  # reconstructs the image
        "vertex_colors": False,
        "seen_colors": "network",  # or "image", of vertices that it shows
        "placement": "template",  # or "view": the template stands where the object is
        "starts_still": False,  # the last layers start at 0
        "sees_view": False,  # where vertices are relative to depth map and outline
        "anchor": False,  # moves vertices along their rays to the depth map
        "rematerialize": False,  # True: less memory, more time, in training
    }
    return cascade.defaults(model, loss_defaults("pixel2mesh"))


def loss_defaults(family: str) -> dict[str, Any]:
    """The section `loss` of a config for a family that has defaults."""
    return {"family": family, **WEIGHTS[family]()._asdict()}


def make(config: ml_collections.ConfigDict) -> Method:
    """See `methods.make`."""
    cascade.check_model(config, defaults())
    _check_heads(config)
    made = cascade.make(
        config,
        model=_make_network(config),
        families=_families(config.model),
        phase=_phase,
        extra=_image_terms,
    )
    painted = config.model.seen_colors == "image"
    return made._replace(extract=extract_painted) if painted else made


def extract_painted(call: Call, batch: Batch) -> list[Reconstruction]:
    """As `cascade.extract`, the last mesh in the colours of the image where seen."""
    found = cascade.extract(call, batch)
    return [_painted(one, batch, row) for row, one in enumerate(found)]


def _painted(found, batch, row):
    *stages, (vertices, faces, colors) = found.stages
    image = (batch.rgb, batch.mask, batch.intrinsics)
    image = (np.asarray(array[row]) for array in image)
    colors = vertex_colors.seen_from_image(colors, vertices, faces, *image)
    return found._replace(stages=(*stages, HostMesh(vertices, faces, colors)))


def _families(model):
    """Losses by name. The pairs of faces are known here: the template is not traced."""
    levels = cascade.make_template(model).levels
    pairs = [topology.face_pairs(np.asarray(level.faces)) for level in levels]
    return {
        "pixel2mesh": (Pixel2MeshWeights, cascade.without_keys(pixel2mesh)),
        "pixel2mesh_printed": (
            FourLossWeights,
            cascade.without_keys(pixel2mesh_printed),
        ),
        PLUS: (Pixel2MeshPlusWeights, functools.partial(pixel2mesh_plus, pairs=pairs)),
    }


def _make_network(config):
    model = config.model
    check("model.operator", model.operator, graph.OPERATORS)
    check("model.prediction", model.prediction, PREDICTIONS)
    check("model.coordinates", model.coordinates, COORDINATES)
    check("model.pooling", model.pooling, pooling.POOLINGS)
    check("model.placement", model.placement, PLACEMENTS)
    return Pixel2Mesh(
        **cascade.network_arguments(config),
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
        placement=model.placement,
        starts_still=model.starts_still,
        sees_view=model.sees_view,
        anchor=model.anchor,
        decoder=_make_decoder(config),
        rematerialize=model.rematerialize,
    )


def _make_decoder(config):
    """The image decoder of the autoencoder variants; None without one."""
    model = config.model
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
        dtype=cascade.dtype_of(model),
    )


def _check_heads(config):
    """A head without its loss stays random; a loss without its head has no effect."""
    model, loss = config.model, config.loss
    check("model.decoder", model.decoder, DECODERS)
    check("model.seen_colors", model.seen_colors, SEEN_COLORS)
    if model.seen_colors == "image" and not model.vertex_colors:
        raise InputError(
            "model.seen_colors 'image' has no effect without model.vertex_colors."
        )
    decodes = model.decoder != "none"
    pairs = {
        ("model.vertex_colors", "loss.color"): (
            model.vertex_colors,
            loss.get("color", 0) > 0,
        ),
        ("model.decoder", "loss.image"): (
            decodes and "rgb" in config.inputs,
            loss.get("image", 0) > 0,
        ),
        ("model.decoder with input depth", "loss.depth"): (
            decodes and "depth" in config.inputs,
            loss.get("depth", 0) > 0,
        ),
        ("model.decoder", "loss.image_steps"): (
            decodes,
            loss.get("image_steps", 0) > 0,
        ),
    }
    for (head, weight), (has_head, has_loss) in pairs.items():
        if has_head and not has_loss:
            raise InputError(f"{head} is never trained: {weight} is 0 or not there.")
        if has_loss and not has_head:
            raise InputError(f"{weight} has no effect without {head}.")


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


def _phase(weights, step):
    """The image is reconstructed in the first steps only."""
    return "image" if step <= getattr(weights, "image_steps", 0) else "mesh"


def _image_terms(outputs, batch, weights, phase):
    return reconstruction(outputs, batch, weights) if phase == "image" else {}
