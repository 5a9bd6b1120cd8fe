r"""Pixel2Mesh: colour in, mesh out.

The network of the released Pixel2Mesh, on procedural shapes unless `dataset` says
otherwise. The papers train on ShapeNet; this size has not been trained to the end here.

    python -m data_pipelines.build procedural_shapes --data_dir data
    python -m pixel2mesh_jax.main --config configs/rgb.py --workdir runs/rgb

`:tiny` takes 3 minutes on 2 CPU cores; the README compares it with `rgbd.py:tiny`.

    python -m pixel2mesh_jax.main --config configs/rgb.py:tiny --workdir runs/tiny_rgb

`:paper` is Pixel2Mesh as its paper (ECCV 2018) prints it, which is not what was
released: VGG-16 with max pooling (1280 features of conv3_3, conv4_3, conv5_3), graph
convolutions that sum over the neighbours, 14 of them with 128 channels in every block,
coordinates in the first block only; four losses that are sums over points and edges,
with equal weight on all blocks and its three lambdas; Adam, 50 epochs of single views.
The paper reports F(1e-4) 59.7 % (mean of 13 categories). `:paper,tiny` is its small
variant.

    python -m pixel2mesh_jax.main --config configs/rgb.py:paper --workdir runs/paper
"""

from configs import common

# Views of the training split of P2M ShapeNet.
EPOCH = 175_132


def get_config(variant=""):
    """Settings of the experiment; variants: paper, tiny, and both."""
    changes = {"paper": paper, "tiny": common.tiny}
    return common.variant(common.pixel2mesh(inputs=("rgb",)), variant, changes)


def paper(config):
    """Sections 3 to 5 of the paper."""
    config.model.encoder = "vgg16"
    config.model.hidden_features = 128
    config.model.last_features = 0  # 14 convolutions in the last block too
    config.model.coordinates = "first_stage"
    config.model.operator = "sum"
    config.loss = common.stage_loss(
        "pixel2mesh_printed", chamfer=1.0, edge=0.1, normal=1.6e-4, laplacian=0.3
    )
    config.loss.graph_decay = config.loss.encoder_decay = 1e-5
    config.loss.decay_all = True
    config.color_jitter = 0.0
    config.flip = False
    config.batch_size = 1
    config.num_steps = 50 * EPOCH
    config.optimizer.learning_rate = 3e-5
    config.optimizer.schedule = "steps"
    config.optimizer.warmup_steps = 0
    config.optimizer.decay_steps = (40 * EPOCH,)
    config.optimizer.decay_factor = 1 / 3
    return config
