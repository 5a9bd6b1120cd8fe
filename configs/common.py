"""What the experiments share: the released Pixel2Mesh, and its small variant.

Every field can be set on the command line, `--config.batch_size=16`.
"""

from collections.abc import Callable

import ml_collections

from pixel2mesh_jax.errors import InputError


def pixel2mesh(inputs: tuple[str, ...]) -> ml_collections.ConfigDict:
    """Pixel2Mesh at full size, for the given input channels."""
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.inputs = inputs
    config.distributed = False  # True: one of several processes, training/devices.py

    # Data
    config.dataset = "procedural_shapes"
    config.data_dir = "data"
    config.depth_source = "auto"  # or "rendered", "estimated", where data has both
    config.image_size = 224
    config.num_points = 3000  # surface points per training example
    config.color_jitter = 0.2
    config.flip = True

    # Model
    config.model = ml_collections.ConfigDict()
    config.model.family = "pixel2mesh"
    config.model.template = "ellipsoid"
    config.model.num_stages = 3  # deformation blocks, 1 to 4
    config.model.unpooling = True  # False: every stage has the vertices of the last
    config.model.encoder = "conv18"
    config.model.encoder_width = 1.0  # factor on its channel counts
    config.model.hidden_features = 256
    config.model.last_features = 128
    config.model.num_blocks = 6  # residual blocks per stage
    config.model.residual = True  # False: no shortcuts
    config.model.coordinates = "every_stage"
    config.model.operator = "chebyshev"
    config.model.prediction = "positions"
    config.model.origin = (0.0, 0.0, -0.8)
    config.model.pooling = "half_pixel"  # of geometry/pooling.py
    config.model.camera = "sample"  # or "FOCAL,CENTER", pixels, for all samples
    config.model.depth_encoding = "disparity"
    config.model.color_encoding = "unit"  # or "imagenet", for pretrained encoders
    config.model.fusion = "stacked"  # of colour and depth
    config.model.decoder = "none"  # reconstructs the picture
    config.model.vertex_colors = False
    config.model.dtype = "float32"
    config.model.rematerialize = False  # True: less memory, more time, in training

    # Loss: nywang16/Pixel2Mesh (FACTS 1.2.5); pixel2mesh_objective.py has the names
    config.loss = ml_collections.ConfigDict()
    config.loss.family = "pixel2mesh"
    config.loss.stages = (1.0, 1.0, 1.0)  # factor of all terms of a stage
    config.loss.chamfer = 3000.0
    config.loss.chamfer_opposite = 0.55
    config.loss.chamfer_stages = (1.0, 1.0, 1.0)  # factor of this term per stage
    config.loss.edge = 300.0
    config.loss.edge_stages = (1.0, 1.0, 1.0)
    config.loss.normal = 0.5
    config.loss.normal_stages = (1.0, 1.0, 1.0)
    config.loss.laplacian = 1500.0
    config.loss.laplacian_stages = (0.1, 1.0, 1.0)
    config.loss.move = 100.0
    config.loss.move_stages = (1.0, 1.0, 1.0)
    config.loss.color = 0.0
    config.loss.image = 0.0
    config.loss.depth = 0.0
    config.loss.image_steps = 0
    config.loss.count_self_loops = True
    config.loss.graph_decay = 5e-6
    config.loss.encoder_decay = 3e-6
    config.loss.decay_all = False

    # Training
    config.init_from = ""  # published weights, "FORMAT:PATH", formats in weights/
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
    config.eval.protocol = "pixel2mesh,surface"  # of protocols.PROTOCOLS, with commas
    return config


def stage_loss(family: str, **weights: float) -> ml_collections.ConfigDict:
    """Settings of a family of losses that weighs all stages alike.

    Args:
      family: one of `objectives.FAMILIES`.
      **weights: of its terms; each gets a factor per stage.
    """
    loss = ml_collections.ConfigDict({"family": family, "stages": (1.0, 1.0, 1.0)})
    for name, weight in weights.items():
        loss[name] = weight
        loss[f"{name}_stages"] = (1.0, 1.0, 1.0)
    loss.graph_decay = 0.0
    loss.encoder_decay = 0.0
    loss.decay_all = False
    return loss


def tiny(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """A narrow network on small pictures: minutes on two CPU cores.

    It predicts offsets instead of positions. A short training does not have to learn
    the ellipsoid first: after 400 steps on real objects (rgbd, seed 0, 40 validation
    views) the F-score at 1e-4 was 20 %, with positions 9 %.
    """
    config.model.encoder_width = 0.5
    config.model.hidden_features = 64
    config.model.last_features = min(64, config.model.last_features)
    config.model.prediction = "offsets"
    return short(config)


def short(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """A few hundred steps on small pictures, for any network."""
    config.image_size = 96
    config.num_points = 1000
    config.batch_size = 4
    config.num_steps = 600
    config.log_every = 10
    config.checkpoint_every = 100
    config.eval_every = 200
    config.eval_limit = 40
    config.optimizer.learning_rate = 1e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 50
    config.optimizer.clip_norm = 500.0
    return config


def variant(
    config: ml_collections.ConfigDict,
    names: str,
    changes: dict[str, Callable] | None = None,
) -> ml_collections.ConfigDict:
    """Applies named variants.

    Args:
      config: at full size.
      names: of the variants, with commas between them; "" for none.
      changes: what each name does to a config. They are applied in this order, whatever
        the order of `names`. By default there is `tiny` alone.

    Raises:
      InputError: a name that does not exist.
    """
    changes = changes or {"tiny": tiny}
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    for name in chosen:
        if name not in changes:
            valid = ", ".join(map(repr, changes))
            raise InputError(
                f"Unknown variant {name!r}. Valid choices: {valid} or none."
            )
    for name, change in changes.items():
        if name in chosen:
            config = change(config)
    return config
