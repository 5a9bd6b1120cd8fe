r"""An implicit field of signed distance and colour: *3D Reconstruction from single RGB
images* (TUM, seed 004).

ResNet-50 without pretraining on the image, three scales of 3D convolutions on the
voxelised visible points (32^3, density and colour), 256 Fourier features, five layers;
Adam under one cycle. As published, except that the cube of the field stands where the
view says (`geometry/cube.py`); the report knows the pose of the object. Published for
ShapeNet cars: IoU 78.7 %, normal consistency 86.2 %, chamfer-L2 3.05e-4. Needs a data
set with points around the objects, and with their distances in the view volume for the
variants with the truth:

    python -m data_pipelines.build procedural_shapes --data_dir data \
        --num_queries 8192 --uniform_queries 0.3 --volume 64
    python -m pixel2mesh_jax.main --config configs/implicit.py \
        --workdir runs/implicit

Variants, from least to most information (its table 1):
  2d_only                   the image alone.
  voxels_occupancy          which cells hold visible points.
  depth_projected           how many and their colour; the default.
  depth_projected_no_color  nothing learns colours, lambda_C = 0.
  gt_occupancy, gt_sdf      the true shape at 32^3: what the network can do at best.
Instead of depth, points of the surface (its tables 2):
  cloud, sparse_cloud       3,000 or 300 points with colours, and the image.
  no_image                leaves the image out.
Further:
  head, code   the decoders of the public program: of its last state, whose weights
               `--config.init_from=mfprn:FILE` takes, and of the report
               (`mfprn_report:FILE`), which has another activation there.
  voxels_64    64^3 cells, batches of 7.
  raw          no Fourier features.
  cosine       another schedule.
  tiny         a narrow network on small images: minutes on two CPU cores.
This size has not been trained here.
"""

import ml_collections

from configs import common

# Views per epoch of the report's cars, 30 of about 2,000 objects, over its batch.
EPOCH = 6_000


def get_config(variant=""):
    """Settings of the experiment; the variants are listed above."""
    changes = {
        "2d_only": only_image,
        "voxels_occupancy": grid_of("occupancy"),
        "depth_projected": grid_of("colored_density"),
        "depth_projected_no_color": without_color,
        "gt_occupancy": grid_of("true_occupancy"),
        "gt_sdf": grid_of("true_distances"),
        "cloud": cloud,
        "sparse_cloud": sparse_cloud,
        "no_image": without_image,
        "head": head,
        "code": code,
        "voxels_64": voxels_64,
        "tiny": tiny,
        "raw": raw_coordinates,
        "cosine": cosine,
    }
    return common.variant(implicit(), variant, changes)


def implicit() -> ml_collections.ConfigDict:
    """As published."""
    config = common.experiment("implicit", ("rgb", "depth"))
    config.image_size = 224
    config.num_points = 16  # of no use in training
    config.color_jitter = 0.0
    config.flip = False
    config.batch_size = 10
    config.num_steps = 80 * EPOCH
    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup_steps = 0
    config.optimizer.weight_decay = 1e-4
    return config


def grid_of(name: str):
    """Another grid for the 3D encoder, one of `models/implicit_grids.py`."""

    def change(config):
        config.model.grid = name
        return config

    return change


def only_image(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """No 3D encoder."""
    config.inputs = ("rgb",)
    config.model.grid = "none"
    return config


def without_color(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """lambda_C = 0; the points keep their colours."""
    config.loss.color = 0.0
    return config


def cloud(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Dense points of the whole surface instead of depth."""
    config.inputs = ("rgb", "points")
    config.model.grid = "cloud"
    config.model.cloud_points = config.num_points = 3000
    return config


def sparse_cloud(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """A tenth of them."""
    config = cloud(config)
    config.model.cloud_points = config.num_points = 300
    return config


def without_image(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """The 3D encoder alone."""
    config.inputs = tuple(name for name in config.inputs if name != "rgb")
    return config


def head(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Six layers, and a seventh for colour."""
    config.model.decoder = "head"
    return config


def code(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Five layers with the activation of the program."""
    config.model.decoder = "code"
    return config


def voxels_64(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Finer cells."""
    config.model.grid_resolution = 64
    config.batch_size = 7
    return config


def tiny(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Half of what is drawn of the network at most, on small images."""
    num_points = config.num_points
    config = common.short(config)
    config.num_points = num_points
    config.model.encoder = "resnet18"
    config.model.encoder_width = 0.5
    config.model.image_features = (4, 8, 16, 24, 32)
    config.model.normalize_summary = False  # four views are no statistics
    config.model.grid_channels = (16, 32, 64)
    config.model.grid_features = (8, 16, 32)
    config.model.fourier_features = 64
    config.model.hidden_features = 128
    config.model.num_queries = 2048
    config.extract.resolution = 128
    config.optimizer.schedule = "one_cycle"
    config.optimizer.warmup_steps = 0
    config.optimizer.learning_rate = 2e-3
    config.optimizer.clip_norm = 1.0
    return config


def raw_coordinates(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Positions as they are, to compare with."""
    config.model.fourier_features = 0
    return config


def cosine(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """A half wave from the peak to a hundredth of it, to compare with."""
    config.optimizer.schedule = "cosine"
    return config
