"""Files as the published programs write them, from tensors under published names."""

import numpy as np

NUM_BLOCKS = 6
# Channels and number of the convolutions of the VGG, "conv0_1" to "conv5_4".
VGG_BLOCKS = ((16, 2), (32, 3), (64, 3), (128, 3), (256, 3), (512, 4))
# VGG-16 of torchvision: channels of the convolutions, and the max poolings.
VGG16_LAYERS = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M") + 2 * (
    *(512, 512, 512),
    "M",
)


def save_npz(path, tensors):
    """An npz of tensors under their names."""
    np.savez(path, **tensors)
    return path


def tensorflow_variables(tensors):
    """The variables of the release, from the tensors of its migration to PyTorch.

    18 convolutions in their order, then the graph convolutions of each stage in the
    order in which they are applied, from 1; `weights_0` is the loop.
    """
    convs = sorted({name.split(".")[1] for name in tensors if "nn_encoder" in name})
    variables = {}
    for number, conv in enumerate(convs):
        prefix = f"gcn/Conv2D_{number}" if number else "gcn/Conv2D"
        kernel = tensors[f"nn_encoder.{conv}.weight"]
        variables[f"{prefix}/W"] = kernel.transpose(2, 3, 1, 0)
        variables[f"{prefix}/b"] = tensors[f"nn_encoder.{conv}.bias"]
    for number, layer in enumerate(graph_convolutions(), start=1):
        prefix = f"gcn/graphconvolution_{number}_vars"
        variables[f"{prefix}/weights_0"] = tensors[f"{layer}.loop_weight"]
        variables[f"{prefix}/weights_1"] = tensors[f"{layer}.weight"]
        variables[f"{prefix}/bias"] = tensors[f"{layer}.bias"]
    return variables


def graph_convolutions():
    """Names of the 43 graph convolutions in PyTorch, in the order of application."""
    for stage in range(3):
        yield f"gcns.{stage}.conv1"
        for block in range(NUM_BLOCKS):
            yield f"gcns.{stage}.blocks.{block}.conv1"
            yield f"gcns.{stage}.blocks.{block}.conv2"
        yield f"gcns.{stage}.conv2"
    yield "gconv"


def small_model(factor=16, hidden=8, last=4, seed=0):
    """Tensors of the PyTorch program with a narrow VGG and graph network."""
    tensors, channels = {}, 3
    for block, (width, count) in enumerate(VGG_BLOCKS):
        for index in range(1, count + 1):
            kernel = 5 if index == 1 and block >= 4 else 3
            name = f"nn_encoder.conv{block}_{index}"
            tensors[f"{name}.weight"] = (width // factor, channels, kernel, kernel)
            tensors[f"{name}.bias"] = (width // factor,)
            channels = width // factor
    pooled = 3 + (64 + 128 + 256 + 512) // factor
    for layer in graph_convolutions():
        into = _input_width(layer, pooled, hidden, last)
        out = _output_width(layer, hidden, last)
        tensors[f"{layer}.weight"] = tensors[f"{layer}.loop_weight"] = (into, out)
        tensors[f"{layer}.bias"] = (out,)
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in tensors.items()
    }


def _input_width(layer, pooled, hidden, last):
    if layer == "gconv":
        return last
    if layer.endswith("conv1") and "blocks" not in layer:
        return pooled if layer.startswith("gcns.0") else pooled + hidden
    return hidden


def _output_width(layer, hidden, last):
    if layer == "gconv" or layer in ("gcns.0.conv2", "gcns.1.conv2"):
        return 3
    return last if layer == "gcns.2.conv2" else hidden


def vgg16_layers():
    """Number and channels as torchvision counts: a convolution and its ReLU are two."""
    number = 0
    for width in VGG16_LAYERS:
        yield number, width
        number += 1 if width == "M" else 2


def vgg16_tensors(rng, factor):
    """The state of a torchvision VGG-16, narrower by `factor`."""
    tensors, channels = {"classifier.0.weight": np.zeros((4, 4), np.float32)}, 3
    for number, width in vgg16_layers():
        if width == "M":
            continue
        shape = (width // factor, channels, 3, 3)
        kernel = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        tensors[f"features.{number}.weight"] = kernel.astype(np.float32)
        bias = 0.1 * rng.standard_normal(shape[0])
        tensors[f"features.{number}.bias"] = bias.astype(np.float32)
        channels = shape[0]
    return tensors
