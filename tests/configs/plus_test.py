"""Rows from the released network to plus: each adds what it names."""

import jax
import pytest

from configs import common, plus, rgb_plus, rgbd, rgbd_plus
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training import run_folder


def flat(config):
    return dict(run_folder.flattened(config))


def test_the_first_row_is_the_released_network():
    found, expected = plus.get_config("released,rgbd"), rgbd.get_config("tiny")
    assert flat(found) == flat(expected)


@pytest.mark.parametrize("name", plus.STEPS)
def test_a_row_adds_its_own_changes_and_builds(name):
    *_, before, last = ["released", *plus.changes_of(name)]
    assert last == name
    old, new = (flat(plus.get_config(f"{row},rgbd")) for row in (before, name))
    changed = {key for key in old.keys() & new.keys() if old[key] != new[key]}
    added = new.keys() - old.keys() if name != plus.NEW_LOSS else set()
    listed = set(plus.STEPS[name])
    assert changed | added <= listed | {"loss.family"}
    assert all(new[key] == value for key, value in plus.STEPS[name].items())
    assert methods.make(plus.get_config(f"{name},rgbd")).model is not None


def test_a_row_is_plus():
    for module, inputs in ((rgb_plus, ""), (rgbd_plus, ",rgbd")):
        last = plus.get_config(f"{plus.PLUS}{inputs}")
        assert flat(module.get_config("tiny")) == flat(last)


def test_a_row_behind_plus_is_plus_with_its_own_change_alone():
    upto = plus.changes_of(plus.PLUS)
    assert upto[0] == "released"
    assert plus.changes_of("carved") == [*upto, "carved"]


def test_an_unknown_row_is_refused():
    with pytest.raises(InputError, match="Valid choices: one of released, placed"):
        plus.get_config("paper,rgbd")


def test_options_of_plus_change_no_parameter_of_the_released_network():
    """What vertices are told are more rows of the first layers, and nothing else."""

    def shapes(row):
        method = methods.make(plus.get_config(row))
        init = lambda: method.model.init(  # noqa: E731
            jax.random.key(0), method.example_batch(1), method.constants, train=False
        )
        return jax.tree.map(lambda x: x.shape, jax.eval_shape(init)["params"])

    released, placed, told = map(shapes, ("released", "placed", "told"))
    assert placed == released
    width = released["stage1"]["conv_in"]["own"][0]
    assert told["stage1"]["conv_in"]["own"][0] == width + 9
    told["stage1"] = released["stage1"]
    assert told["encoder"] == released["encoder"]


def test_colors_of_the_image_need_the_head():
    config = common.tiny(common.pixel2mesh(("rgb",)))
    config.model.seen_colors = "image"
    with pytest.raises(InputError, match="no effect without model"):
        methods.make(config)


def test_a_run_of_an_older_version_is_read_as_what_it_was(tmp_path):
    config = rgbd.get_config("tiny")
    for name in run_folder.ADDED_TO["pixel2mesh"]:
        section, key = name.split(".")
        del config[section][key]
    run_folder.save_config(tmp_path, config)
    found = run_folder.load_config(tmp_path)
    assert flat(found).keys() == flat(rgbd.get_config("tiny")).keys()
    assert methods.make(found).model.placement == "template"
