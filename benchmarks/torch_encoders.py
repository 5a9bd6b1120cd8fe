"""The encoders of the `step` benchmark as one writes them in PyTorch.

Layers have the names of ours, so that our weights find their places.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pixel2mesh_jax.models import encoders

RESNET50_SIZES = (3, 4, 6, 3)  # bottlenecks per stage
EXPANSION = 4  # of the channels of a bottleneck at its end


class Conv18(nn.Module):
    """The 18 convolutions, with the padding of TensorFlow's SAME."""

    channels = (64, 128, 256, 512)  # of the feature maps

    def __init__(self, inputs: int):
        super().__init__()
        for name, kernel, stride, channels in encoders.CONV18_LAYERS:
            self.add_module(name, nn.Conv2d(inputs, channels, kernel, stride))
            inputs = channels

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        taps = []
        for name, kernel, stride, _ in encoders.CONV18_LAYERS:
            low, high = (kernel - stride) // 2, (kernel - stride + 1) // 2
            x = functional.pad(x, (low, high, low, high))
            x = torch.relu(getattr(self, name)(x))
            if name in encoders.CONV18_TAPS:
                taps.append(x)
        return taps


class ResNet50(nn.Module):
    """The layers of torchvision's, with a feature map after each stage."""

    channels = (256, 512, 1024, 2048)  # of the feature maps

    def __init__(self, inputs: int):
        super().__init__()
        width = encoders.RESNET_CHANNELS
        self.conv1 = _conv(inputs, width, 7, 2)
        self.bn1 = nn.BatchNorm2d(width)
        self.stages, inputs = [], width
        for stage, size in enumerate(RESNET50_SIZES):
            self.stages.append([f"layer{stage + 1}_{i}" for i in range(size)])
            for i, name in enumerate(self.stages[-1]):
                stride = 2 if stage > 0 and i == 0 else 1
                self.add_module(name, Bottleneck(inputs, width * 2**stage, stride))
                inputs = EXPANSION * width * 2**stage

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool2d(x, 3, 2, padding=1)
        taps = []
        for names in self.stages:
            for name in names:
                x = getattr(self, name)(x)
            taps.append(x)
        return taps


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1 convolutions with a shortcut; the stride is on the 3 x 3."""

    def __init__(self, inputs: int, channels: int, stride: int):
        super().__init__()
        outputs = EXPANSION * channels
        self.conv1, self.bn1 = _conv(inputs, channels, 1), nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3, self.bn3 = _conv(channels, outputs, 1), nn.BatchNorm2d(outputs)
        self.downsample_conv = self.downsample_bn = nn.Identity()
        if inputs != outputs or stride > 1:
            self.downsample_conv = _conv(inputs, outputs, 1, stride)
            self.downsample_bn = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + self.downsample_bn(self.downsample_conv(x)))


def _conv(inputs, outputs, kernel, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


ENCODERS = {"conv18": Conv18, "resnet50": ResNet50}


@torch.no_grad()
def copy_weights(module: nn.Module, params: dict, stats: dict) -> None:
    """Fills an encoder with the parameters and running statistics of ours."""
    for name, found in params.items():
        layer, running = getattr(module, name), stats.get(name, {})
        if "kernel" in found:
            copy_into(layer.weight, np.transpose(found["kernel"], (3, 2, 0, 1)))
            if layer.bias is not None:
                copy_into(layer.bias, found["bias"])
        elif "scale" in found:
            copy_into(layer.weight, found["scale"])
            copy_into(layer.bias, found["bias"])
            copy_into(layer.running_mean, running["mean"])
            copy_into(layer.running_var, running["var"])
        else:
            copy_weights(layer, found, running)


def copy_into(tensor: torch.Tensor, value: np.ndarray) -> None:
    """Overwrites a tensor, which may be on another device."""
    tensor.copy_(torch.tensor(np.array(value)))
