"""What the devices exchange in a training step, for every config in its tiny form.

Gradients, losses and statistics are summed over the devices once, at the end; batch
normalisation sums its own, forward and backward. Nothing else, and nothing in a loop.
"""

import functools
import importlib
import pathlib

import jax
import pytest

from benchmarks import operations
from benchmarks.scaling import collectives
from pixel2mesh_jax import methods
from pixel2mesh_jax.training import loop, sharding
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer

pytestmark = pytest.mark.usefixtures("quick_compilation")

BATCH = 4  # one example for each of the four devices of the tests
FOLDER = pathlib.Path(__file__).resolve().parents[2] / "configs"
# No experiments by themselves: what they share, variants of one, a run, other people's.
OTHERS = {"__init__", "common", "ablation", "of_run", "plus", "published"}
NAMES = sorted({path.stem for path in FOLDER.glob("*.py")} - OTHERS)
# Without and with batch normalisation, and a field; the others take longer to trace.
QUICK = {"rgbd", "rgb_resnet18", "rgbd_sdf"}
SUMS = {"psum", "psum_invariant"}
EXCHANGES = SUMS | {
    *("all_gather", "all_gather_invariant", "all_to_all", "ppermute"),
    *("reduce_scatter", "pmax", "pmin", "pbroadcast", "pgather"),
}
LOOPS = {"scan", "while"}


@functools.cache
def traced_step(name):
    """The first step as traced, and how many batch normalisations it has."""
    config = importlib.import_module(f"configs.{name}").get_config("tiny")
    config.batch_size, config.num_points = BATCH, 50
    method, tx = methods.make(config), make_optimizer(config)
    step = loop.compile_steps(config, method, tx, sharding.make_shardings(BATCH))(1)
    decay = config.optimizer.average_decay
    init = functools.partial(states.init_state, method, tx, seed=0, average_decay=decay)
    state = jax.eval_shape(init, method.constants)
    means = [
        path
        for path, _ in jax.tree_util.tree_leaves_with_path(state.batch_stats)
        if jax.tree_util.keystr(path).endswith("['mean']")
    ]
    batch = method.example_batch(BATCH)
    return step.trace(state, batch, method.constants), len(means)


def exchanges(jaxpr, in_loop=False):
    """(name, whether in a loop) of everything that devices exchange."""
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name in EXCHANGES:
            yield name, in_loop
        for inner in operations.inner_programs(equation):
            yield from exchanges(inner, in_loop or name in LOOPS)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow)
        for name in NAMES
    ],
)
def test_devices_sum_once_and_for_each_normalisation_twice(name):
    traced, num_normalisations = traced_step(name)
    found = list(exchanges(traced.jaxpr.jaxpr))
    assert {kind for kind, _ in found} <= SUMS
    assert [kind for kind, in_loop in found if in_loop] == []
    # One per output of the step of a device, which the compiler merges.
    assert len(found) == num_outputs(traced) + 2 * num_normalisations


def num_outputs(traced):
    """Of the part of the step that each device does for itself."""
    (spread,) = [
        equation
        for equation in inner_equations(traced.jaxpr.jaxpr)
        if equation.primitive.name == "shard_map"
    ]
    return len(spread.outvars)


def inner_equations(jaxpr):
    for equation in jaxpr.eqns:
        yield equation
        for inner in operations.inner_programs(equation):
            yield from inner_equations(inner)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_compiler_adds_no_exchange(name):
    traced, num_normalisations = traced_step(name)
    text = traced.lower().compile().as_text()
    _, _, entry = text.partition("\nENTRY ")
    found = collectives(text)
    assert set(found) == {"all-reduce"}
    assert found == collectives(entry)  # none in a loop
    assert len(found) <= 1 + 2 * num_normalisations
