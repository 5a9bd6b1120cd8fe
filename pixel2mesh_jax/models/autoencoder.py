"""The image decoder of the autoencoder variants: a U-Net back to the image.

feature maps 1/4, 1/8, 1/16, 1/32  ->  image of the input channels in [0, 1]

An image that can be drawn again from the features forces them to keep its details, as
a warm start for the graph network (Zhao and Clivio, From Pixel to Mesh, RecVis 2018).
"""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.structures import Array

# (kernel, channels) of the transposed convolutions, all of stride 2; the last one has
# the channels of the image. Tong-ZHAO/Pixel2Mesh-Pytorch. TensorFlow SAME
# padding equals the paddings 0, 1, 1, 2, 2 of its PyTorch layers.
LAYERS = ((2, 256), (4, 128), (4, 64), (6, 32))
LAST_KERNEL = 6
# Five halvings between the image and the coarsest map.
SIZE_FACTOR = 32

KERNEL_INIT = nn.initializers.he_normal()


class ImageDecoder(nn.Module):
    """Transposed convolutions, each but the last two followed by a skip connection.

    Attributes:
      channels: of the image.
      width: factor on the channels of the hidden layers; 1 is the published network.
      relu_before_sigmoid: the published decoder has a ReLU there, so that it cannot
        draw anything darker than 0.5.
      dtype: of the computation; parameters are float32.
    """

    channels: int
    width: float | int = 1.0
    relu_before_sigmoid: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, maps: list[Float[Array, "B _ _ _"]]) -> Float[Array, "B H W C"]:
        """The image in [0, 1], from feature maps fine to coarse."""
        *skips, x = maps
        for index, (kernel, channels) in enumerate(LAYERS):
            channels = max(1, round(channels * self.width))
            x = nn.relu(self._upsample(x, channels, kernel, f"deconv{index + 1}"))
            if skips:
                x = jnp.concatenate([x, skips.pop()], axis=-1)
        x = self._upsample(x, self.channels, LAST_KERNEL, f"deconv{len(LAYERS) + 1}")
        return nn.sigmoid(nn.relu(x) if self.relu_before_sigmoid else x)

    def _upsample(self, x, channels, kernel, name):
        return nn.ConvTranspose(
            channels,
            (kernel, kernel),
            (2, 2),
            padding="SAME",
            kernel_init=KERNEL_INIT,
            dtype=self.dtype,
            name=name,
        )(x)
