"""An implicit field of signed distance and colour: asked on a grid, marching cubes.

The network of seed 004 (`models/implicit.py`), in a cube around what a view shows
instead of a known pose of the object (`geometry/cube.py`).
"""

import functools
from typing import NamedTuple

import jax
import ml_collections
import numpy as np
from flax import linen as nn
from jaxtyping import Float

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import cube, field_grid, isosurface
from pixel2mesh_jax.losses.implicit import ImplicitWeights, implicit_terms
from pixel2mesh_jax.methods import cascade
from pixel2mesh_jax.methods.method import (
    Call,
    Field,
    Method,
    check,
    check_settings,
    choose,
    image_fields,
)
from pixel2mesh_jax.models import implicit, implicit_decoders
from pixel2mesh_jax.models.implicit_grids import GRIDS
from pixel2mesh_jax.models.implicit_layers import FourierFeatures
from pixel2mesh_jax.structures import Batch, HostMesh, Reconstruction
from pixel2mesh_jax.weights import importing

FAMILIES = {"implicit": (ImplicitWeights, cascade.without_keys(implicit_terms))}
INPUTS = ("rgb", "depth", "points")
ENCODERS = ("resnet18", "resnet34", "resnet50")
DECODERS = {
    "report": implicit_decoders.Decoder,
    "code": functools.partial(implicit_decoders.Decoder, activation=nn.silu),
    "head": implicit_decoders.HeadDecoder,
}
# Cells per side that three scales of convolutions are left with, at least.
MIN_GRID = 4
MIN_RESOLUTION = 4
# Points of which a chunk is a multiple.
ROWS = 256
# What is said of fields without a surface.
FULL = "the field is inside everywhere: the mesh is all of its cube"
EMPTY = "the field is outside everywhere: a small ball stands in"


class Extraction(NamedTuple):
    """How a mesh is made.

    Attributes:
      resolution: nodes per side of the cube.
      chunk: points that are asked at once, rounded up to a multiple of `ROWS`.
      truncation: of the distances, sides of the cube.
      has_colors: whether the network says colours.
    """

    resolution: int
    chunk: int
    truncation: float
    has_colors: bool


def defaults() -> ml_collections.ConfigDict:
    """As published; `models/implicit.py` and the losses explain the names."""
    model = {
        "encoder": "resnet50",
        "encoder_width": 1.0,  # factor on its channel counts
        "image_features": implicit.IMAGE_FEATURES,
        "normalize_summary": True,  # of the whole image, over the batch
        "grid": "colored_density",  # one of models/implicit_grids.py
        "grid_resolution": 32,
        "grid_channels": implicit.GRID_CHANNELS,
        "grid_features": implicit.GRID_FEATURES,
        "cloud_points": 3000,  # at most, of a cloud
        "volume": 64,  # cells per side of true distances, as the data was built
        "fourier_features": 256,  # 0: raw coordinates
        "fourier_sigma": 0.8,
        "decoder": "report",
        "hidden_features": 512,
        "num_queries": 2000,  # points per training example
        "dtype": "float32",
    }
    loss = {"family": "implicit", **ImplicitWeights()._asdict()}
    extraction = {"resolution": 256, "chunk": 16_384}
    return ml_collections.ConfigDict(
        {"model": model, "loss": loss, "extract": extraction}
    )


def make(config: ml_collections.ConfigDict) -> Method:
    """See `methods.make`."""
    for section in ("model", "extract"):
        owner = f"method {config.method!r}"
        check_settings(section, config[section], defaults()[section], owner)
    _check(config)
    weights, objective = cascade.choose_objective(config.loss, FAMILIES)
    return Method(
        fields=_fields(config),
        model=_make_network(config),
        constants=(),
        objective=objective,
        penalty=lambda params: {},
        extract=functools.partial(
            extract,
            how=Extraction(
                config.extract.resolution,
                config.extract.chunk,
                weights.truncation,
                weights.color > 0,
            ),
        ),
        phase=lambda step: None,
        baseline=None,
        formats=importing.FORMATS,
    )


def _check(config):
    model = config.model
    for name in config.inputs:
        check("input", name, INPUTS)
    grid = choose("model.grid", model.grid, GRIDS)
    if grid.input and grid.input not in config.inputs:
        raise InputError(
            f"model.grid {model.grid!r} needs the input {grid.input!r}; inputs are "
            f"{tuple(config.inputs)}."
        )
    if not grid.input and "rgb" not in config.inputs:
        raise InputError("Method 'implicit' needs input 'rgb', or a model.grid.")
    check("model.encoder", model.encoder, ENCODERS)
    check("model.decoder", model.decoder, DECODERS)
    least = {
        "model.grid_resolution": (model.grid_resolution, MIN_GRID),
        "extract.resolution": (config.extract.resolution, MIN_RESOLUTION),
        "extract.chunk": (config.extract.chunk, 1),
        "model.num_queries": (model.num_queries, 1),
        "model.cloud_points": (model.cloud_points, 1),
    }
    for name, (value, lowest) in least.items():
        if value < lowest:
            raise InputError(f"{name} is {value}; expected at least {lowest}.")


def _fields(config):
    model, found = config.model, image_fields(config.image_size, config.num_points)
    needed = GRIDS[model.grid].fields
    for name in ("points", "normals", "colors"):
        if name not in needed:
            del found[name]
    if "distances" in needed:
        found["placement"] = Field((5,), np.float32, "input")
        found["distances"] = Field((model.volume,) * 3, np.int8, "input")
    count = model.num_queries
    found["query_points"] = Field((count, 3), np.float32, "truth")
    found["query_distances"] = Field((count,), np.float32, "truth")
    if config.loss.color > 0:
        found["query_colors"] = Field((count, 3), np.float32, "truth")
    return found


def _make_network(config):
    model, dtype = config.model, cascade.dtype_of(config.model)
    grid = GRIDS[model.grid]
    given = functools.partial(
        grid.make, resolution=model.grid_resolution, count=model.cloud_points
    )
    grid_code = implicit.GridCode(
        channels=tuple(model.grid_channels),
        features=tuple(model.grid_features),
        axis_name=cascade.BATCH_AXIS,
        dtype=dtype,
    )
    return implicit.ImplicitField(
        decoder=DECODERS[model.decoder](
            hidden=model.hidden_features, has_colors=config.loss.color > 0, dtype=dtype
        ),
        fourier=FourierFeatures(model.fourier_features, model.fourier_sigma),
        image_code=_image_code(model, dtype) if "rgb" in config.inputs else None,
        grid_code=None if model.grid == "none" else grid_code,
        given=given,
    )


def _image_code(model, dtype):
    encoder = cascade.ENCODERS[model.encoder]
    return implicit.ImageCode(
        encoder=encoder(width=model.encoder_width, dtype=dtype, normed_taps=True),
        features=tuple(model.image_features),
        axis_name=cascade.BATCH_AXIS,
        normalize_summary=model.normalize_summary,
        dtype=dtype,
    )


def extract(call: Call, batch: Batch, how: Extraction) -> list[Reconstruction]:
    """One closed mesh per view, camera frame, in the unit of its depth map."""
    code = call("encode", batch)
    rows = range(len(batch.weight))
    codes = (jax.tree.map(lambda x, row=row: x[row : row + 1], code) for row in rows)
    return [_extract_one(call, one, how) for one in codes]


def _extract_one(call, code, how) -> Reconstruction:
    distances = _in_chunks(functools.partial(call, "distances", code), how.chunk)
    field = field_grid.coarse_to_fine(distances, how.resolution, how.truncation)
    index, faces = _surface(how.resolution * field)
    positions = cube.nodes(index, how.resolution)
    colors = None
    if how.has_colors:
        ask = _in_chunks(functools.partial(call, "colors", code), how.chunk)
        colors = np.clip(ask(positions), 0, 1)
    where = jax.tree.map(np.asarray, code.cube)
    vertices = cube.outside(positions[None], where)[0].astype(np.float32)
    mesh = HostMesh(vertices, faces, colors)
    return Reconstruction((mesh,), remarks=_remarks(field))


def _remarks(field):
    if np.all(field < 0):
        return (FULL,)
    return () if np.any(field < 0) else (EMPTY,)


def _surface(field):
    """Vertices (row, column, layer) and faces; a ball where there is nothing."""
    if np.any(field < 0):
        return isosurface.marching_cubes(field)
    return isosurface.marching_cubes(isosurface.ball(field.shape))


def _in_chunks(ask, size):
    """A function of any number of positions that asks for `size` of them at a time.

    In whole blocks of `ROWS`: the last rows of a product that does not fill a block are
    added up in another order, and results would depend on the chunk in their last bit.
    """
    size = -(-size // ROWS) * ROWS

    def asked(positions: Float[np.ndarray, "N 3"]) -> np.ndarray:
        count = len(positions)
        padded = np.pad(positions, ((0, -count % size), (0, 0)))
        found = [
            np.asarray(ask(padded[None, start : start + size]))[0]
            for start in range(0, len(padded), size)
        ]
        return np.concatenate(found)[:count]

    return asked
