"""The network: shapes, invariants, and the defects that published codes had."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import templates
from pixel2mesh_jax.losses import pixel2mesh as objectives
from pixel2mesh_jax.models import encoders, pixel2mesh
from tests.batches import make_batch


def make_model(encoder=None, **options):
    encoder = encoder or encoders.Conv18(width=0.05)
    return pixel2mesh.Pixel2Mesh(
        encoder, hidden_features=8, last_features=8, num_blocks=1, **options
    )


# Float32, through some 20 layers; with random weights the vertices reach +-50.
ROUNDING = {"rtol": 1e-5, "atol": 1e-4}
SMALL = templates.ellipsoid(num_vertices=12)  # 12 -> 42 -> 162 vertices


@pytest.fixture(scope="module")
def template():
    return jax.tree.map(jnp.asarray, SMALL)


@functools.cache
def initialized(model):
    """Random variables of the right shapes, without compiling an initialiser."""
    init = functools.partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), make_batch(), SMALL)
    rng = np.random.default_rng(0)

    def fill(shape):
        noise = rng.standard_normal(shape.shape, dtype=np.float32)
        return noise / np.sqrt(np.prod(shape.shape[-2:-1]) + 1)

    return jax.tree.map(fill, shapes)


def apply(model, batch, template):
    run = jax.jit(functools.partial(model.apply, train=False))
    return run(initialized(model), batch, template)


@pytest.mark.parametrize("operator", ["chebyshev", "sum"])
@pytest.mark.parametrize("inputs", [("rgb",), ("rgb", "depth")])
def test_three_stages_of_growing_detail(operator, inputs, template):
    model = make_model(operator=operator, inputs=inputs)
    outputs = apply(model, make_batch(), template)
    assert [mesh.vertices.shape for mesh in outputs.meshes] == [
        (2, 12, 3),
        (2, 42, 3),
        (2, 162, 3),
    ]
    assert all(np.isfinite(mesh.vertices).all() for mesh in outputs.meshes)
    assert all(mesh.colors is None for mesh in outputs.meshes)


@pytest.mark.parametrize(
    ("make_encoder", "channels"),
    [
        (encoders.Conv18, (64, 128, 256, 512)),
        (encoders.ResNet18, (64, 128, 256, 512)),
        (encoders.ResNet50, (256, 512, 1024, 2048)),
    ],
)
@pytest.mark.parametrize("inputs", [1, 3, 4])
def test_encoder_pyramid(make_encoder, channels, inputs):
    image = jax.ShapeDtypeStruct((2, 224, 224, inputs), jnp.float32)
    encoder = make_encoder()
    init = functools.partial(encoder.init, train=True)
    variables = jax.eval_shape(init, jax.random.key(0), image)
    run = functools.partial(encoder.apply, train=False)
    maps = jax.eval_shape(run, variables, image)
    sides = (56, 28, 14, 7)
    expected = [(2, s, s, c) for s, c in zip(sides, channels, strict=True)]
    assert [x.shape for x in maps] == expected


def test_conv18_has_the_published_number_of_parameters():
    image = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    init = functools.partial(encoders.Conv18().init, train=True)
    variables = jax.eval_shape(init, jax.random.key(0), image)
    assert sum(x.size for x in jax.tree.leaves(variables)) == 12_843_632


@pytest.mark.parametrize(
    ("hidden", "last", "expected"), [(192, 192, 3_995_913), (256, 128, 6_539_401)]
)
def test_graph_network_has_the_published_number_of_parameters(hidden, last, expected):
    model = pixel2mesh.Pixel2Mesh(
        encoders.Conv18(),
        inputs=("rgb",),
        hidden_features=hidden,
        last_features=last,
    )
    init = functools.partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), make_batch(batch_size=1), SMALL)
    params = dict(shapes["params"])
    del params["encoder"]
    assert sum(x.size for x in jax.tree.leaves(params)) == expected


def test_every_parameter_gets_a_gradient_from_every_stage(template):
    """peterjheile/Pixel2Mesh2 trained only the encoder of its network."""
    model, batch = make_model(), make_batch()

    def stage_sum(params, stage):
        outputs = model.apply({"params": params}, batch, template, train=True)
        weights = jnp.sin(jnp.arange(outputs.meshes[stage].vertices.size))
        return jnp.sum(outputs.meshes[stage].vertices.ravel() * weights)

    params = initialized(model)["params"]
    for stage in range(3):
        grads = jax.jit(jax.grad(stage_sum), static_argnums=1)(params, stage)
        for path, grad in jax.tree_util.tree_leaves_with_path(grads):
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            later = name.startswith(tuple(f"stage{s + 1}" for s in range(stage + 1, 3)))
            own_output = f"stage{stage}_out" in name and "bias" in name
            assert own_output or bool(jnp.any(grad != 0)) != later, (stage, name)


def test_a_batch_of_two_equals_two_batches_of_one(template):
    model, batch = make_model(), make_batch()
    together = apply(model, batch, template).meshes[-1].vertices
    for row in range(2):
        single = jax.tree.map(lambda x, row=row: x[row : row + 1], batch)
        alone = apply(model, single, template).meshes[-1].vertices
        np.testing.assert_allclose(together[row], alone[0], **ROUNDING)


def test_pooling_follows_the_camera_of_each_sample(template):
    batch = make_batch()
    shifted = batch.intrinsics.copy()
    shifted[1, 0, 2] += 5
    model = make_model()
    same = apply(model, batch, template).meshes[-1].vertices
    moved = apply(model, batch._replace(intrinsics=shifted), template)
    np.testing.assert_allclose(moved.meshes[-1].vertices[0], same[0], **ROUNDING)
    assert np.abs(moved.meshes[-1].vertices[1] - same[1]).max() > 1e-4


def test_depth_reaches_the_network(template):
    model, batch = make_model(inputs=("rgb", "depth")), make_batch()
    other = batch._replace(depth=batch.depth[:, ::-1])
    a = apply(model, batch, template).meshes[-1].vertices
    b = apply(model, other, template).meshes[-1].vertices
    assert np.abs(a - b).max() > 1e-5


def test_offsets_start_from_the_template(template):
    model = make_model(prediction="offsets")
    variables = jax.tree.map(jnp.zeros_like, initialized(model))
    outputs = model.apply(variables, make_batch(), template, train=False)
    start = templates.finest_vertices(SMALL)
    np.testing.assert_allclose(outputs.meshes[-1].vertices[0], start, atol=1e-6)


def test_color_head_predicts_and_learns_colors(template):
    model, batch = make_model(vertex_colors=True), make_batch()
    weights = objectives.Pixel2MeshWeights(color=1.0)

    def color_term(params):
        outputs = model.apply({"params": params}, batch, template, train=True)
        assert outputs.meshes[-1].colors.shape == (2, 162, 3)
        return objectives.pixel2mesh(outputs, batch, weights)["color"]

    value, grads = jax.jit(jax.value_and_grad(color_term))(initialized(model)["params"])
    assert 0 < float(value) < 3
    assert float(jnp.abs(grads["stage3_out"]["own"][:, 3:]).max()) > 0


def test_bfloat16_stays_close_and_returns_float32(template):
    exact = apply(make_model(), make_batch(), template).meshes[-1].vertices
    encoder = encoders.Conv18(width=0.05, dtype=jnp.bfloat16)
    model = make_model(encoder, dtype=jnp.bfloat16)
    rough = apply(model, make_batch(), template).meshes[-1].vertices
    assert rough.dtype == jnp.float32
    assert np.abs(rough - exact).mean() < 0.05 * np.std(exact)


def test_resnet_updates_its_statistics(template):
    encoder = encoders.ResNet18(width=1 / 16)
    model, batch = make_model(encoder), make_batch()
    variables = initialized(model)
    _, updated = jax.jit(
        functools.partial(model.apply, train=True, mutable=["batch_stats"])
    )(variables, batch, template)
    before = jax.tree.leaves(variables["batch_stats"])
    after = jax.tree.leaves(updated["batch_stats"])
    assert all(np.any(a != b) for a, b in zip(before, after, strict=True))
