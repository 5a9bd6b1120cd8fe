"""The PyTorch re-implementation, noahcao/Pixel2Mesh: `.pt` and `.pth.tar` checkpoints.

All of its models: VGG trained from scratch, VGG aligned with TensorFlow, ResNet-50.
`weight` of its graph convolution belongs to the neighbours, `loop_weight` to the vertex
itself.
"""

from pixel2mesh_jax.weights.matching import (
    Format,
    Rule,
    from_torch_conv,
    from_torch_deconv,
)
from pixel2mesh_jax.weights.torchvision_encoders import resnet_rules

GRAPH_TENSORS = {"own": "loop_weight", "neighbor": "weight", "bias": "bias"}


def _encoder_rules():
    return [
        Rule(r"encoder/(conv\d_\d)/kernel", r"nn_encoder.\1.weight", from_torch_conv),
        Rule(r"encoder/(conv\d_\d)/bias", r"nn_encoder.\1.bias"),
        *resnet_rules("encoder/", "nn_encoder."),
    ]


def _decoder_rules():
    return [
        Rule(
            r"decoder/deconv(\d)/kernel",
            r"nn_decoder.conv_\1.weight",
            from_torch_deconv,
        ),
        Rule(r"decoder/deconv(\d)/bias", r"nn_decoder.conv_\1.bias"),
    ]


def _graph_rules():
    rules = []
    for ours, theirs in GRAPH_TENSORS.items():
        for stage in (1, 2, 3):
            gcn = f"gcns.{stage - 1}."
            last = f"{gcn}conv2." if stage < 3 else "gconv."
            rules += [
                Rule(f"stage{stage}/conv_in/{ours}", f"{gcn}conv1.{theirs}"),
                Rule(
                    rf"stage{stage}/blocks/(\d+)/(conv\d)/{ours}",
                    rf"{gcn}blocks.\1.\2.{theirs}",
                ),
                Rule(f"stage{stage}_out/{ours}", f"{last}{theirs}"),
            ]
        rules.append(Rule(f"stage3_last/{ours}", f"gcns.2.conv2.{theirs}"))
    return rules


FORMAT = Format(
    rules=[*_encoder_rules(), *_decoder_rules(), *_graph_rules()],
    is_model=True,
    requires={
        "model.template": "dat:.*",
        "model.camera": r"250,112|248,111\.5",
        "model.pooling": "p2m_tf|align_corners|p2m_torch",
    },
    # Connectivity and template, which the configured template gives; the classifier of
    # the ResNet; and the image decoder, for models without one.
    left_out=r"(?:gcns\..*|gconv\.)adj_mat|init_pts|nn_encoder\.fc\..*"
    r"|nn_decoder\..*|.*\.num_batches_tracked",
)
