r"""Two streams: an encoder for colour and one for depth, fused at every scale.

The best idea of the public fork of noahcao/Pixel2Mesh with depth: two ResNet-50s whose
maps are concatenated at each of the four scales and reduced by a 1 x 1 convolution to
the channels of one. Graph network, losses and weight decay as in `rgb_resnet50.py`;
Adam at 1e-4 with a cosine over 200 epochs (the fork restarts it every 70).

    python -m pixel2mesh_jax.main --config configs/rgbd_two_stream.py \
        --workdir runs/two_stream

Differences from the fork: depth enters as disparity over the object and through a stem
of one channel; there it is an 8-bit image, divided by 255 twice and repeated to three
channels. It publishes no results; this size has not been trained here. `:tiny` is for
two CPU cores.

    python -m pixel2mesh_jax.main --config configs/rgbd_two_stream.py:tiny \
        --workdir runs/tiny_two_stream
"""

from configs import common, rgb_resnet50


def get_config(variant=""):
    """Settings of the experiment; variants: tiny."""
    config = rgb_resnet50.get_config()
    config.inputs = ("rgb", "depth")
    config.model.fusion = "two_stream"
    config.num_steps = 200 * rgb_resnet50.EPOCH
    config.optimizer.schedule = "cosine"
    return common.variant(config, variant, {"tiny": rgb_resnet50.tiny})
