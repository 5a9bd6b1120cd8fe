"""The released Pixel2Mesh, nywang16/Pixel2Mesh: its TensorFlow variables as an npz.

    reader = tf.train.load_checkpoint("checkpoint/gcn.ckpt")
    names = reader.get_variable_to_shape_map()
    np.savez("released.npz", **{name: reader.get_tensor(name) for name in names})

165 variables, numbered in the order in which the program makes them: 18 convolutions,
then 14, 14 and 15 graph convolutions. `weights_0` belongs to the vertex itself,
`weights_1` to its neighbours.
"""

from pixel2mesh_jax.weights.matching import Format, Rule

ENCODER_BLOCKS = (2, 3, 3, 3, 3, 4)  # convolutions of each, "conv0_1" to "conv5_4"
NUM_STAGES = 3
NUM_BLOCKS = 6  # residual blocks per stage, of two graph convolutions
GRAPH_VARIABLES = {"own": "weights_0", "neighbor": "weights_1", "bias": "bias"}


def graph_layers() -> list[str]:
    """Our names of the 43 graph convolutions, in their order."""
    layers = []
    for stage in range(1, NUM_STAGES + 1):
        blocks = [
            f"stage{stage}/blocks/{number}/{conv}"
            for number in range(NUM_BLOCKS)
            for conv in ("conv1", "conv2")
        ]
        layers += [f"stage{stage}/conv_in", *blocks]
        layers += [f"stage{stage}_last"] if stage == NUM_STAGES else []
        layers += [f"stage{stage}_out"]
    return layers


def _encoder_rules():
    layers = [
        f"conv{block}_{index}"
        for block, count in enumerate(ENCODER_BLOCKS)
        for index in range(1, count + 1)
    ]
    rules = []
    for number, layer in enumerate(layers):
        variable = f"gcn/Conv2D_{number}" if number else "gcn/Conv2D"
        rules += [
            Rule(f"encoder/{layer}/kernel", f"{variable}/W"),
            Rule(f"encoder/{layer}/bias", f"{variable}/b"),
        ]
    return rules


def _graph_rules():
    return [
        Rule(f"{layer}/{ours}", f"gcn/graphconvolution_{number}_vars/{theirs}")
        for number, layer in enumerate(graph_layers(), start=1)
        for ours, theirs in GRAPH_VARIABLES.items()
    ]


FORMAT = Format(
    rules=[*_encoder_rules(), *_graph_rules()],
    is_model=True,
    requires={
        "model.template": "dat:.*",
        "model.origin": r"[(\[]0\.0, 0\.0, 0\.0[)\]]",
        "model.camera": "250,112",
        "model.pooling": "p2m_tf",
    },
)
