"""Signed distances in the view volume: a U-Net over the rays, marching cubes.

The same weights serve a view with depth and one without: in training a share of the
examples has to do without.
"""

import functools

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jaxtyping import Float, Key

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import (
    depth_noise,
    frustum,
    isosurface,
    mirroring,
    symmetry,
    vertex_colors,
)
from pixel2mesh_jax.losses.frustum import FrustumWeights, frustum_terms, moved_target
from pixel2mesh_jax.methods import two_guesses
from pixel2mesh_jax.methods.cascade import choose_objective, dtype_of, without_keys
from pixel2mesh_jax.methods.method import (
    Call,
    Field,
    Method,
    check_settings,
    choose,
    image_fields,
)
from pixel2mesh_jax.models.frustum_unet import FrustumUNet, with_default_extent
from pixel2mesh_jax.models.pixel2mesh import CHANNELS
from pixel2mesh_jax.structures import (
    Array,
    Batch,
    HostMesh,
    Reconstruction,
    VolumeOutputs,
)

FAMILIES = {"frustum": (FrustumWeights, without_keys(frustum_terms))}
# Largest shift of the layers and largest change of their thickness in training, over
# the extent, where all depth is made worse.
LAYER_JITTER = 0.03
# Fields that only evaluation and images read.
UNUSED_IN_TRAINING = ("points", "normals", "colors")


def defaults() -> ml_collections.ConfigDict:
    """For two CPU cores; `models/frustum_unet.py` and the losses explain the names."""
    model = {
        "resolution": 64,  # rays per side of the volume
        "layers": 64,  # along every ray
        "widths": (48, 96, 160, 256),  # channels, from fine to coarse
        "features": 64,
        "depth_dropout": 0.3,  # share of the training examples without depth
        "depth_noise": 0.5,  # share of the others whose depth is made worse
        "level": 0.1,  # cells; the surface is where the distances are this
        "mirrors": 3,  # planes of symmetry that complete the hidden side, at most
        "dtype": "float32",
    }
    loss = {"family": "frustum", **FrustumWeights()._asdict()}
    return ml_collections.ConfigDict({"model": model, "loss": loss})


def make(config: ml_collections.ConfigDict) -> Method:
    """See `methods.make`."""
    model = config.model
    check_settings("model", model, defaults().model, f"method {config.method!r}")
    for name in config.inputs:
        choose("input", name, CHANNELS)
    if "rgb" not in config.inputs:
        raise InputError("Method 'frustum' needs input 'rgb', with or without 'depth'.")
    if model.mirrors < 0:
        raise InputError(
            f"model.mirrors is {model.mirrors}; expected 0 or a number of planes"
        )
    _, objective = choose_objective(config.loss, FAMILIES)
    return Method(
        fields=_fields(config),
        model=_make_network(config),
        constants=(),
        objective=objective,
        penalty=lambda params: {},
        extract=functools.partial(extract, level=model.level, mirrors=model.mirrors),
        phase=lambda step: None,
        baseline=None,
        formats={},
        augment=functools.partial(
            augment,
            dropout=model.depth_dropout if "depth" in config.inputs else 1.0,
            noise=model.depth_noise,
        ),
        optional=("depth",) if model.depth_dropout > 0 else (),
    )


def _fields(config):
    rays, layers = config.model.resolution, config.model.layers
    fields = image_fields(config.image_size, config.num_points)
    return {
        **{k: v for k, v in fields.items() if k not in UNUSED_IN_TRAINING},
        "placement": Field((5,), np.float32, "truth"),
        "distances": Field((rays, rays, layers), np.int8, "truth"),
        "far_colors": Field((rays, rays, 3), np.uint8, "truth"),
    }


def _make_network(config):
    model = config.model
    return FrustumUNet(
        inputs=tuple(config.inputs),
        resolution=model.resolution,
        layers=model.layers,
        widths=tuple(model.widths),
        features=model.features,
        dtype=dtype_of(model),
    )


def augment(
    batch: Batch, keys: Key[Array, " B"], dropout: float, noise: float
) -> Batch:
    """Depth as of a sensor or missing, and layers that are not quite where they are.

    Args:
      batch: with the stored target.
      keys: one per example.
      dropout: share of the examples that lose their depth.
      noise: share of the others whose depth is made worse.

    Returns:
      A batch whose target is that of the moved volume, in cells, as floats.
    """
    change = functools.partial(_augment_example, dropout=dropout, noise=noise)
    depth, placement, distances = jax.vmap(change)(
        keys, batch.depth, batch.mask, batch.placement, batch.distances
    )
    return batch._replace(depth=depth, placement=placement, distances=distances)


def _augment_example(key, depth, mask, placement, distances, *, dropout, noise):
    noise_key, drop_key, move_key = jax.random.split(key, 3)
    depth = depth_noise.sensor_like(noise_key, depth, mask, noise)
    depth = jnp.where(jax.random.bernoulli(drop_key, dropout), 0, depth)
    shift, stretch = jax.random.uniform(move_key, (2,), minval=-1.0)
    share = noise * LAYER_JITTER
    near = placement[3] + share * shift * placement[4]
    extent = placement[4] * (1 + share * stretch)
    moved = jnp.concatenate([placement[:3], jnp.stack([near, extent])])
    has_depth = jnp.any(depth > 0).astype(jnp.float32)
    moved = with_default_extent(moved[None], has_depth[None])[0]
    return depth, moved, moved_target(distances, placement, moved)


def extract(
    call: Call, batch: Batch, level: float, mirrors: int
) -> list[Reconstruction]:
    """One closed mesh per view, camera frame, in the unit of its depth map.

    Without depth the unit is the Pixel2Mesh metre, and how far away the object is comes
    from the network.
    """
    found = two_guesses.guess(call, batch)
    return [
        _extract_one(found, batch, row, level, mirrors)
        for row in range(len(batch.weight))
    ]


def field_of(
    one: VolumeOutputs, volume: frustum.ViewVolume, level: float, mirrors: int
) -> tuple[Float[np.ndarray, "R R L"], list[symmetry.Mirror]]:
    """The signed distances from which the mesh of one view is made, and planes in them.

    Without depth there is no visible side to mirror: what a network guesses of it, put
    behind it, made 60 validation views worse (F(1e-4) 35.7 to 33.8 %).

    Args:
      one: what the network says, without the axis of the batch.
      volume: where the grid stands.
      level: see `isosurface.carve_and_stamp`.
      mirrors: planes of symmetry at most.
    """
    seen = one.measured, one.depth, one.cosine, volume
    field = isosurface.carve_and_stamp(one.distances, *seen, level)
    if not one.has_depth:
        return isosurface.meet_rays(field, one.measured), []
    return completed(field, one, volume, mirrors)


def completed(
    field: Float[np.ndarray, "R R L"],
    one: VolumeOutputs,
    volume: frustum.ViewVolume,
    mirrors: int,
) -> tuple[Float[np.ndarray, "R R L"], list[symmetry.Mirror]]:
    """A field completed by at most so many planes of symmetry, and those planes."""
    found = symmetry.find_mirrors(field, one.measured, one.depth, volume, mirrors)
    seen = one.measured, one.depth, one.cosine, volume
    return mirroring.complete(field, *seen, found), found


def _extract_one(found: VolumeOutputs, batch, row, level, mirrors) -> Reconstruction:
    one = jax.tree.map(lambda array: np.asarray(array[row]), found)
    volume = frustum.unpack(one.placement.astype(np.float64))
    if not one.has_depth:
        volume = frustum.moved(volume, one.near.astype(np.float64))
    field, planes = field_of(one, volume, level, mirrors)
    surface = isosurface.extract(field, volume)
    if not len(surface.faces):
        surface = isosurface.extract(isosurface.ball(field.shape), volume)
    view = (batch.rgb, batch.mask, batch.intrinsics)
    colors = vertex_colors.of_surface(
        surface,
        *(np.asarray(array[row]) for array in view),
        one.depth,
        volume,
        field.shape[-1],
        planes,
    )
    mesh = HostMesh(surface.vertices, surface.faces, colors)
    has_depth = bool(one.has_depth)
    return Reconstruction((mesh,), mirrors=len(planes), on_depth_map=has_depth)
