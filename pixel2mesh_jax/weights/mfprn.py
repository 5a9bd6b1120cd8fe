"""The implicit model of seed 004, AlexSheldrick/MFPRN: the state of its two networks.

The files hold more than has an effect: every stage of the ResNet under a second name, a
classifier, layers that nothing reads. Of several Fourier matrices it is `embedding.B`
that the networks mean; the public program decodes with another one, drawn anew.
"""

import numpy as np

from pixel2mesh_jax.weights.matching import (
    Format,
    Layout,
    Rule,
    from_torch_linear,
)
from pixel2mesh_jax.weights.torchvision_encoders import NORM_TENSORS, resnet_rules

# Tensors without effect. "BN4" and "BN5" are those of the grid alone.
LEFT_OUT = (
    r"(.*\.)?pretrained\.fc\.(weight|bias)",
    r"(.*\.)?feature_extractor_2d\.layer\d\..*",
    r"(.*\.)?global_feat_out\.(weight|bias)",
    r"(.*\.)?feature_extractor_3d\.BN[45]\..*",
    r"(.*\.)?num_batches_tracked",
    r"lin9\..*",
    r"encoder\.embedding\.B",
)
# Ours -> theirs.
REPORT_LAYERS = {
    "layer1": "lin1",
    "layer2": "lin2",
    "layer3": "lin5",
    "layer4": "lin7",
    "layer5": "lin8",
    "distance": "lin_sdf",
    "color": "lin_rgb",
}
HEAD_LAYERS = {
    **{f"layer{number}": f"lin{number}" for number in range(1, 7)},
    "distance": "lin_sdf",
    "color_layer": "lin_rgb_1",
    "color": "lin_rgb_out",
}
GRID_LAYERS = {
    "conv1a": "conv1",
    "conv1b": "conv1_1",
    "conv2a": "conv2",
    "conv2b": "conv2_2",
    "conv3a": "conv3",
    "conv3b": "conv3_3",
}


def from_torch_conv1d(array: np.ndarray) -> np.ndarray:
    """Kernel (out, in, 1) to (in, out)."""
    return array[:, :, 0].T


def from_torch_conv3d(array: np.ndarray) -> np.ndarray:
    """Kernel (out, in, x, y, z) to (x, y, z, in, out)."""
    return array.transpose(2, 3, 4, 1, 0)


def from_lengths(array: np.ndarray) -> np.ndarray:
    """Lengths (out, 1, ...) to (out,)."""
    return array.ravel()


def _normed(ours: str, theirs: str, layout: Layout, rank: int) -> list[Rule]:
    """A layer with weight normalisation; `rank` of its tensors."""
    return [
        Rule(f"{ours}/kernel", f"{theirs}.weight_v", layout, rank),
        Rule(f"{ours}/scale", f"{theirs}.weight_g", from_lengths, rank),
        Rule(f"{ours}/bias", f"{theirs}.bias"),
    ]


def _encoder_rules(prefix):
    image, grid = prefix + "feature_extractor_2d.", prefix + "feature_extractor_3d."
    rules = resnet_rules("image_code/encoder/", f"{image}pretrained.")
    rules += [
        Rule(
            r"image_code/reduce(\d)/kernel",
            image + r"reduce_\1.weight",
            from_torch_conv1d,
            rank=3,
        ),
        Rule(r"image_code/reduce(\d)/bias", image + r"reduce_\1.bias"),
    ]
    for ours, theirs in NORM_TENSORS.items():
        rules += [
            Rule(rf"image_code/encoder/norm_tap(\d)/{ours}", rf"{image}BN\1.{theirs}"),
            Rule(f"image_code/norm_summary/{ours}", f"{image}BN5.{theirs}"),
            Rule(rf"grid_code/norm(\d)/{ours}", rf"{grid}BN\1.{theirs}"),
        ]
    for ours, theirs in GRID_LAYERS.items():
        rules += _normed(f"grid_code/{ours}", grid + theirs, from_torch_conv3d, 5)
    names = r"grid_code/reduce(\d)", grid + r"reduce_\1"
    return rules + _normed(*names, from_torch_conv1d, 3)


def _format(prefix, decoder, layers):
    rules = _encoder_rules(prefix)
    for ours, theirs in layers.items():
        rules += _normed(f"decoder/{ours}", decoder + theirs, from_torch_linear, 2)
    return [*rules, Rule("fourier/matrix", "embedding.B", from_torch_linear)]


REQUIRED = {
    "model.grid": "colored_density",
    "model.encoder": "resnet50",
    "model.fourier_features": "256",
}
REPORT = Format(
    rules=_format("", "", REPORT_LAYERS),
    is_model=True,
    requires={**REQUIRED, "model.decoder": "code"},
    left_out="|".join(LEFT_OUT),
)
HEAD = Format(
    rules=_format("encoder.", "decoder.", HEAD_LAYERS),
    is_model=True,
    requires={**REQUIRED, "model.decoder": "head"},
    left_out="|".join(LEFT_OUT),
)
