"""The optimizer of a config: Adam with a schedule, clipping and accumulation."""

import functools

import jax
import ml_collections
import optax

from pixel2mesh_jax.methods.method import choose
from pixel2mesh_jax.training import parameter_groups

# Smith and Topin, *Super-Convergence*, 2018, as PyTorch and seed 004 have it: the share
# of the steps until the peak, the peak over the first rate, and that over the last one.
ONE_CYCLE_RISE, ONE_CYCLE_START, ONE_CYCLE_END = 0.3, 25.0, 1e3


def make_schedule(config: ml_collections.ConfigDict) -> optax.Schedule:
    """Learning rate by optimizer step, of which there is one per `grad_accumulation`.

    `constant`; `cosine`, to `final_factor` of the peak at the last step; `steps`,
    times `decay_factor` at each of `decay_steps` (the papers); `one_cycle`, from 1 / 25
    of the peak up to it in `ONE_CYCLE_RISE` of the steps and down to nearly nothing.
    All may start with a linear warm-up of `warmup_steps`. The config counts training
    steps.
    """
    settings = config.optimizer
    peak = settings.learning_rate
    of_training = functools.partial(_optimizer_steps, every=config.grad_accumulation)
    warmup = of_training(settings.warmup_steps)
    rest = max(1, of_training(config.num_steps) - warmup)
    schedules = {
        "constant": lambda: optax.constant_schedule(peak),
        "cosine": lambda: optax.cosine_decay_schedule(
            peak, rest, alpha=settings.final_factor
        ),
        "steps": lambda: optax.piecewise_constant_schedule(
            peak,
            {
                of_training(step) - warmup: settings.decay_factor
                for step in settings.decay_steps
            },
        ),
        "one_cycle": lambda: optax.cosine_onecycle_schedule(
            rest, peak, ONE_CYCLE_RISE, ONE_CYCLE_START, ONE_CYCLE_END
        ),
    }
    make = choose("optimizer.schedule", settings.schedule, schedules)
    start = optax.linear_schedule(0.0, peak, max(1, warmup))
    return optax.join_schedules([start, make()], [warmup])


def _optimizer_steps(training_steps: int, every: int) -> int:
    """How often the parameters have moved; not 0 where there is a step at all."""
    return max(training_steps // every, min(training_steps, 1))


def _adam(settings, schedule):
    decay = settings.weight_decay
    betas = {"b1": settings.b1, "b2": settings.b2}
    if settings.get("groups", ()):
        groups = parameter_groups.parse(settings.groups, decay)
        return optax.chain(
            optax.scale_by_adam(**betas),
            parameter_groups.decay_weights(groups),
            optax.scale_by_learning_rate(schedule),
            parameter_groups.scale_rates(groups),
        )
    if decay:
        return optax.adamw(schedule, weight_decay=decay, mask=_kernels, **betas)
    return optax.adam(schedule, **betas)


def _kernels(params):
    """Weight decay is for matrices; biases and scales keep their size."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def make_optimizer(config: ml_collections.ConfigDict) -> optax.GradientTransformation:
    """Adam after clipping by the global norm (0 = no clipping).

    With `grad_accumulation` k, parameters move every k-th step by the mean gradient.
    `optimizer.groups` gives some of them another learning rate or weight decay, see
    `parameter_groups.py`; its `init` refuses patterns that match nothing.

    Raises:
      InputError: unknown schedule, or groups that are not as described there.
    """
    settings = config.optimizer
    clip = settings.clip_norm
    tx = optax.chain(
        optax.clip_by_global_norm(clip) if clip else optax.identity(),
        _adam(settings, make_schedule(config)),
    )
    if config.grad_accumulation > 1:
        steps = optax.MultiSteps(tx, config.grad_accumulation)
        return optax.GradientTransformation(steps.init, steps.update)
    return tx
