"""TrainState and the training step: pure, one screen, every term named."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from pixel2mesh_jax.structures import Batch, Outputs, Template

Terms = dict[str, jax.Array]
# Tells the random numbers of a model apart from those of its objective.
AUGMENTATION = 1


class TrainState(NamedTuple):
    """Everything a run needs to resume. Plain pytrees only.

    Attributes:
      step: number of training steps done.
      params: of the model.
      batch_stats: running statistics of batch normalisation; empty without it.
      opt_state: of the optimizer.
    """

    step: Any
    params: Any
    batch_stats: Any
    opt_state: Any


def init_state(
    model: nn.Module,
    tx: optax.GradientTransformation,
    batch: Batch,
    template: Template,
    seed: int,
) -> TrainState:
    """A fresh state; a function of the seed and of the shapes of `batch`."""
    init = functools.partial(model.init, train=False)
    variables = init(jax.random.key(seed), batch, template)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=variables["params"],
        batch_stats=variables.get("batch_stats", {}),
        opt_state=tx.init(variables["params"]),
    )


def abstract_state(
    init: Callable[[Batch, Template], TrainState],
    batch: Batch,
    template: Template,
    sharding: jax.sharding.Sharding,
) -> TrainState:
    """Shapes, dtypes and placement of the state that `init` would make."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        jax.eval_shape(init, batch, template),
    )


def make_train_step(
    model: nn.Module,
    objective: Callable[[Outputs, Batch, jax.Array], Terms],
    penalty: Callable[[dict], Terms],
    tx: optax.GradientTransformation,
    seed: int,
    by_device: Callable[[Callable], Callable],
) -> Callable[[TrainState, Batch, Template], tuple[TrainState, Terms]]:
    """Returns `train_step(state, batch, template) -> (state, scalars)`, ready to jit.

    Batches have to be full: all weights 1.

    Args:
      model: maps a batch to `Outputs`.
      objective: weighted loss terms of (outputs, batch, random key), by name.
      penalty: weighted terms of the parameters, by name.
      tx: the optimizer.
      seed: of the random keys; the key of a step is a function of both.
      by_device: makes a function of (params, batch, ...) do the examples of every
        device by themselves, and average; see `devices.by_device`. Not for models with
        batch normalisation, whose examples depend on each other.
    """

    def loss_fn(params, batch, template, key, batch_stats):
        variables = {"params": params, "batch_stats": batch_stats}
        outputs, updated = model.apply(
            variables,
            batch,
            template,
            train=True,
            mutable=["batch_stats"],
            rngs={"augment": jax.random.fold_in(key, AUGMENTATION)},
        )
        terms = objective(outputs, batch, key) | penalty(params)
        return sum(terms.values()), (terms, updated.get("batch_stats", {}))

    differentiate = jax.value_and_grad(loss_fn, has_aux=True)

    def train_step(state, batch, template):
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        separate = differentiate if state.batch_stats else by_device(differentiate)
        (loss, (terms, batch_stats)), grads = separate(
            state.params, batch, template, key, state.batch_stats
        )
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        state = TrainState(
            step=state.step + 1,
            params=optax.apply_updates(state.params, updates),
            batch_stats=batch_stats,
            opt_state=opt_state,
        )
        scalars = {f"loss/{name}": value for name, value in terms.items()}
        scalars |= {"loss": loss, "grad_norm": optax.tree.norm(grads)}
        return state, scalars

    return train_step


def make_predict(
    model: nn.Module,
) -> Callable[[dict, dict, Batch, Template], Outputs]:
    """Returns `predict(params, batch_stats, batch, template)`, ready to jit."""

    def predict(params, batch_stats, batch, template):
        variables = {"params": params, "batch_stats": batch_stats}
        return model.apply(variables, batch, template, train=False)

    return predict
