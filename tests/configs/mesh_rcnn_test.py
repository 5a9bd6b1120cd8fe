"""Mesh R-CNN builds at full size, takes published weights, says what it cannot do."""

import functools

import jax
import numpy as np
import pytest

from configs import rgb_mesh_rcnn, rgbd_mesh_rcnn, rgbd_sdf_refined
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.weights import importing
from tests import named_tensors
from tests.weights import published_files

# Of the published program: the voxel head at 48^3, the head of three light stages.
VOXEL_PARAMETERS, HEAD_PARAMETERS = 6_763_824, 1_845_796


def variables(config):
    method = methods.make(config)
    batch = method.example_batch(1)
    init = functools.partial(method.model.init, train=False)
    return jax.eval_shape(init, jax.random.key(0), batch, method.constants)


def count(tree):
    return sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def test_full_size_is_the_published_network():
    params = variables(rgb_mesh_rcnn.get_config())["params"]
    assert count(params["voxel_head"]) == VOXEL_PARAMETERS
    assert count(params["head"]) == HEAD_PARAMETERS
    assert round(count(params) / 1e5) == 321


def test_depth_is_a_fourth_channel():
    params = variables(rgbd_mesh_rcnn.get_config())["params"]
    assert params["encoder"]["conv1"]["kernel"].shape == (7, 7, 4, 64)


@pytest.mark.parametrize("variant", ["best", "full", "voxel_only", "published,tiny"])
def test_variants_build(variant):
    config = rgb_mesh_rcnn.get_config(variant)
    params = variables(config)["params"]
    assert ("head" in params) == (variant != "voxel_only")
    # Squares of lengths where a diagonal is 1 and not 0.57 m.
    edge = 0.0 if variant == "best" else 0.2
    assert config.loss.edge * 0.57**2 == pytest.approx(edge)
    assert config.loss.chamfer * 0.57**2 == pytest.approx(1)
    blocks = [name for name in params.get("head", {}).get("stage1", {}) if "_" in name]
    assert bool(blocks) == (variant == "full")


def test_a_sphere_is_the_method_without_voxels():
    config = rgbd_mesh_rcnn.get_config("best,sphere_init,tiny")
    assert (config.method, config.image_size) == ("refinement", 96)
    assert (config.loss.edge, config.loss.num_samples) == (0.0, 1000)
    method = methods.make(config)
    assert {len(level.neighbors) for level in method.constants.levels} == {2562}


def test_best_and_pretty_exclude_each_other():
    with pytest.raises(InputError, match="take one"):
        rgb_mesh_rcnn.get_config("best,pretty")


def test_a_stage_that_is_told_takes_nine_numbers_more():
    plain, told = (
        variables(rgbd_mesh_rcnn.get_config(variant))["params"]["head"]["stage1"]
        for variant in ("tiny", "told,tiny")
    )
    rows = [len(params["offset"]["kernel"]) for params in (plain, told)]
    assert rows[1] - rows[0] == 9


def test_a_sphere_cannot_be_told():
    with pytest.raises(InputError, match="not of a sphere"):
        rgbd_mesh_rcnn.get_config("told,sphere_init")


def test_voxels_alone_cannot_be_told():
    config = rgbd_mesh_rcnn.get_config("told,voxel_only")
    with pytest.raises(InputError, match="num_stages is 0"):
        methods.make(config)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("resolution", 7, "even number"),
        ("threshold", 1.0, "probability"),
        ("alignment", "left", "center, topleft"),
        ("pooling", "nearest", "align_corners_zeros"),
        ("max_faces", 100, "at least"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, value, message):
    config = rgb_mesh_rcnn.get_config()
    config.model[setting] = value
    with pytest.raises(InputError, match=message):
        methods.make(config)


def test_the_refined_distances_build_at_both_sizes():
    for variant in ("", "tiny"):
        params = variables(rgbd_sdf_refined.get_config(variant))["params"]
        assert set(params) == {"trunk", "head"}


@pytest.mark.parametrize("variant", ["", "best"])
def test_published_weights_need_the_published_frame(variant):
    for_import = rgb_mesh_rcnn.get_config("published").to_dict()
    flat = lambda x: {f"model.{k}": v for k, v in x["model"].items()}  # noqa: E731
    importing.check_settings("meshrcnn:weights.pth", flat(for_import))
    other = rgb_mesh_rcnn.get_config(variant).to_dict()
    with pytest.raises(InputError, match=r"model\.unit is 1\.0"):
        importing.check_settings("meshrcnn:weights.pth", flat(other))


@pytest.mark.data
def test_the_published_checkpoint_is_taken_tensor_by_tensor(data_dir, tmp_path):
    recorded = named_tensors.Recorded(data_dir, "mrcnn_voxmesh")
    config = rgb_mesh_rcnn.get_config("published")
    config.model.resolution = int(recorded["voxel_size"])
    fresh = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), variables(config))
    path = published_files.save_npz(tmp_path / "all.npz", recorded.tensors)
    filled = importing.import_weights(f"meshrcnn:{path}", fresh)
    assert all(np.any(leaf) for leaf in jax.tree.leaves(filled))
    name = "mesh_head.stages.1.gconvs.2.w1.weight"
    tensors = {k: v for k, v in recorded.tensors.items() if k != name}
    path = published_files.save_npz(
        tmp_path / "some.npz", tensors | {"more": np.ones(3)}
    )
    with pytest.raises(InputError) as error:
        importing.import_weights(f"meshrcnn:{path}", fresh)
    assert f"{name}: not in the file" in str(error.value)
    assert "more (3,): in the file, not in the model" in str(error.value)
