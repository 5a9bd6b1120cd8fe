"""Options that published weights need: camera, pooling, padding, template, sizes."""

import functools

import jax
import numpy as np
import pytest
from flax import linen as nn

from configs import published, rgb_resnet18, rgbd_pixel2mesh_r50
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera, templates
from pixel2mesh_jax.methods import pixel2mesh as pixel2mesh_method
from pixel2mesh_jax.models import encoders, pixel2mesh
from tests.batches import make_batch

SMALL = templates.ellipsoid(num_vertices=12, num_levels=2)


class Patches(nn.Module):
    """An encoder that is quick to compile: one linear layer per scale."""

    @nn.compact
    def __call__(self, image, train):
        del train
        return [nn.Conv(3, (s, s), (s, s), name=f"patch{s}")(image) for s in (4, 8)]


def make_model(**options):
    return pixel2mesh.Pixel2Mesh(
        Patches(),
        inputs=("rgb",),
        hidden_features=8,
        last_features=0,
        num_blocks=1,
        **options,
    )


@functools.cache
def variables():
    init = functools.partial(make_model().init, train=False)
    return jax.jit(init)(jax.random.key(0), make_batch(), SMALL)


def predict(batch=None, **options):
    model = make_model(**options)
    run = jax.jit(functools.partial(model.apply, train=False))
    return run(variables(), batch or make_batch(), SMALL).meshes[-1].vertices


def test_a_fixed_camera_is_that_of_every_sample():
    batch = make_batch()
    other = batch._replace(intrinsics=np.roll(batch.intrinsics, 1, axis=2) + 3)
    np.testing.assert_array_equal(
        predict(batch, camera=(35.0, 15.5)), predict(other, camera=(35.0, 15.5))
    )
    same = batch._replace(intrinsics=np.tile(camera.pinhole(35, 15.5, 15.5), (2, 1, 1)))
    np.testing.assert_allclose(
        predict(batch, camera=(35.0, 15.5)), predict(same), atol=1e-5
    )


def test_every_pooling_convention_gives_another_mesh():
    conventions = ("half_pixel", "align_corners", "p2m_torch", "p2m_tf")
    meshes = [predict(pooling=name) for name in conventions]
    assert all(np.isfinite(mesh).all() for mesh in meshes)
    for i, a in enumerate(meshes):
        for b in meshes[:i]:
            assert np.abs(a - b).max() > 1e-4


@pytest.mark.parametrize(
    ("padding", "first", "after"), [("same", 0, 1), ("symmetric", 1, 0)]
)
def test_padding_of_the_layers_of_stride_two(padding, first, after):
    """Of an image of ones, sums over 3 x 3 tell how many pixels lie on the image."""
    encoder = encoders.Conv18(width=1 / 16, padding=padding)
    image = np.ones((1, 32, 32, 1), np.float32)
    init = functools.partial(encoder.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), image)["params"]
    params = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    for name in ("conv0_1", "conv0_2"):
        params[name]["kernel"][1, 1] = 1  # passes on the image
    params["conv1_1"]["kernel"][:] = 1
    run = functools.partial(encoder.apply, train=False, capture_intermediates=True)
    seen = jax.jit(run)({"params": params}, image)[1]["intermediates"]
    sums = np.asarray(seen["conv1_1"]["__call__"][0])[0, :, 8, 0]
    np.testing.assert_allclose(sums[0], 3 * (3 - first))
    np.testing.assert_allclose(sums[-1], 3 * (3 - after))
    np.testing.assert_allclose(sums[1:-1], 9)


@pytest.mark.parametrize(
    ("text", "expected"), [("sample", None), ("248,111.5", (248.0, 111.5))]
)
def test_cameras_in_configs(text, expected):
    assert pixel2mesh_method.parse_camera(text) == expected


@pytest.mark.parametrize("text", ["", "248", "248,a", "1,2,3", "fixed"])
def test_bad_cameras_show_a_good_one(text):
    with pytest.raises(InputError, match=r"'sample', or .* as in '248,111.5'"):
        pixel2mesh_method.parse_camera(text)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("pooling", "nearest", "align_corners, half_pixel, p2m_tf, p2m_torch"),
        ("camera", "nearest", "Unknown model.camera 'nearest'"),
        ("encoder", "conv17", "conv18, conv18_symmetric"),
    ],
)
def test_unknown_options_list_the_valid_ones(field, value, message):
    config = published.tensorflow()
    config.model[field] = value
    with pytest.raises(InputError, match=message):
        methods.make(config)


@pytest.mark.parametrize("config", [rgb_resnet18, rgbd_pixel2mesh_r50])
def test_families_without_these_options_say_so(config):
    config = config.get_config()
    with config.unlocked():
        config.model.camera = "248,111.5"
    with pytest.raises(InputError, match=r"unknown: camera"):
        methods.make(config)


def test_templates_may_be_files(tmp_path):
    config = published.tensorflow()
    config.model.template = f"dat:{tmp_path / 'x.dat'}"
    with pytest.raises(InputError, match=r"x\.dat: no such file"):
        methods.make(config)
    config.model.template = "cube"
    with pytest.raises(InputError, match="dat:PATH, ellipsoid"):
        methods.make(config)


@pytest.mark.data
def test_the_released_template(data_dir):
    config = published.tensorflow()
    config.model.template = f"dat:{data_dir / 'shapenet_sample/info_ellipsoid.dat'}"
    template = methods.make(config).constants
    counts = [len(level.neighbors) for level in template.levels]
    assert counts == [156, 618, 2466]
    config.model.num_stages = 4
    assert len(methods.make(config).constants.levels[-1].neighbors) == 9858


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("tensorflow", 19_383_033),
        ("torch_tf", 19_383_033),
        ("torch_vgg", 16_839_545),
        ("torch_resnet50", 30_821_705),
    ],
)
def test_published_configs_have_the_published_sizes(variant, expected):
    config = published.get_config(variant)
    config.model.template = "ellipsoid"
    method = methods.make(config)
    model, template = method.model, method.constants
    batch = method.example_batch(1)
    init = functools.partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), batch, template)
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes["params"])) == expected


def test_unknown_published_variants_list_the_valid_ones():
    with pytest.raises(InputError, match="'tensorflow', 'torch_tf', 'torch_vgg'"):
        published.get_config("tiny")
