"""Every ablation builds, and switches off what its name says and nothing else."""

import functools
import itertools

import jax
import pytest

from configs import ablation
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError

VERTICES = (156, 618, 2466, 9858)
FULL = ablation.get_config()


def shapes(config):
    """Shapes of the variables and of the meshes of one step, nothing computed."""
    method = methods.make(config)
    model, template = method.model, method.constants
    batch = method.example_batch(1)
    init = functools.partial(model.init, train=False)
    variables = jax.eval_shape(init, jax.random.key(0), batch, template)
    apply = functools.partial(model.apply, train=False)
    outputs = jax.eval_shape(apply, variables, batch, template)
    return variables["params"], [mesh.vertices.shape[1] for mesh in outputs.meshes]


def differences(config):
    """Settings that are not those of `full`, with their values."""
    flat = functools.partial(_flatten, prefix="")
    before, after = flat(FULL.to_dict()), flat(config.to_dict())
    assert before.keys() == after.keys()
    return {key: after[key] for key in after if after[key] != before[key]}


def _flatten(tree, prefix):
    flat = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


@pytest.mark.parametrize("name", ablation.CHANGES)
def test_a_name_changes_what_it_lists_and_the_model_builds(name):
    config = ablation.get_config(name)
    listed = ablation.CHANGES[name]
    assert differences(config).items() <= listed.items()
    if name not in ("full", "blocks_3"):
        assert differences(config)
    params, vertices = shapes(config)
    assert vertices[-1] in VERTICES
    assert len(vertices) == config.model.num_stages
    assert "encoder" in params


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_number_of_stages(count):
    _, vertices = shapes(ablation.get_config(f"blocks_{count}"))
    assert tuple(vertices) == VERTICES[:count]


def test_without_unpooling_every_stage_has_all_vertices():
    _, vertices = shapes(ablation.get_config("no_unpooling"))
    assert vertices == [2466, 2466, 2466]


def test_without_shortcuts_there_are_the_same_parameters():
    assert shapes(ablation.get_config("no_residual"))[0] == shapes(FULL)[0]
    assert not methods.make(ablation.get_config("no_residual")).model.residual
    assert methods.make(FULL).model.residual


@pytest.mark.parametrize("term", ["laplacian", "edge", "normal", "move"])
def test_a_loss_is_off(term):
    loss = ablation.get_config(f"no_{term}").loss
    assert FULL.loss[term] > 0
    assert loss.to_dict() == {**FULL.loss.to_dict(), term: 0.0}


def test_depth_is_a_fourth_channel():
    channels = [
        shapes(ablation.get_config(name))[0]["encoder"]["conv0_1"]["kernel"].shape[2]
        for name in ("full", "rgbd")
    ]
    assert channels == [3, 4]


def test_names_combine_in_any_order():
    one, other = (
        ablation.get_config(",".join(names))
        for names in itertools.permutations(["no_laplacian", "rgbd"])
    )
    assert one == other
    assert set(differences(one)) == {"loss.laplacian", "inputs"}


def test_full_size_is_the_published_network():
    config = ablation.get_config("full_size, no_edge")
    assert config.model.hidden_features == 256
    assert config.image_size == 224
    assert config.loss.edge == 0


@pytest.mark.parametrize("name", ["no_laplace", "full,nothing", "rgbd,"])
def test_unknown_names_are_answered_with_the_valid_ones(name):
    with pytest.raises(InputError, match=r"no_laplacian, no_edge.*full_size"):
        ablation.get_config(name)


def test_names_that_exclude_each_other():
    with pytest.raises(InputError, match=r"'blocks_1' and 'blocks_4' both set model"):
        ablation.get_config("blocks_1,blocks_4")
