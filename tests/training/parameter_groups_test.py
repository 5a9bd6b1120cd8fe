"""Learning rates and weight decay by the names of parameters."""

import json

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
import pytest

from configs import rgbd
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training.optimizer import make_optimizer, make_schedule

PARAMS = {
    "encoder": {
        "conv1": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)},
        "conv2": {"kernel": 2 * jnp.ones((3, 2)), "bias": jnp.ones(2)},
    },
    "stage1": {"own": 3 * jnp.ones((2, 2)), "bias": jnp.ones(2)},
}
NUM_STEPS = 5


def make_config(**changes):
    config = rgbd.get_config("tiny")
    config.num_steps = NUM_STEPS
    config.optimizer.update(warmup_steps=1, clip_norm=0.0, **changes)
    return config


def gradients(seed):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype("f"), PARAMS)


def trained(tx):
    """The parameters after a few steps on random gradients, and the state."""
    params, state = PARAMS, tx.init(PARAMS)
    for step in range(NUM_STEPS):
        updates, state = tx.update(gradients(step), state, params)
        params = optax.apply_updates(params, updates)
    return params, state


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_without_groups_nothing_has_changed(decay):
    config = make_config(weight_decay=decay)
    mask = lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params)  # noqa: E731
    betas = {"b1": config.optimizer.b1, "b2": config.optimizer.b2}
    before = optax.chain(
        optax.identity(),
        optax.adamw(make_schedule(config), weight_decay=decay, mask=mask, **betas)
        if decay
        else optax.adam(make_schedule(config), **betas),
    )
    assert config.optimizer.groups == ()
    found, expected = trained(make_optimizer(config)), trained(before)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_group_that_says_what_holds_anyway_changes_nothing(decay):
    group = {"learning_rate": 1.0, "weight_decay": decay}
    config = make_config(weight_decay=decay, groups=((".*/bias", group),))
    found, _ = trained(make_optimizer(config))
    expected, _ = trained(make_optimizer(make_config(weight_decay=decay)))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected
    )


def test_a_factor_scales_the_moves_of_its_parameters_alone():
    config = make_config(groups=(("encoder/.*", {"learning_rate": 0.1}),))
    found, _ = trained(make_optimizer(config))
    plain, _ = trained(make_optimizer(make_config()))
    np.testing.assert_array_equal(found["stage1"]["own"], plain["stage1"]["own"])
    for name in ("kernel", "bias"):
        start, moved, expected = (
            tree["encoder"]["conv1"][name] for tree in (PARAMS, found, plain)
        )
        np.testing.assert_allclose(moved - start, 0.1 * (expected - start), atol=1e-6)


def test_a_rate_of_zero_leaves_parameters_alone():
    config = make_config(
        weight_decay=0.1, groups=(("encoder/conv1/.*", {"learning_rate": 0}),)
    )
    found, _ = trained(make_optimizer(config))
    frozen = found["encoder"]["conv1"]
    jax.tree.map(np.testing.assert_array_equal, frozen, PARAMS["encoder"]["conv1"])
    assert np.all(found["encoder"]["conv2"]["kernel"] != 2)


def test_decay_of_a_group_is_its_own_and_of_matrices_only():
    groups = (("encoder/.*", {"weight_decay": 0.0}),)
    config = make_config(weight_decay=0.5, groups=groups)
    found, _ = trained(make_optimizer(config))
    free, _ = trained(make_optimizer(make_config()))
    decayed, _ = trained(make_optimizer(make_config(weight_decay=0.5)))
    same = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6)  # noqa: E731
    jax.tree.map(same, found["encoder"], free["encoder"])
    jax.tree.map(same, found["stage1"], decayed["stage1"])
    assert np.all(decayed["stage1"]["own"] < free["stage1"]["own"])


def test_of_several_patterns_the_first_counts_and_all_of_a_name_has_to_match():
    groups = (
        ("encoder/conv1/kernel", {"learning_rate": 0}),
        ("encoder/.*", {"learning_rate": 1}),
    )
    found, _ = trained(make_optimizer(make_config(groups=groups)))
    np.testing.assert_array_equal(found["encoder"]["conv1"]["kernel"], 1)
    assert np.all(found["encoder"]["conv1"]["bias"] != 1)
    with pytest.raises(InputError, match="'encoder' matches no parameter"):
        make_optimizer(make_config(groups=(("encoder", {"learning_rate": 0}),))).init(
            PARAMS
        )


def test_groups_survive_the_file_of_the_run():
    config = make_config(groups=(("encoder/.*", {"learning_rate": 0.1}),))
    read = ml_collections.ConfigDict(json.loads(json.dumps(config.to_dict())))
    jax.tree.map(
        np.testing.assert_array_equal,
        trained(make_optimizer(read)),
        trained(make_optimizer(config)),
    )


def test_groups_and_accumulation_go_together():
    config = make_config(groups=(("stage1/.*", {"learning_rate": 0}),))
    config.grad_accumulation = 2
    found, _ = trained(make_optimizer(config))
    jax.tree.map(np.testing.assert_array_equal, found["stage1"], PARAMS["stage1"])
    assert np.all(found["encoder"]["conv1"]["bias"] != 1)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["coder/.*"], r"'coder/\.\*' matches no parameter.* encoder/conv1/bias"),
        ([".*", "stage1/own"], "'stage1/own' matches what earlier patterns match"),
    ],
)
def test_a_pattern_without_parameters_is_refused_with_names_that_exist(
    patterns, message
):
    groups = tuple((pattern, {"learning_rate": 0.5}) for pattern in patterns)
    with pytest.raises(InputError, match=message):
        make_optimizer(make_config(groups=groups)).init(PARAMS)


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("encoder/.*", "expected a pair"),
        (("encoder/.*", {}), "expected a pair"),
        (("encoder/.*", {"rate": 1}), "rate=1; expected numbers.*learning_rate and"),
        (("encoder/.*", {"learning_rate": -1}), "learning_rate=-1; expected"),
        (("encoder/.*", {"weight_decay": True}), "weight_decay=True; expected"),
        (("encoder/(", {"learning_rate": 1}), "is no regular expression"),
    ],
)
def test_what_is_no_group_is_answered_with_what_is(group, message):
    with pytest.raises(InputError, match=message):
        make_optimizer(make_config(groups=(group,)))
