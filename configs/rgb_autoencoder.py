r"""Pixel2Mesh with an image autoencoder, colour in.

T. Zhao and O. Clivio, From Pixel to Mesh, project of RecVis 2018, M2 MVA (slides).
A U-Net decoder draws the image again from the feature maps of the 18-convolution
encoder, as a warm start: in the first epoch the network minimises image loss and mesh
loss, then the mesh loss only, and the decoder is left out of the program. Its losses:
binary cross entropy (sum) plus L1 (mean), times 1e-4; chamfer distance 100, edges 30,
Laplacian 450 (0.2 of it in the first block), displacement 30, no normal term. Adam at
5e-5, divided by 5 every 50 epochs.

    python -m pixel2mesh_jax.main --config configs/rgb_autoencoder.py \
        --workdir runs/rgb_autoencoder

Differences from the published program (Tong-ZHAO/Pixel2Mesh-Pytorch): batches of 8
instead of 1; ReLUs in the graph network; bilinear pooling at the projected points,
where there the weights are those of rounded coordinates; no ReLU before the sigmoid of
the decoder, which keeps every colour above 0.5 (`--config.model.decoder=unet_relu` has
it). The slides give no scores; this size has not been trained here.

`:tiny` is for two CPU cores; half of its 600 steps reconstruct the image.

    python -m pixel2mesh_jax.main --config configs/rgb_autoencoder.py:tiny \
        --workdir runs/tiny_rgb_autoencoder
"""

from configs import common

# Steps of 8 through the training views of airplanes of P2M ShapeNet, its only category:
# 4045 test views, and four times as many for training.
EPOCH = 2023
# Steps of 4 through the 1200 training views of procedural_shapes.
TINY_EPOCH = 300


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    return common.variant(autoencoder(("rgb",)), variant, {"tiny": tiny})


def autoencoder(inputs):
    """For the given input channels, all of which are reconstructed."""
    config = common.pixel2mesh(inputs=inputs)
    config.model.hidden_features = 192
    config.model.last_features = 192
    config.model.decoder = "unet"
    config.loss.chamfer = 100.0
    config.loss.chamfer_opposite = 1.0
    config.loss.edge = 30.0
    config.loss.normal = 0.0
    config.loss.laplacian = 450.0
    config.loss.laplacian_stages = (0.2, 1.0, 1.0)
    config.loss.move = 30.0
    config.loss.image = 1e-4
    config.loss.depth = 1e-4 if "depth" in inputs else 0.0
    config.loss.image_steps = EPOCH
    config.loss.graph_decay = config.loss.encoder_decay = 0.0
    config.color_jitter = 0.0
    config.flip = False
    config.num_steps = 150 * EPOCH
    config.optimizer.learning_rate = 5e-5
    config.optimizer.schedule = "steps"
    config.optimizer.warmup_steps = 0
    config.optimizer.decay_steps = (50 * EPOCH, 100 * EPOCH)
    config.optimizer.decay_factor = 0.2
    return config


def tiny(config):
    """As `common.tiny`, with an epoch of image loss."""
    config = common.tiny(config)
    config.loss.image_steps = TINY_EPOCH
    return config
