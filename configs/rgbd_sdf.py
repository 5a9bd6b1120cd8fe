r"""Signed distances in the view volume: colour and depth in, closed mesh out.

A 2D U-Net of our own (`models/frustum_unet.py`) adds what is hidden to what the depth
map says; marching cubes makes the mesh. Depth is left out in 3 of 10 training examples,
so the same weights serve an image without depth. Needs a data set with signed
distances:

    python -m data_pipelines.build mesh_folder --source FOLDER --data_dir data \
        --volume 64 --views 24 --num_points 1000
    python -m pixel2mesh_jax.main --config configs/rgbd_sdf.py --workdir runs/rgbd_sdf \
        --config.dataset=mesh_folder

4.4 million parameters; a step of 8 views takes 1.0 s on one CPU core. `:tiny` is for
minutes. `:large` has 128 rays and layers and twice the width, for a GPU; it has not
been trained here (`--volume 128` in the build).
"""

import ml_collections

from configs import common


def get_config(variant=""):
    """Settings of the experiment; variants: tiny, large."""
    config = signed_distances(("rgb", "depth"))
    return common.variant(config, variant, {"tiny": tiny, "large": large})


def signed_distances(inputs: tuple[str, ...]) -> ml_collections.ConfigDict:
    """The network for two CPU cores, for the given input channels."""
    return with_training(common.experiment("frustum", inputs))


def with_training(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """The training for two CPU cores."""
    config.image_size = 137
    config.num_points = 16  # of no use in training
    config.batch_size = 8
    config.num_steps = 20_000
    config.log_every = 20
    config.checkpoint_every = 200
    config.optimizer.learning_rate = 2e-3
    config.optimizer.warmup_steps = 100
    config.optimizer.clip_norm = 1.0
    config.optimizer.weight_decay = 1e-3
    config.optimizer.average_decay = 0.998
    return config


def tiny(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Half the rays and layers, a narrow network: minutes on two CPU cores."""
    config.image_size = 96
    config.model.resolution = 32
    config.model.layers = 32
    config.model.widths = (32, 64, 96, 128)
    config.model.features = 32
    config.num_steps = 600
    config.log_every = 10
    config.checkpoint_every = 100
    config.optimizer.average_decay = 0.99
    return config


def large(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """For one GPU or several."""
    config.image_size = 224
    config.model.resolution = 128
    config.model.layers = 128
    config.model.widths = (96, 192, 320, 512, 512)
    config.model.features = 128
    config.batch_size = 32
    config.num_steps = 200_000
    return config
