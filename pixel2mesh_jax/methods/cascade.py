"""What the methods share that deform a template: encoder, template, losses, meshes."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax import linen as nn

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import depth, surface, templates
from pixel2mesh_jax.io import dat
from pixel2mesh_jax.losses import decay
from pixel2mesh_jax.methods.method import (
    Call,
    Losses,
    Method,
    check,
    check_settings,
    choose,
    image_fields,
)
from pixel2mesh_jax.models import encoders
from pixel2mesh_jax.models.pixel2mesh import CHANNELS, COLOR_ENCODINGS
from pixel2mesh_jax.models.two_stream import TwoStream
from pixel2mesh_jax.structures import (
    Batch,
    HostMesh,
    Outputs,
    Reconstruction,
    Template,
)
from pixel2mesh_jax.weights import importing

# The axis of the device mesh over which batch normalisation averages in training.
BATCH_AXIS = "data"
ENCODERS = {
    "conv18": encoders.Conv18,
    "conv18_symmetric": functools.partial(encoders.Conv18, padding="symmetric"),
    "vgg16": encoders.VGG16,
    "resnet18": functools.partial(encoders.ResNet18, axis_name=BATCH_AXIS),
    "resnet34": functools.partial(encoders.ResNet34, axis_name=BATCH_AXIS),
    "resnet50": functools.partial(encoders.ResNet50, axis_name=BATCH_AXIS),
}
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
FUSIONS = ("stacked", "two_stream")
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
# What a family of losses computes: (outputs, batch, weights, keys) -> terms.
Terms = Callable[[Outputs, Batch, Any, jax.Array], dict]


def image_settings() -> dict[str, Any]:
    """Settings `model.*` of the template and of what reads the image."""
    return {
        "template": "ellipsoid",  # or "dat:FILE", that of the release
        "num_stages": 3,  # deformation blocks, 1 to 4
        "unpooling": True,  # False: every stage has the vertices of the last
        "encoder": "conv18",
        "encoder_width": 1.0,  # factor on its channel counts
        "depth_encoding": "disparity",  # of geometry/depth.py
        "color_encoding": "unit",  # or "imagenet", for pretrained encoders
        "fusion": "stacked",  # of colour and depth
        "dtype": "float32",
    }


def defaults(
    model: Mapping[str, Any], loss: Mapping[str, Any]
) -> ml_collections.ConfigDict:
    """The sections of a config; `model` overrides `image_settings`."""
    return ml_collections.ConfigDict(
        {"model": {**image_settings(), **model}, "loss": dict(loss)}
    )


def make(
    config: ml_collections.ConfigDict,
    *,
    model: nn.Module,
    families: Mapping[str, tuple[type, Terms]],
    phase: Callable[[Any, int], Any] = lambda weights, step: None,
    extra: Callable[[Outputs, Batch, Any, Any], dict] | None = None,
) -> Method:
    """The method of a network that deforms a template.

    Args:
      config: of the experiment.
      model: the network.
      families: of losses: name -> type of the weights and terms.
      phase: see `Method.phase`; is given the weights of the losses.
      extra: further terms of (outputs, batch, weights, phase).
    """
    weights, terms = choose_loss(config.loss, families)
    template = make_template(config.model)

    def objective(outputs, batch, keys, now):
        found = terms(outputs, batch, weights, keys)
        return Losses(found | (extra(outputs, batch, weights, now) if extra else {}))

    return Method(
        fields=image_fields(config.image_size, config.num_points),
        model=model,
        constants=template,
        objective=objective,
        penalty=functools.partial(decay.weight_decay, weights=weights),
        extract=extract,
        phase=functools.partial(phase, weights),
        baseline=undeformed(template),
        formats=importing.FORMATS,
    )


def choose_loss(
    settings: ml_collections.ConfigDict, families: Mapping[str, tuple[type, Terms]]
) -> tuple[Any, Terms]:
    """Weights and terms of `loss.family`; every weight must be there.

    Raises:
      InputError: an unknown family, or settings that it does not have.
    """
    settings = settings.to_dict()
    name = settings.pop("family")
    kind, terms = choose("loss.family", name, families)
    check_settings("loss", settings, kind._fields, f"loss {name!r}")
    weights = {
        key: tuple(value) if isinstance(value, list | tuple) else value
        for key, value in settings.items()
    }
    return kind(**weights), terms


def choose_objective(
    settings: ml_collections.ConfigDict, families: Mapping[str, tuple[type, Terms]]
) -> tuple[Any, Callable[..., Losses]]:
    """Weights and objective of `loss.family`, the same in every phase.

    Raises: as `choose_loss`.
    """
    weights, terms = choose_loss(settings, families)

    def objective(outputs, batch, keys, phase):
        return Losses(terms(outputs, batch, weights, keys))

    return weights, objective


def check_model(
    config: ml_collections.ConfigDict, expected: ml_collections.ConfigDict
) -> None:
    """The settings of a network are those of its method, and have valid values."""
    owner = f"method {config.method!r}"
    check_settings("model", config.model, expected["model"], owner)
    for name in config.inputs:
        choose("input", name, CHANNELS)
    check("model.depth_encoding", config.model.depth_encoding, depth.ENCODINGS)
    check("model.color_encoding", config.model.color_encoding, COLOR_ENCODINGS)


def make_template(model: ml_collections.ConfigDict) -> Template:
    """The mesh hierarchy that a deformation starts from, as device arrays."""
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


def network_arguments(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """What every network takes that reads the image and deforms a template."""
    return {
        "encoder": make_encoder(config.model, config.inputs),
        "inputs": tuple(config.inputs),
        "depth_encoding": config.model.depth_encoding,
        "color_encoding": config.model.color_encoding,
        "dtype": dtype_of(config.model),
    }


def make_encoder(model: ml_collections.ConfigDict, inputs: Sequence[str]) -> nn.Module:
    """The image encoder; two of them if colour and depth are fused late."""
    make_one = choose("model.encoder", model.encoder, ENCODERS)
    make_one = functools.partial(
        make_one, width=model.encoder_width, dtype=dtype_of(model)
    )
    check("model.fusion", model.fusion, FUSIONS)
    if model.fusion == "stacked":
        return make_one()
    if tuple(inputs) != ("rgb", "depth"):
        raise InputError(
            f"model.fusion 'two_stream' needs inputs ('rgb', 'depth'), not "
            f"{tuple(inputs)}."
        )
    return TwoStream(make_one(), make_one(), dtype=dtype_of(model))


def dtype_of(model: ml_collections.ConfigDict):
    """Of the computation of the network."""
    return choose("model.dtype", model.dtype, DTYPES)


def without_keys(terms: Callable[[Outputs, Batch, Any], dict]) -> Terms:
    """Terms that are not random, for callers that offer random keys."""
    return lambda outputs, batch, weights, keys: terms(outputs, batch, weights)


def extract(call: Call, batch: Batch) -> list[Reconstruction]:
    """The meshes of all stages, closed and facing outward."""
    meshes = jax.device_get(call("__call__", batch).meshes)
    return [
        Reconstruction(tuple(host_mesh(mesh, row) for mesh in meshes))
        for row in range(len(batch.weight))
    ]


def host_mesh(mesh, row: int) -> HostMesh:
    """One mesh of a batch, on the host."""
    vertices = np.asarray(mesh.vertices[row], np.float32)
    faces = surface.oriented_outward(vertices, np.asarray(mesh.topology.faces))
    colors = None if mesh.colors is None else np.asarray(mesh.colors[row], np.float32)
    return HostMesh(vertices, faces, colors)


def undeformed(template: Template) -> Reconstruction:
    """The template at its finest level."""
    vertices = np.asarray(templates.finest_vertices(template))
    faces = np.asarray(template.levels[-1].faces)
    return Reconstruction((HostMesh(vertices, faces),))
