r"""What Depth-Aware Pixel2Mesh (Manvi, Jolly, Quevedo, Stanford) actually trained.

Not the network of Pixel2Mesh, but the `Pixel2MeshHead` of the ShapeNet model of Mesh
R-CNN: a ResNet-50 whose first layer sees four channels, a sphere of 162 vertices, three
refinement stages with unpooling to 642 and 2562, its losses, Adam at 1e-4, 137 pixels,
no augmentation, four epochs of 24,949 steps of 32 views. It reports a chamfer
distance of 4.9 from colour and 3.7 with depth, in units that it does not state.

    python -m pixel2mesh_jax.main --config configs/rgbd_pixel2mesh_r50.py \
        --workdir runs/rgbd_pixel2mesh_r50

Differences from the published program, all of them settings:
  model.template  published: `camera_sphere`, a sphere around the camera, which the
      first stage has to carry to the object. Here `icosphere`, where the objects are.
  model.residual  released: False. True for the residual blocks that the papers print.
  model.color_encoding, model.pooling, loss  as published.
Lengths: there an object has unit diagonal, here 0.57, see `models/refinement.py`. The
stem's first three channels are those of ImageNet if pretrained weights are given
(`init_from`), the fourth starts from random numbers (He), as in the paper.

Variants: `published` starts from the sphere around the camera; `tiny` is for two CPU
cores. This size has not been trained to the end here.

    python -m pixel2mesh_jax.main --config configs/rgbd_pixel2mesh_r50.py:tiny \
        --workdir runs/tiny_rgbd_pixel2mesh_r50
"""

import ml_collections

from configs import common, rgb_mesh_rcnn


def get_config(variant=""):
    """Settings of the experiment; variants: published, tiny."""
    experiment = common.experiment("refinement", inputs=("rgb", "depth"))
    config = rgb_mesh_rcnn.with_training(experiment)
    config.num_steps = 100_000
    changes = {"published": published, "tiny": tiny}
    return common.variant(config, variant, changes)


def published(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Starts from the sphere around the camera."""
    config.model.template = "camera_sphere"
    return config


def tiny(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """A narrow network on small images: minutes on two CPU cores."""
    config = common.short(config)
    config.model.encoder_width = 0.25
    config.model.hidden_features = 64
    config.loss.num_samples = 1000
    config.optimizer.clip_norm = 0.0  # the losses are small numbers here
    return config
