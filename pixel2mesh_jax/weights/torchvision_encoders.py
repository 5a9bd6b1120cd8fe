"""ImageNet encoders of torchvision: VGG-16 and ResNet-18, 34, 50.

https://pytorch.org/vision/stable/models.html; the classifier is left out.
"""

from pixel2mesh_jax.weights.matching import Format, Rule, as_is, from_torch_conv

# Number of each convolution in `features`, where every convolution is followed by a
# ReLU and every block by a max pooling.
VGG16_FEATURES = {
    "conv1_1": 0,
    "conv1_2": 2,
    "conv2_1": 5,
    "conv2_2": 7,
    "conv3_1": 10,
    "conv3_2": 12,
    "conv3_3": 14,
    "conv4_1": 17,
    "conv4_2": 19,
    "conv4_3": 21,
    "conv5_1": 24,
    "conv5_2": 26,
    "conv5_3": 28,
}
NORM_TENSORS = {
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


def resnet_rules(
    encoder: str,
    prefix: str,
    stem: tuple[str, str] = ("conv1", "bn1"),
    layer: str = "layer",
) -> list[Rule]:
    """Rules of a ResNet.

    Args:
      encoder: what its parameters start with.
      prefix: what the tensors start with.
      stem: names of the first convolution and its normalisation in the file.
      layer: name of the four stages in the file, before their number.
    """
    block, name = encoder + r"layer(\d)_(\d+)/", prefix + layer + r"\1.\2."
    rules = [
        Rule(encoder + r"conv1/kernel", f"{prefix}{stem[0]}.weight", from_torch_conv),
        Rule(block + r"(conv\d)/kernel", name + r"\3.weight", from_torch_conv),
        Rule(
            block + r"downsample_conv/kernel",
            name + "downsample.0.weight",
            from_torch_conv,
        ),
    ]
    for ours, theirs in NORM_TENSORS.items():
        rules += [
            Rule(encoder + f"bn1/{ours}", f"{prefix}{stem[1]}.{theirs}", as_is),
            Rule(block + rf"(bn\d)/{ours}", name + rf"\3.{theirs}", as_is),
            Rule(block + f"downsample_bn/{ours}", name + f"downsample.1.{theirs}"),
        ]
    return rules


def vgg16_rules(encoder: str) -> list[Rule]:
    """Rules of a VGG-16 whose parameters start with this."""
    rules = []
    for layer, number in VGG16_FEATURES.items():
        rules += [
            Rule(
                f"{encoder}{layer}/kernel", f"features.{number}.weight", from_torch_conv
            ),
            Rule(f"{encoder}{layer}/bias", f"features.{number}.bias"),
        ]
    return rules


# Of two encoders, that of colour.
ENCODER = r"encoder/(?:rgb/)?"
FORMAT = Format(
    rules=[*resnet_rules(ENCODER, ""), *vgg16_rules(ENCODER)],
    is_model=False,
    fresh=r"(?!encoder/).*|encoder/(?:depth|fuse\d)/.*",
    left_out=r"fc\..*|classifier\..*|.*\.num_batches_tracked",
)
