"""What every method promises of its network, its losses and its meshes.

Of trainings: contract_training_test.py.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training import loop, sharding
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer
from tests.methods.houses import BATCH, NAMES, TOYS, batch_of, config_of


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    for name, module in TOYS.items():
        monkeypatch.setitem(methods.METHODS, name, module)


@functools.cache
def trained_step(name):
    """The method, a fresh state on all devices, the state after a step, its scalars."""
    config = config_of(name)
    method, tx = methods.make(config), make_optimizer(config)
    shardings = sharding.make_shardings(BATCH)
    decay = config.optimizer.average_decay
    fresh = states.init_state(method, tx, method.constants, 0, decay)
    before = jax.device_get(fresh)
    step = loop.compile_steps(config, method, tx, shardings)(1)
    placed = jax.device_put((fresh, method.constants), shardings.replicated)
    batch = sharding.put_batch(batch_of(method), shardings)
    after, scalars = step(placed[0], batch, placed[1])
    return method, before, jax.device_get(after), jax.device_get(scalars)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_has_finite_named_terms_that_add_up(name):
    _, _, _, scalars = trained_step(name)
    terms = [value for key, value in scalars.items() if key.startswith("loss/")]
    assert terms
    assert np.isfinite(list(scalars.values())).all()
    np.testing.assert_allclose(scalars["loss"], sum(terms), rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient_once_the_last_layers_are_not_zero(name):
    method, state, _, _ = trained_step(name)
    rng = np.random.default_rng(0)
    noise = lambda x: x + 0.05 * rng.standard_normal(x.shape, np.float32)  # noqa: E731
    params = jax.tree.map(noise, state.params)
    batch = jax.tree.map(jnp.asarray, batch_of(method))
    keys = jax.random.split(jax.random.key(0), BATCH)

    def loss(params):
        augmented = method.augment(batch, keys)
        variables = {"params": params, "batch_stats": state.batch_stats}
        # Statistics as they are: those of a batch need the devices of the step.
        outputs = method.model.apply(variables, augmented, method.constants, False)
        return sum(method.objective(outputs, augmented, keys, None).terms.values())

    grads = jax.jit(jax.grad(loss))(params)
    still = [
        jax.tree_util.keystr(path)
        for path, grad in jax.tree_util.tree_leaves_with_path(grads)
        if not np.any(np.asarray(grad) != 0)
    ]
    assert still == []


@pytest.mark.parametrize("name", NAMES)
def test_a_view_does_not_depend_on_the_others(name):
    method, state, _, _ = trained_step(name)
    call = states.Programs(method).bind(state.variables, method.constants)
    batch = batch_of(method, batch_size=2)
    both = method.extract(call, batch)
    for row in range(2):
        one = jax.tree.map(lambda x, row=row: x[row : row + 1], batch)
        (alone,) = method.extract(call, one)
        np.testing.assert_allclose(
            alone.mesh.vertices, both[row].mesh.vertices, atol=1e-4
        )


@pytest.mark.parametrize("name", NAMES)
def test_meshes_are_closed_and_face_outward(name):
    method, state, _, _ = trained_step(name)
    call = states.Programs(method).bind(state.variables, method.constants)
    for found in method.extract(call, batch_of(method)):
        for mesh in found.stages:
            shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
            assert shape.is_watertight
            assert shape.volume > 0


@pytest.mark.parametrize("name", NAMES)
def test_unknown_settings_are_refused_by_name(name):
    config = config_of(name)
    config.model.absent = 1
    with pytest.raises(InputError, match="unknown: absent"):
        methods.make(config)
