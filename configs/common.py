"""What the experiments share: the released Pixel2Mesh, and its small variant.

Every field can be set on the command line, `--config.batch_size=16`.
"""

import ml_collections

from pixel2mesh_jax.errors import InputError


def pixel2mesh(inputs: tuple[str, ...]) -> ml_collections.ConfigDict:
    """Pixel2Mesh at full size, for the given input channels."""
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.inputs = inputs

    # Data
    config.dataset = "procedural_shapes"
    config.data_dir = "data"
    config.image_size = 224
    config.num_points = 3000  # surface points per training example
    config.color_jitter = 0.2
    config.flip = True

    # Model
    config.model = ml_collections.ConfigDict()
    config.model.encoder = "conv18"
    config.model.encoder_width = 1.0  # factor on its channel counts
    config.model.hidden_features = 256
    config.model.last_features = 128
    config.model.num_blocks = 6
    config.model.operator = "chebyshev"
    config.model.prediction = "positions"
    config.model.origin = (0.0, 0.0, -0.8)
    config.model.depth_encoding = "disparity"
    config.model.vertex_colors = False
    config.model.dtype = "float32"

    # Loss: nywang16/Pixel2Mesh (FACTS 1.2.5); objectives.py explains the names
    config.loss = ml_collections.ConfigDict()
    config.loss.chamfer = 3000.0
    config.loss.chamfer_opposite = 0.55
    config.loss.edge = 300.0
    config.loss.normal = 0.5
    config.loss.laplacian = 1500.0
    config.loss.laplacian_stages = (0.1, 1.0, 1.0)
    config.loss.move = 100.0
    config.loss.color = 0.0
    config.loss.count_self_loops = True
    config.loss.graph_decay = 5e-6
    config.loss.encoder_decay = 3e-6

    # Training
    config.batch_size = 8
    config.num_steps = 300_000
    config.grad_accumulation = 1
    config.log_every = 50
    config.checkpoint_every = 1000
    config.eval_every = 5000
    config.eval_limit = 500  # validation examples
    config.optimizer = ml_collections.ConfigDict()
    config.optimizer.learning_rate = 1e-4
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 500
    config.optimizer.final_factor = 0.01
    config.optimizer.decay_steps = (100_000, 200_000)
    config.optimizer.decay_factor = 0.3
    config.optimizer.clip_norm = 0.0
    config.optimizer.b1 = 0.9
    config.optimizer.b2 = 0.999

    # Evaluation
    config.eval = ml_collections.ConfigDict()
    config.eval.split = "test"
    config.eval.limit = 0  # 0 = the whole split
    return config


def tiny(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """A narrow network on small pictures: minutes on two CPU cores.

    It predicts offsets instead of positions. A short training does not have to learn
    the ellipsoid first: after 400 steps on real objects (rgbd, seed 0, 40 validation
    views) the F-score at 1e-4 was 20 %, with positions 9 %.
    """
    config.image_size = 96
    config.num_points = 1000
    config.model.encoder_width = 0.5
    config.model.hidden_features = 64
    config.model.last_features = 64
    config.model.prediction = "offsets"
    config.batch_size = 4
    config.num_steps = 600
    config.log_every = 10
    config.checkpoint_every = 100
    config.eval_every = 200
    config.eval_limit = 40
    config.optimizer.learning_rate = 1e-3
    config.optimizer.warmup_steps = 50
    config.optimizer.clip_norm = 500.0
    return config


def variant(config: ml_collections.ConfigDict, name: str) -> ml_collections.ConfigDict:
    """Applies a named variant: "" (full size) or "tiny"."""
    variants = {"": lambda config: config, "tiny": tiny}
    if name not in variants:
        raise InputError(f"Unknown variant {name!r}. Valid choices: 'tiny' or none.")
    return variants[name](config)
