r"""Pixel2Mesh with a ResNet-50: the PyTorch re-implementation (noahcao/Pixel2Mesh).

ResNet-50 with a feature map after each of its four stages (3840 features), colours
normalised as for ImageNet, 192 channels in all graph convolutions; its loss weights
(experiments/default/resnet.yml; the same as released, in units of the chamfer weight,
but for 0.2 instead of 0.1 on the Laplacian term of the first block) and its schedule:
Adam at 1e-4, times 0.3 after epochs 30, 70 and 90 of 110, batches of 64, weight decay
of all parameters, no augmentation.

    python -m pixel2mesh_jax.main --config configs/rgb_resnet50.py --workdir runs/r50

Published for P2M ShapeNet: F(1e-4) 65.36 %, F(2e-4) 79.24 %, chamfer 0.443e-3 (mean of
13 categories). It starts from ImageNet weights (`init_from`); without them expect less.
This size has not been trained here. `:tiny` is for two CPU cores.

    python -m pixel2mesh_jax.main --config configs/rgb_resnet50.py:tiny \
        --workdir runs/tiny_r50
"""

from configs import common

# Steps of 64 through the 175,132 training views of P2M ShapeNet.
EPOCH = 2737


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    config = common.pixel2mesh(inputs=("rgb",))
    config.model.encoder = "resnet50"
    config.model.color_encoding = "imagenet"
    config.model.hidden_features = 192
    config.model.last_features = 192
    config.loss.chamfer = 1.0
    config.loss.edge = 0.1
    config.loss.normal = 1.6e-4
    config.loss.laplacian = 0.5
    config.loss.laplacian_stages = (0.2, 1.0, 1.0)
    config.loss.move = 0.033
    config.loss.graph_decay = config.loss.encoder_decay = 1e-6
    config.loss.decay_all = True
    config.num_points = 9000
    config.color_jitter = 0.0
    config.flip = False
    config.batch_size = 64
    config.num_steps = 110 * EPOCH
    config.optimizer.schedule = "steps"
    config.optimizer.warmup_steps = 0
    config.optimizer.decay_steps = (30 * EPOCH, 70 * EPOCH, 90 * EPOCH)
    config.optimizer.decay_factor = 0.3
    return common.variant(config, variant, {"tiny": tiny})


def tiny(config):
    """Half the channels of `common.tiny`: a ResNet-50 is four times as wide."""
    config = common.tiny(config)
    config.model.encoder_width = 0.25
    return config
