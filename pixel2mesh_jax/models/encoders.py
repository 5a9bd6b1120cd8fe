"""Image encoders: any number of input channels in, a pyramid of feature maps out."""

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.structures import Array

# (name, kernel, stride, channels); nywang16/Pixel2Mesh p2m/models.py `build_cnn18`.
# No pooling; ReLU after every convolution; TensorFlow SAME padding.
CONV18_LAYERS = (
    ("conv0_1", 3, 1, 16),
    ("conv0_2", 3, 1, 16),
    ("conv1_1", 3, 2, 32),
    ("conv1_2", 3, 1, 32),
    ("conv1_3", 3, 1, 32),
    ("conv2_1", 3, 2, 64),
    ("conv2_2", 3, 1, 64),
    ("conv2_3", 3, 1, 64),
    ("conv3_1", 3, 2, 128),
    ("conv3_2", 3, 1, 128),
    ("conv3_3", 3, 1, 128),
    ("conv4_1", 5, 2, 256),
    ("conv4_2", 3, 1, 256),
    ("conv4_3", 3, 1, 256),
    ("conv5_1", 5, 2, 512),
    ("conv5_2", 3, 1, 512),
    ("conv5_3", 3, 1, 512),
    ("conv5_4", 3, 1, 512),
)
CONV18_TAPS = ("conv2_3", "conv3_3", "conv4_3", "conv5_4")

# (channels, convolutions) between the max poolings of VGG-16, all 3 x 3. Simonyan and
# Zisserman (2015), configuration D.
VGG16_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
VGG16_TAPS = ("conv3_3", "conv4_3", "conv5_3")

# Channels of the stem and of the first stage of every ResNet.
RESNET_CHANNELS = 64

# He initialisation keeps the signal through 18 ReLU layers; the released code's
# uniform scaling shrinks it by 2^-9.
KERNEL_INIT = nn.initializers.he_normal()


class Conv18(nn.Module):
    """The encoder of the released Pixel2Mesh: 64 + 128 + 256 + 512 features.

    Attributes:
      width: factor on all channel counts; 1 is the published network.
      dtype: of the computation; parameters are float32.
      padding: "same" (TensorFlow: an even image gets one row and column more at its end
        where the stride is 2) or "symmetric" (noahcao/Pixel2Mesh, trained in PyTorch).
    """

    width: float | int = 1.0
    dtype: DTypeLike = jnp.float32
    padding: str = "same"

    @nn.compact
    def __call__(
        self, image: Float[Array, "B H W C"], train: bool
    ) -> list[Float[Array, "B _ _ _"]]:
        """Feature maps at 1/4, 1/8, 1/16 and 1/32 of the image, fine to coarse."""
        del train
        taps = []
        x = image
        for name, kernel, stride, channels in CONV18_LAYERS:
            padding = "SAME" if self.padding == "same" else kernel // 2
            x = _conv_relu(self, x, name, channels, kernel, stride, padding)
            if name in CONV18_TAPS:
                taps.append(x)
        return taps


class VGG16(nn.Module):
    """The encoder that the paper describes: 256 + 512 + 512 features of VGG-16.

    Attributes:
      width: factor on all channel counts; 1 is the published network.
      dtype: of the computation; parameters are float32.
    """

    width: float | int = 1.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, image: Float[Array, "B H W C"], train: bool
    ) -> list[Float[Array, "B _ _ _"]]:
        """Feature maps at 1/4, 1/8 and 1/16 of the image, fine to coarse."""
        del train
        taps = []
        x = image
        for block, (channels, size) in enumerate(VGG16_BLOCKS, start=1):
            for index in range(1, size + 1):
                name = f"conv{block}_{index}"
                x = _conv_relu(self, x, name, channels, kernel=3)
                if name in VGG16_TAPS:
                    taps.append(x)
            if block < len(VGG16_BLOCKS):
                x = nn.max_pool(x, (2, 2), (2, 2))
        return taps


def _conv_relu(encoder, x, name, channels, kernel, stride=1, padding="SAME"):
    """One layer of `Conv18` or `VGG16`; `channels` at width 1."""
    conv = nn.Conv(
        max(1, round(channels * encoder.width)),
        (kernel, kernel),
        (stride, stride),
        padding=padding,
        kernel_init=KERNEL_INIT,
        dtype=encoder.dtype,
        name=name,
    )
    return nn.relu(conv(x))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut (ResNet-18 and 34)."""

    channels: int
    stride: int
    conv: Callable
    norm: Callable

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B h w c"]:
        y = self.conv(self.channels, 3, self.stride, name="conv1")(x)
        y = nn.relu(self.norm(name="bn1")(y))
        y = self.conv(self.channels, 3, 1, name="conv2")(y)
        y = self.norm(name="bn2")(y)
        return nn.relu(y + _shortcut(self, x, self.channels))


class BottleneckBlock(nn.Module):
    """1 x 1, 3 x 3, 1 x 1 convolutions with a shortcut (ResNet-50).

    The stride is on the 3 x 3 convolution, as in torchvision.
    """

    channels: int
    stride: int
    conv: Callable
    norm: Callable

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B h w c"]:
        y = nn.relu(
            self.norm(name="bn1")(self.conv(self.channels, 1, 1, name="conv1")(x))
        )
        y = self.conv(self.channels, 3, self.stride, name="conv2")(y)
        y = nn.relu(self.norm(name="bn2")(y))
        y = self.norm(name="bn3")(self.conv(4 * self.channels, 1, 1, name="conv3")(y))
        return nn.relu(y + _shortcut(self, x, 4 * self.channels))


def _shortcut(block, x, channels):
    if x.shape[-1] == channels and block.stride == 1:
        return x
    x = block.conv(channels, 1, block.stride, name="downsample_conv")(x)
    return block.norm(name="downsample_bn")(x)


class ResNet(nn.Module):
    """ResNet with a feature map after each of its four stages.

    With `normed_taps` there is one after the stem as well, all but the last one are
    normalised once more, and what follows sees the normalised one: the encoder of seed
    004 (AlexSheldrick/MFPRN).

    Attributes:
      stage_sizes: residual blocks per stage.
      block: `BasicBlock` or `BottleneckBlock`.
      width: factor on all channel counts; 1 is the published network.
      dtype: of the computation; parameters and statistics are float32.
      axis_name: of the devices whose examples are normalised together in training,
        inside a `shard_map`; None: each caller for itself.
      normed_taps: see above.
    """

    stage_sizes: Sequence[int]
    block: type[nn.Module]
    width: float | int = 1.0
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None
    normed_taps: bool = False

    @nn.compact
    def __call__(
        self, image: Float[Array, "B H W C"], train: bool
    ) -> list[Float[Array, "B _ _ _"]]:
        """Feature maps at 1/4, (1/4,) 1/8, 1/16 and 1/32 of the image."""
        width = max(1, round(RESNET_CHANNELS * self.width))
        conv = functools.partial(_torch_conv, dtype=self.dtype)
        norm = functools.partial(
            nn.BatchNorm,
            use_running_average=not train,
            epsilon=1e-5,
            momentum=0.9,
            dtype=self.dtype,
            axis_name=self.axis_name,
        )
        x = nn.relu(norm(name="bn1")(conv(width, 7, 2, name="conv1")(image)))
        x = nn.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
        taps = []
        if self.normed_taps:
            x = norm(name="norm_tap1")(x)
            taps.append(x)
        for stage, size in enumerate(self.stage_sizes):
            for index in range(size):
                x = self.block(
                    channels=width * 2**stage,
                    stride=2 if stage > 0 and index == 0 else 1,
                    conv=conv,
                    norm=norm,
                    name=f"layer{stage + 1}_{index}",
                )(x)
            if self.normed_taps and stage + 1 < len(self.stage_sizes):
                x = norm(name=f"norm_tap{stage + 2}")(x)
            taps.append(x)
        return taps


def _torch_conv(channels, kernel, stride, *, dtype, name):
    """Convolution without bias, padded on both sides as torchvision does."""
    pad = (kernel - 1) // 2
    return nn.Conv(
        channels,
        (kernel, kernel),
        (stride, stride),
        padding=((pad, pad), (pad, pad)),
        use_bias=False,
        kernel_init=KERNEL_INIT,
        dtype=dtype,
        name=name,
    )


ResNet18 = functools.partial(ResNet, stage_sizes=(2, 2, 2, 2), block=BasicBlock)
ResNet34 = functools.partial(ResNet, stage_sizes=(3, 4, 6, 3), block=BasicBlock)
ResNet50 = functools.partial(ResNet, stage_sizes=(3, 4, 6, 3), block=BottleneckBlock)
