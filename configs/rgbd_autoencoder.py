r"""Pixel2Mesh with an image autoencoder, colour and depth in.

As `rgb_autoencoder.py`, with a fourth input channel that the decoder draws as well: the
disparity over the object, with the same loss and weight as the colours.

    python -m pixel2mesh_jax.main --config configs/rgbd_autoencoder.py \
        --workdir runs/rgbd_autoencoder

Not in the paper, which has colour only. This size has not been trained here; `:tiny` is
for two CPU cores.

    python -m pixel2mesh_jax.main --config configs/rgbd_autoencoder.py:tiny \
        --workdir runs/tiny_rgbd_autoencoder
"""

from configs import common, rgb_autoencoder


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    config = rgb_autoencoder.autoencoder(("rgb", "depth"))
    return common.variant(config, variant, {"tiny": rgb_autoencoder.tiny})
