"""Separate encoders for colour and depth, fused at every scale.

rgb   -> encoder -> 1/4  1/8  1/16  1/32
                     |    |    |     |     concatenated, 1 x 1 convolution
depth -> encoder -> 1/4  1/8  1/16  1/32
"""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.structures import Array

RGB_CHANNELS = 3


class TwoStream(nn.Module):
    """An encoder made of two, with the feature maps of one.

    Attributes:
      rgb: encoder of the first three channels.
      depth: encoder of the others.
      dtype: of the computation; parameters are float32.

    Source: pollenjp/pixel2mesh-with-depth, a fork of noahcao/Pixel2Mesh. It repeats
    depth to three channels; here the second encoder has a stem of one.
    """

    rgb: nn.Module
    depth: nn.Module
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, image: Float[Array, "B H W C"], train: bool
    ) -> list[Float[Array, "B _ _ _"]]:
        """Feature maps with the shapes of one encoder, fine to coarse."""
        colors = self.rgb(image[..., :RGB_CHANNELS], train)
        depths = self.depth(image[..., RGB_CHANNELS:], train)
        fused = []
        for index, (color, depth) in enumerate(zip(colors, depths, strict=True)):
            both = jnp.concatenate([color, depth], axis=-1)
            conv = nn.Conv(
                color.shape[-1], (1, 1), dtype=self.dtype, name=f"fuse{index + 1}"
            )
            fused.append(conv(both))
        return fused
