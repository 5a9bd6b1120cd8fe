"""Trains what says how far away an object is without depth, and nothing else.

    python -m benchmarks.distance_head --data_dir data --output new.safetensors

The rest of `configs/rgbd_sdf.py` stays as in the weights that it starts from, so the
coarse maps of every view, and of the view in a mirror, are computed once and kept as
float16: 230 kB a view. The head is `pixel2mesh_jax/models/frustum_distance.py`.
"""

import functools
import pathlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from benchmarks import ways
from data_pipelines import input_pipeline
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.methods import two_guesses
from pixel2mesh_jax.models.frustum_distance import DistanceHead
from pixel2mesh_jax.structures import Batch
from pixel2mesh_jax.training import run_folder
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.weights import release

FIELDS = ("rgb", "depth", "mask", "intrinsics", "placement")
METHOD = "frustum"  # whose networks have the head
NAME = "distance"  # of the head among the parameters
TRUNK = "UNet_0"  # of what makes the coarse maps
READ_AT_ONCE = 32  # views
BATCH = 128
LEARNING_RATE, WARMUP_STEPS, CLIP_NORM, WEIGHT_DECAY = 2e-3, 100, 1.0, 0.05
DROPOUT = 0.15
AVERAGE_DECAY = 0.995  # of the parameters that are kept, per step
REPORT_EVERY = 500  # steps

# Views -> coarse maps of the U-Net, and where the volumes stand.
Look = Callable[[Batch], tuple[list, Any]]


class Views(NamedTuple):
    """What the head learns from: N views (0) and the same in a mirror (1).

    Attributes:
      coarse: maps of the U-Net, float16.
      placement: of the volumes as they stand without depth.
      near: metres to where the volumes of the truth begin.
    """

    coarse: list[Float[np.ndarray, "2 N _ _ _"]]
    placement: Float[np.ndarray, "2 N 5"]
    near: Float[np.ndarray, " N"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    wanted = _parser().parse_args(arguments)
    try:
        check_steps(wanted.steps)
        settings, variables = release.load(wanted.weights)
        config = run_folder.load_released_config(wanted.weights)
        check_method(config.method)
        method = methods.make(config)
        fresh = states.init_variables(method, method.constants, seed=wanted.seed).params
        old = {name: variables["params"].get(name, fresh[name]) for name in fresh}
        views = gather(coarse_maps(method.model, old), _batches(wanted, config))
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    learned = learn(fresh[NAME], views, wanted.steps, wanted.seed, sys.stdout.write)
    release.save(wanted.output, {"params": {**old, NAME: learned}}, settings)
    return 0


def _parser():
    made = ways.parser("distance_head", __doc__, "train")
    made.set_defaults(views=None)
    shipped = release.path_of(release.DEFAULT)
    made.add_argument("--weights", type=pathlib.Path, default=shipped)
    made.add_argument("--steps", type=int, default=5000)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--output", type=pathlib.Path, required=True)
    return made


def _batches(wanted, config):
    return input_pipeline.eval_batches(
        wanted.dataset,
        wanted.data_dir,
        split=wanted.split,
        batch_size=READ_AT_ONCE,
        image_size=config.image_size,
        limit=wanted.views,
        fields=FIELDS,
    )


def check_method(name: str) -> None:
    """Raises InputError for weights of networks that have no such head."""
    if name != METHOD:
        raise InputError(f"The weights are of method {name!r}; expected {METHOD!r}")


def check_steps(steps: int) -> None:
    """Raises InputError for a training that would end before it is warm."""
    if steps <= WARMUP_STEPS:
        raise InputError(f"steps is {steps}; expected more than {WARMUP_STEPS}")


def coarse_maps(network, params: Mapping) -> Look:
    """What the network makes of views without depth, as far as the head sees it.

    Args:
      network: `models.frustum_unet.FrustumUNet`.
      params: of the network.
    """

    @jax.jit
    def look(batch: Batch):
        found, kept = network.apply(
            {"params": params},
            batch._replace(depth=jnp.zeros_like(batch.depth), placement=None),
            capture_intermediates=lambda module, _: module.name == TRUNK,
        )
        _, coarse = kept["intermediates"][TRUNK]["__call__"][0]
        return [part.astype(jnp.float16) for part in coarse], found.placement

    return look


def gather(look: Look, batches: Iterable[Batch]) -> Views:
    """Looks at every view, and at what a mirror makes of it."""
    coarse, placements, nears = [], [], []
    for batch in batches:
        real = np.asarray(batch.weight) > 0
        both = [
            jax.device_get(look(one))
            for one in (batch, two_guesses.mirrored_views(batch))
        ]
        kept = jax.tree.map(lambda *pair: np.stack(pair)[:, real], *both)  # noqa: B023
        coarse.append(kept[0])
        placements.append(kept[1])
        nears.append(np.asarray(batch.placement)[real, 3])
    levels = zip(*coarse, strict=True)
    return Views(
        [np.concatenate(parts, axis=1) for parts in levels],
        np.concatenate(placements, axis=1),
        np.concatenate(nears),
    )


def learn(
    params: Mapping, views: Views, steps: int, seed: int, say: Callable[[str], object]
) -> Mapping:
    """The head, trained on views of which half, at random, are in a mirror.

    Args:
      params: of the head, to start from.
      views: see there.
      steps: of `BATCH` views.
      seed: of their order and of what is left out.
      say: gets a line about the loss now and then.

    Returns:
      The moving average of the parameters.
    """
    optimizer = _optimizer(steps)
    state = params, params, optimizer.init(params)
    step = jax.jit(functools.partial(_step, optimizer))
    random, losses = np.random.default_rng(seed), []
    for number, key in enumerate(jax.random.split(jax.random.key(seed), steps), 1):
        side = random.integers(2, size=BATCH)
        row = random.integers(len(views.near), size=BATCH)
        seen = [part[side, row] for part in views.coarse], views.placement[side, row]
        state, loss = step(state, seen, views.near[row], key)
        losses.append(float(loss))
        if number % REPORT_EVERY == 0:
            mean = np.mean(losses[-REPORT_EVERY:])
            say(f"step {number}: wrong by {100 * mean:.2f} %\n")
    return jax.device_get(state[1])


def _optimizer(steps):
    rate = optax.warmup_cosine_decay_schedule(0, LEARNING_RATE, WARMUP_STEPS, steps)
    decayed = optax.adamw(rate, weight_decay=WEIGHT_DECAY)
    return optax.chain(optax.clip_by_global_norm(CLIP_NORM), decayed)


def _step(optimizer, state, seen, near, key):
    """Parameters, their moving average and the state of the optimizer; the loss."""
    params, average, moments = state

    def loss_of(params):
        found = DistanceHead().apply(
            {"params": params}, *seen, DROPOUT, rngs={"dropout": key}
        )
        return jnp.mean(jnp.abs(jnp.log(found / near)))

    loss, gradient = jax.value_and_grad(loss_of)(params)
    change, moments = optimizer.update(gradient, moments, params)
    params = optax.apply_updates(params, change)
    average = optax.incremental_update(params, average, 1 - AVERAGE_DECAY)
    return (params, average, moments), loss


if __name__ == "__main__":
    raise SystemExit(main())
