"""The network of Depth-Aware Pixel2Mesh at full size, and what it cannot do."""

import functools

import jax
import numpy as np
import pytest

from configs import rgbd_pixel2mesh_r50 as experiment
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError

# facebookresearch/meshrcnn: `Pixel2MeshHead`, and a ResNet-50 without its classifier.
HEAD_PARAMETERS = 1_845_796
RESNET50_PARAMETERS = 23_508_032


def parameters(config):
    method = methods.make(config)
    model, template = method.model, method.constants
    batch = method.example_batch(1)
    init = functools.partial(model.init, train=False)
    variables = jax.eval_shape(init, jax.random.key(0), batch, template)
    return variables["params"]


def count(tree):
    return sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def test_full_size_is_the_published_network_with_a_fourth_channel():
    params = parameters(experiment.get_config())
    assert params["encoder"]["conv1"]["kernel"].shape == (7, 7, 4, 64)
    assert count(params["encoder"]) == RESNET50_PARAMETERS + 7 * 7 * 64
    assert count(params["head"]) == HEAD_PARAMETERS


@pytest.mark.parametrize("variant", ["", "published", "tiny"])
def test_variants_build_and_start_from_a_sphere(variant):
    config = experiment.get_config(variant)
    template = methods.make(config).constants
    assert [len(level.neighbors) for level in template.levels] == [162, 642, 2562]
    center = np.mean(template.vertices, axis=0)
    expected = [0, 0, 0] if variant == "published" else [0, 0, -0.8]
    np.testing.assert_allclose(center, expected, atol=1e-6)
    assert config.loss.edge == 0.2
    assert parameters(config)


def test_residual_blocks_are_a_setting():
    config = experiment.get_config("tiny")
    config.model.residual = True
    stage = parameters(config)["head"]["stage1"]
    convs = [name for name in stage if "_conv" in name]
    assert len(convs) == 6  # three blocks of two, as its Figure 7 says


def test_unknown_variants_poolings_and_heads_are_answered_with_the_valid_ones():
    with pytest.raises(InputError, match="'published', 'tiny'"):
        experiment.get_config("small")
    config = experiment.get_config("tiny")
    config.model.pooling = "nearest"
    with pytest.raises(InputError, match=r"align_corners_zeros, half_pixel"):
        methods.make(config)
    config = experiment.get_config("tiny")
    config.model.vertex_colors = True
    with pytest.raises(InputError, match=r"unknown: vertex_colors"):
        methods.make(config)
