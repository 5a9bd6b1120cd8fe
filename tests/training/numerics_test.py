"""The arithmetic of a run: what its compiled programs are told."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import rgbd_sdf
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training import loop, numerics, run_folder, sharding
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.training.optimizer import make_optimizer
from tests.batches import SIZE

PRODUCT = re.compile(r"stablehlo\.(?:dot_general|convolution)\b.*")


def make_config(**changes):
    config = rgbd_sdf.get_config("tiny")
    config.model.update(resolution=8, layers=8, widths=(8, 8))
    config.image_size, config.num_points, config.batch_size = SIZE, 20, 4
    config.update(changes)
    return config


def step_of(config):
    """The lowered training step."""
    method, tx = methods.make(config), make_optimizer(config)
    decay = config.optimizer.average_decay
    shardings = sharding.make_shardings(config.batch_size)
    step = loop.compile_steps(config, method, tx, shardings)(1)
    init = lambda: states.init_state(method, tx, method.constants, 0, decay)  # noqa: E731
    batch = method.example_batch(config.batch_size)
    return step.lower(jax.eval_shape(init), batch, method.constants)


def others(lowered, precision):
    """The products of a program that have another precision."""
    products = PRODUCT.findall(lowered.as_text())
    assert products
    inputs = re.compile(rf"\b{precision}\b")
    return [line for line in products if len(inputs.findall(line)) != 2]


def test_products_have_the_precision_of_the_config_forward_and_back():
    assert others(step_of(make_config(matmul_precision="highest")), "HIGHEST") == []


def test_precision_is_that_of_jax_by_default():
    config = make_config()
    assert (config.deterministic, config.matmul_precision) == (False, "default")
    product = numerics.jit(lambda x: x @ x, config).lower(jnp.ones((2, 2)))
    assert others(product, "DEFAULT") == []


def test_precision_of_predictions():
    method = methods.make(make_config())
    jit = functools.partial(numerics.jit, config=make_config(matmul_precision="high"))
    program = states.Programs(method, jit)._program("__call__")
    init = functools.partial(states.init_variables, method, seed=0)
    variables = jax.eval_shape(init, method.constants)
    lowered = program.lower(variables, method.example_batch(1), method.constants)
    assert others(lowered, "HIGH") == []


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_gpu_is_told_to_repeat_its_sums(deterministic, monkeypatch):
    told = {}
    monkeypatch.setattr(jax, "jit", lambda function, **options: told.update(options))
    numerics.jit(lambda x: x, make_config(deterministic=deterministic))
    expected = {"xla_gpu_deterministic_ops": True} if deterministic else None
    assert told.get("compiler_options") == expected


def test_a_cpu_does_what_it_did():
    function = numerics.jit(lambda x: x @ x.T, make_config(deterministic=True))
    x = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    np.testing.assert_array_equal(function(x), jax.jit(lambda x: x @ x.T)(x))


def test_configs_of_older_runs_do_what_they_did(tmp_path):
    old = make_config()
    for name in numerics.DEFAULTS:
        del old[name]
    np.testing.assert_array_equal(numerics.jit(jnp.sin, old)(1.0), jnp.sin(1.0))
    run_folder.save_config(tmp_path, old)
    run_folder.check_resumable(tmp_path, make_config())
    with pytest.raises(InputError, match="deterministic: False in the run, True now"):
        run_folder.check_resumable(tmp_path, make_config(deterministic=True))


def test_arithmetic_may_be_chosen_when_a_run_is_used(tmp_path):
    run_folder.save_config(tmp_path, make_config())
    chosen = {"deterministic": True, "matmul_precision": "highest"}
    config = run_folder.use_config(tmp_path, chosen)
    assert {name: config[name] for name in chosen} == chosen


def test_an_unknown_precision_is_answered_with_those_there_are():
    with pytest.raises(InputError, match=r"'exact'.*default, high, highest"):
        step_of(make_config(matmul_precision="exact"))
