r"""Mesh R-CNN on colour alone, which Depth-Aware Pixel2Mesh compares with.

ResNet-50, 48^3 voxels of the view volume, the mesh of those of a probability of at
least 0.2, three refinement stages of three graph convolutions. Published for P2M
ShapeNet ("pretty", as released): F(1e-4) 69.30 %, F(2e-4) 81.36 %, chamfer 0.398e-3
(mean of 13 categories). Needs a data set with voxels:

    python -m data_pipelines.build procedural_shapes --data_dir data --voxels 48
    python -m pixel2mesh_jax.main --config configs/rgb_mesh_rcnn.py \
        --workdir runs/rgb_mesh_rcnn

Variants:
  best        no loss on the edges: better scores, rougher meshes.
  pretty      as released; the default.
  full        three residual blocks of two graph convolutions and one more per stage, as
              the papers print and nobody ships.
  voxel_only  without refinement.
  published   frame, background and alignment of the released weights, which
              `--config.init_from=meshrcnn:voxmesh_R50.pth` takes.
  told        vertices are told where they are relative to depth map and outline; ours.
  sphere_init the refinement of a sphere of 2562 vertices instead, without voxels: the
              method of `rgbd_pixel2mesh_r50.py`, without unpooling.
  tiny        24^3, a narrow network on small images: minutes on two CPU cores. Build
              the data with `--voxels 24`.
The voxels are those of the published view volume, 0.34 to 1.39 m before the camera; the
build leaves out objects that leave it. `rgbd_sdf_refined.py` has the same stages behind
a voxel head that takes objects of any size before any lens.
This size has not been trained here.
"""

import ml_collections

from configs import common
from pixel2mesh_jax.errors import InputError

# Steps of 32 through the training views, as published; 25 epochs of them.
EPOCH = 24_949
# Metres of a diagonal of an object, which is 1 in the published program.
UNIT_DIAGONAL = 0.57
# Published weights are of squares of its lengths, beside the loss of the voxels.
SQUARES = UNIT_DIAGONAL**-2


def get_config(variant=""):
    """Settings of the experiment; the variants are listed above."""
    return mesh_rcnn(("rgb",), variant)


def mesh_rcnn(inputs: tuple[str, ...], variant: str) -> ml_collections.ConfigDict:
    """Mesh R-CNN for the given input channels, with named variants."""
    config = with_training(common.experiment("mesh_rcnn", inputs))
    config.num_steps = 25 * EPOCH
    config.loss.chamfer = SQUARES
    config = pretty(config)
    changes = {
        "best": best,
        "pretty": pretty,
        "full": full,
        "voxel_only": voxel_only,
        "published": published,
        "told": told,
        "tiny": tiny,
        "sphere_init": sphere_init,
    }
    names = {name.strip() for name in variant.split(",")}
    if {"best", "pretty"} <= names:
        raise InputError("Variants 'best' and 'pretty' differ in one weight: take one.")
    if {"told", "sphere_init"} <= names:
        raise InputError("Variant 'told' is of meshes of voxels, not of a sphere.")
    return common.variant(config, variant, changes)


def with_training(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """As the published program trains, whatever the mesh starts from."""
    config.image_size = 137
    config.num_points = 5000
    config.color_jitter = 0.0
    config.flip = False
    config.batch_size = 32
    config.optimizer.learning_rate = 1e-4
    config.optimizer.schedule = "constant"
    config.optimizer.warmup_steps = 0
    return config


def best(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Nothing holds the edges together."""
    config.loss.edge = 0.0
    return config


def pretty(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """The released weight of the edges."""
    config.loss.edge = 0.2 * SQUARES
    return config


def full(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Residual blocks, as printed."""
    config.model.residual = True
    return config


def voxel_only(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """The mesh of the voxels is the result."""
    config.model.num_stages = 0
    return config


def published(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Objects of unit diagonal on black; cubes half a voxel off."""
    config.model.color_encoding = "imagenet_black"
    config.model.alignment = "topleft"
    config.model.unit = UNIT_DIAGONAL
    return config


def told(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """What a view knows about a point, per vertex and stage."""
    config.model.sees_view = True
    return config


def tiny(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """24^3 voxels, a narrow network on small images."""
    config = common.short(config)
    config.model.encoder = "resnet18"
    config.model.encoder_width = 0.5
    config.model.resolution = 24
    config.model.max_vertices, config.model.max_faces = 2_048, 4_096
    config.model.voxel_features = 64
    config.model.hidden_features = 64
    config.loss.num_samples = 1000
    config.optimizer.clip_norm = 1.0
    return config


def sphere_init(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """The method `refinement` with the settings that both have."""
    other = common.experiment("refinement", tuple(config.inputs))
    sections = {"model", "loss"}
    other.update({k: v for k, v in config.items() if k not in {*sections, "method"}})
    for section in sections:
        shared = set(other[section]) & set(config[section]) - {"family"}
        other[section].update({name: config[section][name] for name in shared})
    other.model.unpooling = False
    return other
