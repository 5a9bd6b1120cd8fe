"""The ShapeNet model of Mesh R-CNN, facebookresearch/meshrcnn: `voxmesh_R50.pth`.

The best state of what its training program saves; the released model is "pretty", with
plain graph convolutions. `w0` of a graph convolution belongs to the vertex itself,
`w1` to its neighbours.
"""

from pixel2mesh_jax.weights.matching import (
    Format,
    Rule,
    as_is,
    from_torch_conv,
    from_torch_deconv,
    from_torch_linear,
)
from pixel2mesh_jax.weights.torchvision_encoders import resnet_rules

NUM_STAGES, NUM_CONVS = 3, 3
LINEAR_LAYERS = {"align": "bottleneck", "offset": "vert_offset"}
KINDS = {"kernel": ("weight", from_torch_linear), "bias": ("bias", as_is)}
GRAPH_TENSORS = {
    "own": ("w0.weight", from_torch_linear),
    "bias": ("w0.bias", as_is),
    "neighbor": ("w1.weight", from_torch_linear),
    "neighbor_bias": ("w1.bias", as_is),
}


def _voxel_rules():
    fcn, head = r"voxel_head.voxel_fcn\1.", "voxel_head."
    return [
        Rule(r"voxel_head/conv(\d)/kernel", fcn + "weight", from_torch_conv),
        Rule(r"voxel_head/conv(\d)/bias", fcn + "bias"),
        Rule("voxel_head/deconv/kernel", head + "deconv.weight", from_torch_deconv),
        Rule("voxel_head/deconv/bias", head + "deconv.bias"),
        Rule("voxel_head/logits/kernel", head + "predictor.weight", from_torch_conv),
        Rule("voxel_head/logits/bias", head + "predictor.bias"),
    ]


def _stage_rules(stage):
    ours, theirs = f"head/stage{stage + 1}/", f"mesh_head.stages.{stage}."
    rules = [
        Rule(f"{ours}{layer}/{kind}", f"{theirs}{name}.{suffix}", layout)
        for layer, name in LINEAR_LAYERS.items()
        for kind, (suffix, layout) in KINDS.items()
    ]
    return rules + [
        Rule(f"{ours}conv{conv + 1}/{kind}", f"{theirs}gconvs.{conv}.{name}", layout)
        for conv in range(NUM_CONVS)
        for kind, (name, layout) in GRAPH_TENSORS.items()
    ]


FORMAT = Format(
    rules=[
        *resnet_rules("encoder/", "backbone.", ("stem.0", "stem.1"), "stage"),
        *_voxel_rules(),
        *(rule for stage in range(NUM_STAGES) for rule in _stage_rules(stage)),
    ],
    is_model=True,
    requires={
        "model.alignment": "topleft",
        "model.color_encoding": "imagenet_black",
        "model.pooling": "align_corners_zeros",
        "model.threshold": r"0\.2",
        "model.unit": r"0\.57",
    },
    # The camera, and a counter of batch normalisation.
    left_out=r"K|.*\.num_batches_tracked",
)
