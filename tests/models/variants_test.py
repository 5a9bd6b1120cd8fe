"""The variants of Pixel2Mesh: sizes, gradients, and the defects of published codes."""

import functools
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera, surface, templates
from pixel2mesh_jax.methods import cascade
from pixel2mesh_jax.methods.method import empty_batch, image_fields
from pixel2mesh_jax.models import autoencoder, encoders, pixel2mesh
from pixel2mesh_jax.models.pixel2mesh import Pixel2Mesh, network_input, split_channels
from pixel2mesh_jax.models.pixel2mesh2 import Pixel2Mesh2
from pixel2mesh_jax.models.two_stream import TwoStream
from tests.batches import SIZE, make_batch
from tests.procedural_views import make_batches

pytestmark = pytest.mark.usefixtures("quick_compilation")

SMALL = templates.ellipsoid(num_vertices=12)  # 12 -> 42 -> 162 vertices
RGB_D = ("rgb", "depth")
conv18 = functools.partial(encoders.Conv18, width=0.05)
small = functools.partial(
    Pixel2Mesh,
    hidden_features=8,
    last_features=8,
    num_blocks=1,
    prediction="offsets",
)
MODELS = {
    "autoencoder": small(
        conv18(), inputs=RGB_D, decoder=autoencoder.ImageDecoder(4, width=0.05)
    ),
    "two_stream": small(TwoStream(conv18(), conv18()), inputs=RGB_D),
    "paper": small(
        encoders.VGG16(width=1 / 16),
        inputs=("rgb",),
        operator="sum",
        coordinates="first_stage",
    ),
    "pixel2mesh2": Pixel2Mesh2(
        encoders.ResNet18(width=1 / 16),
        projected_features=(8, 8, 8),
        hidden_features=8,
        num_blocks=1,
    ),
}


def empty_images(size, batch_size):
    fields = {
        name: np.zeros((batch_size, *field.shape), field.dtype)
        for name, field in image_fields(size, num_points=1).items()
    }
    return empty_batch(batch_size)._replace(**fields)


def config_of(name):
    module, _, variant = name.partition(":")
    return importlib.import_module(f"configs.{module}").get_config(variant)


def shapes_of(model, template, size, batch_size=1):
    """Shapes of the variables and of the outputs; nothing is computed."""
    batch = empty_images(size, batch_size)
    init = functools.partial(model.init, train=False)
    variables = jax.eval_shape(init, jax.random.key(0), batch, template)
    apply = functools.partial(model.apply, train=False)
    return variables, jax.eval_shape(apply, variables, batch, template)


@functools.cache
def shapes_of_named(name):
    return shapes_of_config(config_of(name))


def shapes_of_config(config):
    method = methods.make(config)
    return shapes_of(method.model, method.constants, config.image_size)


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@functools.cache
def initialized(model):
    """Random variables of the right shapes, without compiling an initialiser.

    Offsets are small, so that the vertices stay in the image, and biases positive, so
    that some units of every layer are active.
    """
    shapes, _ = shapes_of(model, SMALL, SIZE)
    rng = np.random.default_rng(0)

    def fill(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        noise = rng.standard_normal(leaf.shape, dtype=np.float32)
        if leaf.ndim == 1 or name.endswith("bias"):
            base = {"bias": 0.1, "mean": 0.0}.get(name.split("/")[-1], 1.0)
            return np.float32(base + 0.01 * noise)
        if "_out/" in name:
            return np.float32(1e-3 * noise)
        fan_in = np.prod(leaf.shape[:-1]) if leaf.ndim == 4 else leaf.shape[-2]
        degree = 6 if name.endswith("neighbor") else 1
        return np.float32(noise * np.sqrt(2 / fan_in) / degree)

    return jax.tree_util.tree_map_with_path(fill, shapes)


@functools.cache
def compiled(model):
    return jax.jit(functools.partial(model.apply, train=False))


# Measured from the published programs, or what the layers of the paper add up to.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("rgb", 19_383_033),
        ("rgb_resnet50", 30_821_705),
        ("rgb_autoencoder", 16_839_545 + 1_986_403),
        # VGG-16 without its head; 128 channels after 1283, 1408 and 1408 inputs.
        ("rgb:paper", 14_714_688 + 2_241_298),
    ],
)
def test_number_of_parameters(name, parameters):
    variables, _ = shapes_of_named(name)
    assert count(variables["params"]) == parameters


@pytest.mark.parametrize(
    ("name", "vertices"),
    [("rgb_resnet18", (162, 642, 2562)), ("rgbd_two_stream", (156, 618, 2466))],
)
def test_numbers_of_vertices(name, vertices):
    _, outputs = shapes_of_named(name)
    assert tuple(mesh.vertices.shape[1] for mesh in outputs.meshes) == vertices


def test_paper_stages_have_fourteen_convolutions_and_the_printed_widths():
    variables, _ = shapes_of_named("rgb:paper")
    params = variables["params"]
    for stage, width in (("stage1", 1283), ("stage2", 1408), ("stage3", 1408)):
        assert params[stage]["conv_in"]["own"].shape == (width, 128)
        blocks = params[stage]["blocks"]
        hidden = sum(blocks[conv]["own"].shape[0] for conv in ("conv1", "conv2"))
        assert 1 + hidden + 1 == 14  # with the convolution to three coordinates
    assert not [name for name in params if name.endswith("_last")]


def test_vgg16_taps_before_the_poolings():
    image = jax.ShapeDtypeStruct((2, 224, 224, 3), jnp.float32)
    init = functools.partial(encoders.VGG16().init, train=True)
    variables = jax.eval_shape(init, jax.random.key(0), image)
    run = functools.partial(encoders.VGG16().apply, train=False)
    maps = jax.eval_shape(run, variables, image)
    expected = [(2, 56, 56, 256), (2, 28, 28, 512), (2, 14, 14, 512)]
    assert [x.shape for x in maps] == expected


def test_two_streams_have_the_maps_of_one_and_twice_the_encoder():
    one, _ = shapes_of_named("rgb_resnet50")
    two, _ = shapes_of_named("rgbd_two_stream")
    encoder = two["params"]["encoder"]
    fused = sum(2 * c * c + c for c in (256, 512, 1024, 2048))
    assert count({name: encoder[f"fuse{name}"] for name in "1234"}) == fused
    # The depth stem has one input channel instead of three.
    streams = 2 * count(one["params"]["encoder"]) - 2 * 7 * 7 * 64
    assert count(encoder) == streams + fused
    assert two["params"]["stage1"] == one["params"]["stage1"]


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient_from_every_stage(name):
    """Pixel2Mesh2: graph networks were not trained, stages not connected."""
    model, batch = MODELS[name], make_batch()

    @jax.jit
    def gradients(params, stage_weights):
        def total(params):
            outputs = model.apply(
                {**initialized(model), "params": params}, batch, SMALL, train=False
            )
            waves = [jnp.sin(jnp.arange(m.vertices.size)) for m in outputs.meshes]
            sums = [
                jnp.sum(m.vertices.ravel() * wave)
                for m, wave in zip(outputs.meshes, waves, strict=True)
            ]
            images = [x for x in (outputs.image, outputs.depth) if x is not None]
            sums.append(sum(jnp.sum(x**2) for x in images))
            return jnp.sum(jnp.stack(sums) * stage_weights)

        return jax.grad(total)(params)

    params = initialized(model)["params"]
    for stage in range(3):
        grads = gradients(params, jnp.eye(4)[stage])
        for path, grad in jax.tree_util.tree_leaves_with_path(grads):
            leaf = jax.tree_util.keystr(path, simple=True, separator="/")
            expected = takes_part(name, leaf, stage)
            assert expected is None or bool(jnp.any(grad != 0)) == expected, leaf
    drawn = gradients(params, jnp.eye(4)[3])
    assert all(jnp.any(g != 0) for g in jax.tree.leaves(drawn.get("decoder", {})))
    if name == "autoencoder":
        assert all(jnp.any(g != 0) for g in jax.tree.leaves(drawn["encoder"]))


def takes_part(name, leaf, stage):
    """Whether a parameter has a part in the mesh of a stage; None if it may not.

    Not the decoder, later stages, and maps that only later stages see. The bias of the
    previous offsets moves all vertices alike, perhaps in cells of one colour.
    """
    later = tuple(f"{part}{s + 1}" for part in PARTS for s in range(stage + 1, 3))
    if leaf.startswith(("decoder", *later)):
        return False
    if leaf.startswith("encoder/layer4") and name == "pixel2mesh2" and stage == 0:
        return False
    if leaf.startswith(f"stage{stage}_out") and leaf.endswith("bias"):
        return None
    return True


PARTS = ("stage", "projection")


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_of_two_equals_two_batches_of_one(name):
    """Published reproductions only worked for batches of one image."""
    model, batch = MODELS[name], make_batch()
    run = compiled(model)
    together = run(initialized(model), batch, SMALL)
    for row in range(2):
        single = jax.tree.map(lambda x, row=row: x[row : row + 1], batch)
        alone = run(initialized(model), single, SMALL)
        np.testing.assert_allclose(
            together.meshes[-1].vertices[row],
            alone.meshes[-1].vertices[0],
            rtol=1e-4,
            atol=1e-3,
        )


@pytest.mark.parametrize("inputs", [("rgb",), RGB_D, ("depth",)])
def test_decoder_draws_what_the_encoder_saw(inputs):
    channels = sum(pixel2mesh.CHANNELS[name] for name in inputs)
    decoder = autoencoder.ImageDecoder(channels)
    model = Pixel2Mesh(encoders.Conv18(), inputs=inputs, decoder=decoder)
    _, outputs = shapes_of(model, SMALL, 224, batch_size=2)
    assert (outputs.image is not None) == ("rgb" in inputs)
    assert (outputs.depth is not None) == ("depth" in inputs)
    if outputs.image is not None:
        assert outputs.image.shape == (2, 224, 224, 3)
    if outputs.depth is not None:
        assert outputs.depth.shape == (2, 224, 224)


def test_decoder_layers_have_the_published_shapes():
    model = methods.make(config_of("rgb_autoencoder")).model.decoder
    sides, channels = (56, 28, 14, 7), (64, 128, 256, 512)
    maps = [
        jnp.zeros((1, side, side, c)) for side, c in zip(sides, channels, strict=True)
    ]
    params = jax.eval_shape(model.init, jax.random.key(0), maps)["params"]
    kernels = [params[f"deconv{index}"]["kernel"].shape for index in range(1, 6)]
    assert kernels == [
        (2, 2, 512, 256),
        (4, 4, 512, 128),
        (4, 4, 256, 64),
        (6, 6, 128, 32),
        (6, 6, 32, 3),
    ]


def test_the_published_decoder_cannot_draw_black(getkey):
    """A ReLU before the sigmoid keeps every value above 0.5."""
    maps = [jax.random.normal(getkey(), (1, side, side, 4)) for side in (8, 4, 2, 1)]
    ours = autoencoder.ImageDecoder(3, width=0.05)
    published = autoencoder.ImageDecoder(3, width=0.05, relu_before_sigmoid=True)
    params = jax.jit(ours.init)(getkey(), maps)
    free, clipped = jax.jit(ours.apply)(params, maps), published.apply(params, maps)
    assert 0 < free.min() < 0.5 < free.max() < 1
    np.testing.assert_allclose(clipped, jnp.maximum(free, 0.5), rtol=1e-6)


def test_channels_are_split_as_they_were_stacked():
    batch = make_batch()
    for inputs in (("rgb",), RGB_D, RGB_D[::-1]):
        stacked = network_input(batch, inputs, "disparity")
        parts = split_channels(stacked, inputs)
        np.testing.assert_array_equal(parts["rgb"], batch.rgb)
        assert stacked.shape[-1] == sum(part.shape[-1] for part in parts.values())


def test_streams_see_their_own_channels():
    model, batch = MODELS["two_stream"], make_batch()
    streams = initialized(model)["params"]["encoder"]
    assert streams["rgb"]["conv0_1"]["kernel"].shape[2] == 3
    assert streams["depth"]["conv0_1"]["kernel"].shape[2] == 1
    run, variables = compiled(model), initialized(model)
    mirrored = batch.depth[:, ::-1]
    before = run(variables, batch, SMALL).meshes[-1].vertices
    after = run(variables, batch._replace(depth=mirrored), SMALL).meshes[-1].vertices
    assert np.abs(before - after).max() > 1e-4


def test_a_stage_of_pixel2mesh2_sees_its_own_scale_only():
    """The map at 1/16 feeds the first stage, the map at 1/32 the others."""
    model, batch = MODELS["pixel2mesh2"], make_batch()
    variables = initialized(model)
    changed = jax.tree.map(jnp.asarray, variables)
    last = changed["params"]["encoder"]["layer4_1"]["conv2"]
    last["kernel"] = last["kernel"] + 1.0
    run = compiled(model)
    before, after = run(variables, batch, SMALL), run(changed, batch, SMALL)
    same = [
        np.allclose(a.vertices, b.vertices)
        for a, b in zip(before.meshes, after.meshes, strict=True)
    ]
    assert same == [True, False, False]


def test_without_coordinates_a_stage_sees_image_features_only():
    model = MODELS["pixel2mesh2"]
    blind = model.clone(sees_coordinates=False)
    for net, width in ((model, 11), (blind, 8)):
        variables, _ = shapes_of(net, SMALL, SIZE)
        for stage in (1, 2, 3):
            conv = variables["params"][f"stage{stage}"]["conv_in"]
            assert conv["neighbor"].shape == (width, 8)


@pytest.mark.parametrize("name", cascade.TEMPLATES)
@pytest.mark.parametrize("num_stages", [1, 3])
def test_faces_of_every_level_point_outward(name, num_stages):
    template = cascade.TEMPLATES[name](num_levels=num_stages)
    vertices = template.vertices
    for coarse, fine in zip(template.levels, (*template.levels[1:], None), strict=True):
        assert surface.signed_volume(vertices, coarse.faces) > 0
        assert len(vertices) == len(coarse.neighbors)
        if fine is not None:
            middles = templates.edge_midpoints(vertices, coarse)
            vertices = np.concatenate([vertices, middles])


@pytest.mark.parametrize("name", ["ellipsoid", "flattened_icosphere", "icosphere"])
def test_templates_stand_where_the_objects_are(name):
    """Pixel2Mesh2: the sphere stood behind the camera, all of it seen in one cell."""
    points = cascade.TEMPLATES[name]().vertices
    for batch in make_batches():
        for truth, intrinsics in zip(batch.points, batch.intrinsics, strict=True):
            middle = (truth.min(axis=0) + truth.max(axis=0)) / 2
            assert np.linalg.norm(points.mean(axis=0) - middle) < 0.2
            assert 0.5 < np.ptp(points, axis=0).max() / np.ptp(truth, axis=0).max() < 2
            uv = camera.project(points, intrinsics)
            assert np.all((uv > 0) & (uv < 64))
            assert np.ptp(uv, axis=0).min() > 16


def test_depth_channel_of_real_views_has_spread():
    """pollenjp/pixel2mesh-with-depth: depth between 0 and 0.004 told nothing."""
    for batch in make_batches():
        channel = network_input(batch, RGB_D, "disparity")[..., 3]
        spread = np.std(channel, axis=(1, 2))
        assert np.all((spread >= 0.05) & (spread <= 1))


def test_views_stand_on_white():
    """Pixel2Mesh2 reads what is transparent as black."""
    for batch in make_batches():
        np.testing.assert_allclose(batch.rgb[batch.mask == 0], 1.0)
        assert batch.mask.mean() > 0.05


@pytest.mark.parametrize(
    ("switches", "vertices"),
    [
        ({"unpooling": False}, (2466, 2466, 2466)),
        ({"num_stages": 1}, (156,)),
        ({"num_stages": 2, "unpooling": False}, (618, 618)),
        ({"num_stages": 4}, (156, 618, 2466, 9858)),
    ],
)
def test_stages_and_unpooling_are_switches(switches, vertices):
    config = config_of("rgb:tiny")
    config.model.update(switches)
    variables, outputs = shapes_of_config(config)
    assert tuple(mesh.vertices.shape[1] for mesh in outputs.meshes) == vertices
    assert "stage1" in variables["params"]
    assert f"stage{len(vertices)}_last" in variables["params"]


def test_stages_of_one_level_keep_their_vertices():
    """Without unpooling an untrained cascade of offsets is the finest template."""
    template = templates.without_unpooling(SMALL)
    model = small(conv18(), prediction="offsets", inputs=("rgb",))
    shapes, _ = shapes_of(model, template, SIZE)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
    outputs = compiled(model)(zeros, make_batch(), template)
    finest = templates.finest_vertices(SMALL)
    np.testing.assert_allclose(templates.finest_vertices(template), finest)
    for mesh in outputs.meshes:
        np.testing.assert_allclose(mesh.vertices[0], finest, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("template", "cube", "Valid choices: .*ellipsoid, flattened_icosphere"),
        ("num_stages", 5, "is 5; expected 1 to 4"),
        ("fusion", "late", "Valid choices: stacked, two_stream"),
        ("fusion", "two_stream", r"needs inputs \('rgb', 'depth'\)"),
        ("decoder", "vae", "Valid choices: none, unet, unet_relu"),
        ("coordinates", "never", "Valid choices: every_stage, first_stage"),
    ],
)
def test_bad_settings_are_named(field, value, message):
    config = config_of("rgb:tiny")
    config.model[field] = value
    with pytest.raises(InputError, match=message):
        methods.make(config)


def test_a_decoder_needs_sizes_that_halve_five_times():
    config = config_of("rgb_autoencoder")
    config.image_size = 100
    with pytest.raises(InputError, match="100; a decoder needs a multiple of 32"):
        methods.make(config)


def test_methods_are_named():
    config = config_of("rgb:tiny")
    config.method = "voxels"
    with pytest.raises(InputError, match=r"Valid choices: .*pixel2mesh, pixel2mesh2"):
        methods.make(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.vertex_colors": True}, "vertex_colors is never trained: loss.color"),
        ({"loss.color": 1.0}, "loss.color has no effect without model.vertex_colors"),
        ({"model.decoder": "unet"}, "decoder is never trained: loss.image is 0"),
        ({"loss.depth": 1.0}, "loss.depth has no effect without model.decoder"),
        ({"loss.image_steps": 9}, "image_steps has no effect without model.decoder"),
    ],
)
def test_a_head_and_its_loss_come_together(changes, message):
    config = config_of("rgb:tiny")
    config.update_from_flattened_dict(changes)
    with pytest.raises(InputError, match=message):
        methods.make(config)


@pytest.mark.parametrize("name", ["rgb_resnet18", "rgbd_pixel2mesh_r50"])
@pytest.mark.parametrize("setting", ["prediction", "vertex_colors", "decoder"])
def test_settings_without_effect_are_refused(name, setting):
    config = config_of(name)
    config.model[setting] = "anything"
    with pytest.raises(InputError, match=f"unknown: {setting}. It has"):
        methods.make(config)
