"""TrainState and the training step: pure, one screen, every term named."""

import functools
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from pixel2mesh_jax.methods.method import Call, Method, Terms, example_keys
from pixel2mesh_jax.structures import Batch
from pixel2mesh_jax.training.averaging import start_average, update_average

# Tells the random numbers of the augmentation apart from those of the objective.
AUGMENTATION = 1


class TrainState(NamedTuple):
    """Everything a run needs to resume. Plain pytrees only.

    Attributes:
      step: number of training steps done.
      params: of the model.
      batch_stats: running statistics of batch normalisation; empty without it.
      opt_state: of the optimizer.
      average: of the parameters, which predictions use; empty without one.
    """

    step: Any
    params: Any
    batch_stats: Any
    opt_state: Any
    average: Any

    @property
    def variables(self) -> "Variables":
        """What predictions use."""
        return Variables(self.average or self.params, self.batch_stats)


class Variables(NamedTuple):
    """What a prediction needs of a state."""

    params: Any
    batch_stats: Any


def init_variables(method: Method, constants: Any, seed: int) -> Variables:
    """Fresh parameters; a function of the seed."""
    init = functools.partial(method.model.init, train=False)
    batch = jax.tree.map(jnp.asarray, method.example_batch(1))
    variables = init(jax.random.key(seed), batch, constants)
    return Variables(variables["params"], variables.get("batch_stats", {}))


def init_state(
    method: Method,
    tx: optax.GradientTransformation,
    constants: Any,
    seed: int,
    average_decay: float = 0.0,
) -> TrainState:
    """A fresh state; a function of the seed."""
    params, batch_stats = init_variables(method, constants, seed)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=batch_stats,
        opt_state=tx.init(params),
        average=start_average(params, average_decay),
    )


def abstract(make: Callable, *arguments: Any, sharding: jax.sharding.Sharding) -> Any:
    """Shapes, dtypes and placement of what `make(*arguments)` would return."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        jax.eval_shape(make, *arguments),
    )


def make_train_step(
    method: Method,
    tx: optax.GradientTransformation,
    seed: int,
    phase: Hashable,
    by_device: Callable[[Callable], Callable],
    average_decay: float = 0.0,
) -> Callable[[TrainState, Batch, Any], tuple[TrainState, Terms]]:
    """Returns `train_step(state, batch, constants) -> (state, scalars)`, ready to jit.

    Batches have to be full: all weights 1.

    Args:
      method: what is trained.
      tx: the optimizer.
      seed: of the random keys; the key of an example is a function of the seed, the
        step and its place in the whole batch.
      phase: of the objective.
      by_device: makes a function of (params, (batch, keys), ...) do the examples of
        every device by themselves, and average; see `sharding.by_device`.
      average_decay: of the average of the parameters; 0 for none.
    """

    def loss_fn(params, examples, constants, batch_stats):
        batch, keys = examples
        batch = method.augment(batch, _fold(keys, AUGMENTATION))
        outputs, updated = method.model.apply(
            {"params": params, "batch_stats": batch_stats},
            batch,
            constants,
            train=True,
            mutable=["batch_stats"],
        )
        terms, scalars = method.objective(outputs, batch, keys, phase)
        terms = terms | method.penalty(params)
        statistics = updated.get("batch_stats", {})
        return sum(terms.values()), (terms, dict(scalars), statistics)

    differentiate = by_device(jax.value_and_grad(loss_fn, has_aux=True))

    def train_step(state, batch, constants):
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        examples = batch, example_keys(key, len(batch.weight))
        (loss, (terms, scalars, batch_stats)), grads = differentiate(
            state.params, examples, constants, state.batch_stats
        )
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        step, params = state.step + 1, optax.apply_updates(state.params, updates)
        average = update_average(state.average, params, step, average_decay)
        state = TrainState(step, params, batch_stats, opt_state, average)
        recorded = {f"loss/{name}": value for name, value in terms.items()} | scalars
        return state, recorded | {"loss": loss, "grad_norm": optax.tree.norm(grads)}

    return train_step


def make_predict(method: Method) -> Callable[[Variables, Batch, Any], Any]:
    """Returns `predict(variables, batch, constants)`, ready to jit."""

    def predict(variables, batch, constants):
        return method.model.apply(variables._asdict(), batch, constants, train=False)

    return predict


class Programs:
    """The entry points of a network with parameters: jitted once, called by name."""

    def __init__(self, method: Method, jit: Callable = jax.jit):
        """`method.model` defines the entry points, `jit` compiles them."""
        self._method = method
        self._jit = jit
        self._jitted: dict[str, Callable] = {}

    def bind(self, variables: Variables, constants: Any) -> Call:
        """`call(entry, *arguments)` of the network with these parameters.

        `__call__` takes a batch; other entry points take what the network says.
        """

        def call(entry: str, *arguments: Any) -> Any:
            if entry == "__call__":
                arguments = (*arguments, constants)
            return self._program(entry)(variables, *arguments)

        return call

    def _program(self, entry):
        if entry not in self._jitted:
            self._jitted[entry] = self._jit(
                make_predict(self._method)
                if entry == "__call__"
                else functools.partial(_apply, self._method.model, entry)
            )
        return self._jitted[entry]


def _fold(keys, data):
    return jax.vmap(functools.partial(jax.random.fold_in, data=data))(keys)


def _apply(model, entry, variables, *arguments):
    return model.apply(variables._asdict(), *arguments, method=entry)
