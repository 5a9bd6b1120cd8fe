"""What the experiments share: data, training, evaluation, and the small variant.

Every field can be set on the command line, `--config.batch_size=16`.
"""

from collections.abc import Callable

import ml_collections

from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError


def experiment(method: str, inputs: tuple[str, ...]) -> ml_collections.ConfigDict:
    """A method at full size, for the given input channels.

    Args:
      method: one of `methods.METHODS`, which has the settings `model` and `loss`.
      inputs: of "rgb" and "depth".
    """
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.method = method
    config.inputs = inputs
    config.distributed = False  # True: one of several processes, processes.py
    config.deterministic = False  # True: a GPU repeats a training to the bit, slower
    config.matmul_precision = "default"  # of training/numerics.py; of float32

    # Data
    config.dataset = "procedural_shapes"
    config.data_dir = "data"
    config.depth_source = "auto"  # or "rendered", "estimated", where data has both
    config.image_size = 224
    config.num_points = 3000  # surface points per training example
    config.color_jitter = 0.2
    config.flip = True

    # Network and losses
    config.update(methods.defaults(method))

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
    config.optimizer.weight_decay = 0.0  # of matrices, apart from the gradient
    config.optimizer.groups = ()  # other rates by name, training/parameter_groups.py
    config.optimizer.average_decay = 0.0  # of an average of the parameters; 0: none

    # Evaluation
    config.eval = ml_collections.ConfigDict()
    config.eval.split = "test"
    config.eval.limit = 0  # 0 = the whole split
    config.eval.protocol = "pixel2mesh,surface"  # of protocols.PROTOCOLS, with commas
    config.eval.refine = 0  # steps that move the visible side onto the depth map
    config.eval.without_depth = False  # of models that can do without
    return config


def pixel2mesh(inputs: tuple[str, ...]) -> ml_collections.ConfigDict:
    """Pixel2Mesh as released, at full size."""
    return experiment("pixel2mesh", inputs)


def stage_loss(family: str, **weights: float) -> ml_collections.ConfigDict:
    """Settings of a family of losses that weighs all stages alike.

    Args:
      family: one that weighs all stages alike.
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
    """A narrow network on small images: minutes on two CPU cores.

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
    """A few hundred steps on small images, for any network."""
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
