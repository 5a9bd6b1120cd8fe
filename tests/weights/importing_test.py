"""Importing whole models: strict about names and shapes, in one error."""

import functools

import jax
import numpy as np
import pytest

from configs import published, rgbd_sdf
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training import run_folder
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.weights import release
from pixel2mesh_jax.weights.importing import (
    check_is_model,
    check_settings,
    import_weights,
)
from tests.weights import published_files


@functools.cache
def fresh_variables(inputs=("rgb",), decoder="none"):
    """Variables of a narrow network of the published form, all 0.5."""
    config = published.torch_tf()
    config.inputs = inputs
    config.image_size = 32
    config.model.template = "ellipsoid"
    config.model.encoder_width = 1 / 16
    config.model.hidden_features = 8
    config.model.last_features = 4
    config.model.decoder = decoder
    if decoder != "none":
        config.loss.image = 1.0
        config.loss.depth = float("depth" in inputs)
        config.loss.image_steps = 1
    method = methods.make(config)
    model, template = method.model, method.constants
    batch = method.example_batch(1)
    init = functools.partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), batch, template)
    return jax.tree.map(lambda x: np.full(x.shape, 0.5, x.dtype), shapes)


@pytest.fixture
def tensors():
    return published_files.small_model()


def differences(folder, tensors, form="pytorch", **options):
    """The lines of the error."""
    path = published_files.save_npz(folder / "weights.npz", tensors)
    with pytest.raises(InputError) as error:
        import_weights(f"{form}:{path}", fresh_variables(**options))
    return str(error.value).splitlines()


def test_every_tensor_arrives_where_it_belongs(tmp_path, tensors):
    path = published_files.save_npz(tmp_path / "weights.npz", tensors)
    imported = import_weights(f"pytorch:{path}", fresh_variables())
    params = imported["params"]
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count == sum(tensor.size for tensor in tensors.values())
    np.testing.assert_array_equal(
        params["encoder"]["conv4_1"]["kernel"],
        np.moveaxis(tensors["nn_encoder.conv4_1.weight"], (0, 1), (3, 2)),
    )
    np.testing.assert_array_equal(
        params["stage2"]["blocks"]["conv2"]["neighbor"][5],
        tensors["gcns.1.blocks.5.conv2.weight"],
    )
    np.testing.assert_array_equal(
        params["stage3_last"]["own"], tensors["gcns.2.conv2.loop_weight"]
    )


def test_variables_of_the_release_are_the_same_model(tmp_path, tensors):
    variables = published_files.tensorflow_variables(tensors)
    assert len(variables) == 165
    named = {f"{name}:0": value for name, value in variables.items()}
    released = published_files.save_npz(tmp_path / "released.npz", named)
    migrated = published_files.save_npz(tmp_path / "migrated.npz", tensors)
    jax.tree.map(
        np.testing.assert_array_equal,
        import_weights(f"tensorflow:{released}", fresh_variables()),
        import_weights(f"pytorch:{migrated}", fresh_variables()),
    )


def test_all_differences_are_listed_at_once(tmp_path, tensors):
    del tensors["gcns.0.conv1.bias"]
    tensors["gcns.1.blocks.3.conv1.weight"] = np.zeros((9, 8), np.float32)
    tensors["nn_encoder.conv0_1.bias"] = np.zeros((1, 1), np.float32)
    tensors["gcns.3.conv1.weight"] = np.zeros((8, 8), np.float32)
    tensors["gconv.bias"][1] = np.nan
    title, *lines = differences(tmp_path, tensors)
    assert title.endswith(
        "weights.npz (pytorch) does not fit the configured model, 5 differences:"
    )
    assert {line.strip() for line in lines} == {
        "gcns.0.conv1.bias: not in the file, for stage1/conv_in/bias (8,)",
        "gcns.1.blocks.3.conv1.weight (9, 8) in our layout: "
        "stage2/blocks/3/conv1/neighbor is (8, 8)",
        "nn_encoder.conv0_1.bias (1, 1): encoder/conv0_1/bias is (1,)",
        "gcns.3.conv1.weight (8, 8): in the file, not in the model",
        "gconv.bias: holds NaN or infinite values",
    }


def test_another_width_lists_every_tensor_that_depends_on_it(tmp_path):
    lines = differences(tmp_path, published_files.small_model(hidden=6))
    affected = [
        name
        for name, tensor in published_files.small_model(hidden=6).items()
        if tensor.shape != published_files.small_model()[name].shape
    ]
    assert len(lines) == 1 + len(affected)
    for name in affected:
        assert any(line.strip().startswith(f"{name} (") for line in lines[1:])


@pytest.mark.parametrize("prefix", ["nn_encoder.", ""])
def test_a_backbone_is_not_a_model(tmp_path, tensors, prefix):
    """The published `vgg16-p2m.pth` was once accepted as a checkpoint."""
    encoder = {
        name.replace("nn_encoder.", prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith("nn_encoder.")
    }
    (line,) = differences(tmp_path, encoder)
    assert "is not a model: of 129 tensors of the graph network it holds none" in line
    assert "of 36 of the image encoder 36." in line


def test_a_file_of_another_format_is_not_a_model(tmp_path, tensors):
    (line,) = differences(tmp_path, tensors, form="tensorflow")
    assert "of the image encoder 0." in line


def test_connectivity_and_unused_parts_are_left_out(tmp_path, tensors):
    expected = import_weights(
        f"pytorch:{published_files.save_npz(tmp_path / 'a.npz', tensors)}",
        fresh_variables(),
    )
    tensors["init_pts"] = np.zeros((156, 3), np.float32)
    tensors["gcns.0.conv1.adj_mat"] = np.zeros((156, 156), np.float32)
    tensors["nn_decoder.conv_1.bias"] = np.zeros(16, np.float32)
    path = published_files.save_npz(tmp_path / "b.npz", tensors)
    jax.tree.map(
        np.testing.assert_array_equal,
        import_weights(f"pytorch:{path}", fresh_variables()),
        expected,
    )


def test_a_model_with_a_decoder_needs_its_tensors(tmp_path, tensors):
    lines = differences(tmp_path, tensors, decoder="unet_relu")
    assert len(lines) == 1 + 10
    assert any("nn_decoder.conv_5.weight: not in the file" in line for line in lines)


@pytest.mark.parametrize(
    ("inputs", "colors", "depth"),
    [(("rgb", "depth"), slice(0, 3), 3), (("depth", "rgb"), slice(1, 4), 0)],
)
def test_a_stem_of_colour_and_depth_keeps_its_own_weights_for_depth(
    tmp_path, tensors, inputs, colors, depth
):
    path = published_files.save_npz(tmp_path / "weights.npz", tensors)
    variables = fresh_variables(inputs=inputs)
    imported = import_weights(f"pytorch:{path}", variables, inputs)
    stem = imported["params"]["encoder"]["conv0_1"]["kernel"]
    published_stem = tensors["nn_encoder.conv0_1.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(stem[:, :, colors], published_stem)
    np.testing.assert_array_equal(stem[:, :, depth], 0.5)
    # The fresh variables are left alone.
    np.testing.assert_array_equal(
        variables["params"]["encoder"]["conv0_1"]["kernel"], 0.5
    )


@pytest.mark.parametrize("spec", ["keras:x.npz", "pytorch", "", "x.npz"])
def test_unknown_formats_list_the_valid_ones(spec):
    with pytest.raises(InputError, match="pytorch, released, tensorflow, torchvision"):
        import_weights(spec, {})


def test_a_checkpoint_of_the_pytorch_program(tmp_path, tensors):
    """Parameters, sparse connectivity, optimizer and epoch, as it saves them."""
    torch = pytest.importorskip("torch")
    state = {name: torch.from_numpy(value) for name, value in tensors.items()}
    state["gcns.0.conv1.adj_mat"] = torch.eye(156).to_sparse()
    state["init_pts"] = torch.zeros(156, 3)
    checkpoint = {
        "model": state,
        "optimizer": {"state": {0: {"step": 7}}, "param_groups": [{"lr": 1e-4}]},
        "epoch": 3,
        "total_step_count": 7,
    }
    torch.save(checkpoint, tmp_path / "resnet.pth.tar")
    torch.save(
        checkpoint, tmp_path / "old.pth.tar", _use_new_zipfile_serialization=False
    )
    parallel = {f"module.{name}": value for name, value in state.items()}
    torch.save(parallel, tmp_path / "parallel.pt")
    path = published_files.save_npz(tmp_path / "weights.npz", tensors)
    expected = import_weights(f"pytorch:{path}", fresh_variables())
    for file in ("resnet.pth.tar", "old.pth.tar", "parallel.pt"):
        imported = import_weights(f"pytorch:{tmp_path / file}", fresh_variables())
        jax.tree.map(np.testing.assert_array_equal, imported, expected)


@pytest.fixture
def released(tmp_path):
    """A file of released weights, its settings, and variables that it fits."""
    config = rgbd_sdf.get_config("tiny")
    config.model.update(resolution=8, layers=8, widths=(8, 8), features=8)
    method = methods.make(config)
    params = states.init_variables(method, method.constants, seed=0).params
    variables = {"params": jax.tree.map(np.asarray, params)}
    path = tmp_path / "small.safetensors"
    release.save(path, variables, config.to_dict())
    return path, config, variables


def test_a_training_starts_from_released_weights(released):
    path, config, variables = released
    spec = f"released:{path}"
    check_is_model(spec)
    check_settings(spec, dict(run_folder.flattened(config)))
    other = jax.tree.map(np.zeros_like, variables)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-6),
        import_weights(spec, other),
        variables,
    )


def test_released_weights_of_another_width_are_refused_by_name(released):
    path, _, variables = released
    name, leaf = next(iter(jax.tree_util.tree_leaves_with_path(variables)))
    wider = jax.tree.map(lambda x: x, variables)
    place = wider
    for key in name[:-1]:
        place = place[key.key]
    place[name[-1].key] = np.zeros((*leaf.shape, 2))
    with pytest.raises(
        InputError, match=r"does not fit this network:\n  params/.* here"
    ):
        import_weights(f"released:{path}", wider)


def test_released_weights_of_other_inputs_are_refused(released):
    path, config, _ = released
    config.inputs = ("rgb",)
    with pytest.raises(InputError, match=r"inputs is \['rgb'\], expected"):
        check_settings(f"released:{path}", dict(run_folder.flattened(config)))


def test_released_weights_that_do_not_ship_list_those_that_do():
    with pytest.raises(InputError, match=r"No released weights 'rgb'.*rgbd_sdf"):
        import_weights("released:rgb", {})
