"""The refinement of Mesh R-CNN on a sphere: recorded numbers, invariants, gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import camera, graph, templates, topology
from pixel2mesh_jax.models import encoders, pixel2mesh, refinement
from pixel2mesh_jax.structures import Template
from tests import named_tensors
from tests.batches import SIZE, make_batch
from tests.models.published_options_test import Patches

SMALL = templates.icosphere(0)  # 12 -> 42 -> 162 vertices
# ImageNet, as in torchvision.
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def make_model(**options):
    head = refinement.RefinementHead(features=8, num_convs=2, **options)
    return refinement.MeshRefinement(Patches(), head)


@functools.cache
def initialized(model):
    init = functools.partial(model.init, train=False)
    return jax.jit(init)(jax.random.key(0), make_batch(), SMALL)


def noisy(variables, scale=0.03):
    """Variables without a zero among them."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda x: x + scale * rng.standard_normal(x.shape, np.float32), variables
    )


def apply(model, variables, batch=None, template=SMALL):
    run = jax.jit(functools.partial(model.apply, train=False))
    return run(variables, batch or make_batch(), template).meshes


@pytest.mark.parametrize("residual", [False, True])
def test_an_untrained_head_leaves_the_sphere_alone(residual):
    model = make_model(residual=residual)
    meshes = apply(model, initialized(model))
    assert [mesh.vertices.shape[1] for mesh in meshes] == [12, 42, 162]
    for mesh in meshes:
        np.testing.assert_array_equal(mesh.vertices, mesh.rest)
    expected = templates.finest_vertices(SMALL)
    np.testing.assert_allclose(meshes[-1].vertices[0], expected, atol=1e-6)


@pytest.mark.parametrize("residual", [False, True])
def test_every_parameter_gets_a_gradient_through_the_last_stage(residual):
    model, batch = make_model(residual=residual), make_batch()

    def height(params):
        outputs = model.apply({"params": params}, batch, SMALL, train=True)
        return jnp.sum(outputs.meshes[-1].vertices[..., 1] ** 2)

    grads = jax.jit(jax.grad(height))(noisy(initialized(model)["params"], 0.01))
    silent = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(grads)
        if not np.abs(leaf).max() > 0
    ]
    assert silent == []


@pytest.mark.parametrize("residual", [False, True])
def test_a_stage_does_not_know_how_the_vertices_are_numbered(residual):
    stage = refinement.RefinementStage(
        8, 2, residual, "align_corners_zeros", jnp.float32
    )
    rng = np.random.default_rng(0)
    ndc = rng.uniform(-0.9, 0.9, (12, 2, 3)).astype(np.float32)
    maps = [rng.standard_normal((2, s, s, 3)).astype(np.float32) for s in (8, 4)]
    level = SMALL.levels[0]
    order = rng.permutation(12)
    renumbered = topology.make_topology(np.argsort(order).astype("i4")[level.faces])
    args = graph.mesh_graph(level), ndc, None, maps, (SIZE, SIZE)
    variables = noisy(stage.init(jax.random.key(0), *args))
    offset, hidden = stage.apply(variables, *args)
    permuted_offset, permuted_hidden = stage.apply(
        variables, graph.mesh_graph(renumbered), ndc[order], None, maps, (SIZE, SIZE)
    )
    np.testing.assert_allclose(permuted_offset, offset[order], atol=1e-5)
    np.testing.assert_allclose(permuted_hidden, hidden[order], atol=1e-5)
    assert np.abs(offset).max() < 1
    assert np.std(offset, axis=0).min() > 1e-5


def test_samples_of_a_batch_do_not_meet():
    model, batch = make_model(), make_batch()
    variables = noisy(initialized(model))
    together = apply(model, variables, batch)[-1].vertices
    for row in range(2):
        single = jax.tree.map(lambda x, row=row: x[row : row + 1], batch)
        alone = apply(model, variables, single)[-1].vertices
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-5, atol=1e-5)


def test_linear_layer_on_the_maps_is_the_layer_on_the_sampled_features():
    rng = np.random.default_rng(0)
    maps = [
        rng.standard_normal((2, s, s, c)).astype(np.float32)
        for s, c in ((8, 3), (4, 5))
    ]
    ndc = rng.uniform(-1.3, 1.3, (30, 2, 3)).astype(np.float32)

    def feature(channels, pooling):
        layer = refinement.VertexAlignment(channels, pooling, jnp.float32)
        return layer, layer.init(jax.random.key(0), maps, ndc, (SIZE, SIZE))

    for pooling in refinement.POOLINGS:
        identity, shapes = feature(8, pooling)
        sampled = identity.apply(
            jax.tree.map(jnp.zeros_like, shapes)
            | {"params": {"kernel": jnp.eye(8), "bias": jnp.zeros(8)}},
            maps,
            ndc,
            (SIZE, SIZE),
        )
        layer, variables = feature(6, pooling)
        variables = noisy(variables)
        direct = layer.apply(variables, maps, ndc, (SIZE, SIZE))
        params = variables["params"]
        np.testing.assert_allclose(
            direct, sampled @ params["kernel"] + params["bias"][None, None], atol=1e-5
        )


def test_poolings_differ_and_unknown_ones_do_not_exist():
    model = make_model()
    variables = noisy(initialized(model))
    published = apply(model, variables)[-1].vertices
    half_pixel = apply(make_model(pooling="half_pixel"), variables)[-1].vertices
    assert np.abs(published - half_pixel).max() > 1e-4
    assert set(refinement.POOLINGS) == {"align_corners_zeros", "half_pixel"}


# Recorded numbers of facebookresearch/meshrcnn.


def head_parameters(tensors, prefix=""):
    """Published names -> the parameters of the three stages."""
    return {
        f"stage{stage + 1}": _stage_parameters(tensors, f"{prefix}stages.{stage}.")
        for stage in range(3)
    }


def _stage_parameters(tensors, prefix):
    def linear(name):
        weight, bias = (
            tensors[f"{prefix}{name}.weight"],
            tensors[f"{prefix}{name}.bias"],
        )
        return weight.T, bias

    def conv(index):
        own, bias = linear(f"gconvs.{index}.w0")
        neighbor, neighbor_bias = linear(f"gconvs.{index}.w1")
        return {
            "own": own,
            "bias": bias,
            "neighbor": neighbor,
            "neighbor_bias": neighbor_bias,
        }

    return {
        "align": dict(zip(("kernel", "bias"), linear("bottleneck"), strict=True)),
        "offset": dict(zip(("kernel", "bias"), linear("vert_offset"), strict=True)),
        **{f"conv{index + 1}": conv(index) for index in range(3)},
    }


def recorded_maps(recorded):
    """Feature maps (N, S, S, C) of the recorded meshes, fine to coarse."""
    sizes = zip(recorded["feat_channels"], recorded["feat_sizes"], strict=True)
    maps = [
        named_tensors.random(f"feat{k}", recorded.seed).standard_normal((2, c, s, s))
        for k, (c, s) in enumerate(sizes)
    ]
    return [np.abs(np.moveaxis(x, 1, -1)).astype(np.float32) for x in maps]


def at_the_border(vertices, intrinsics):
    """Vertices on the border of the image, where the derivative jumps."""
    ndc = camera.project_ndc(vertices, intrinsics, (SIZE, SIZE))
    return np.any(np.abs(np.abs(ndc[:, :2]) - 1) < 1e-5, axis=1)


def recorded_run(recorded, mesh, params, maps):
    """Vertices after each stage, and the gradients of the recorded combination.

    The head runs on one of the two meshes of the oracle, without subdivision.
    """
    start = recorded[f"in/verts{mesh}"]
    level = topology.make_topology(recorded[f"in/faces{mesh}"])
    intrinsics = camera.r2n2_intrinsics(SIZE)[None]
    rows = slice(0, len(start)) if mesh == 0 else slice(-len(start), None)
    total = len(recorded["grad_in_verts"])
    cotangents = [
        named_tensors.random(f"cot{stage}", recorded.seed).standard_normal((total, 3))
        for stage in range(3)
    ]

    def combination(params, vertices, sample_maps):
        template = Template(vertices, (level,) * 3)
        outputs = refinement.RefinementHead().apply(
            {"params": params}, sample_maps, template, intrinsics, (SIZE, SIZE)
        )
        found = [mesh.vertices[0] for mesh in outputs.meshes]
        weighted = [
            jnp.sum(vertices * cotangent[rows].astype(np.float32))
            for vertices, cotangent in zip(found, cotangents, strict=True)
        ]
        return sum(weighted), found

    grad = jax.jit(jax.grad(combination, argnums=(0, 1, 2), has_aux=True))
    grads, found = grad(params, start, [x[mesh : mesh + 1] for x in maps])
    smooth = ~at_the_border(start, intrinsics[0])
    expected = recorded["grad_in_verts"][rows][smooth]
    np.testing.assert_allclose(grads[1][smooth], expected, rtol=1e-3, atol=1e-3)
    return found, grads


@pytest.mark.data
def test_vertices_and_gradients_of_the_published_head(data_dir):
    recorded = named_tensors.Recorded(data_dir, "mrcnn_refine")
    params, maps = head_parameters(recorded.tensors), recorded_maps(recorded)
    grads = []
    for mesh in range(2):
        found, grad = recorded_run(recorded, mesh, params, maps)
        grads.append(grad)
        for stage, vertices in enumerate(found):
            expected = recorded[f"stage{stage + 1}/verts{mesh}"]
            np.testing.assert_allclose(vertices, expected, atol=1e-5)
    norms = jax.tree.map(lambda a, b: np.linalg.norm(a + b), grads[0][0], grads[1][0])
    published = zip(recorded["grad_names"], recorded["grad_norms"], strict=True)
    expected = head_parameters({name: np.array(norm) for name, norm in published})
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-3), norms, expected
    )
    map_norms = [
        np.hypot(*map(np.linalg.norm, pair))
        for pair in zip(grads[0][2], grads[1][2], strict=True)
    ]
    np.testing.assert_allclose(map_norms, recorded["grad_feat_norms"], rtol=1e-3)


def resnet_variables(tensors):
    """Published names of the backbone -> parameters and running statistics."""
    params, stats = {}, {}
    for name, value in tensors.items():
        if not name.startswith("backbone."):
            continue
        *layer, kind = name.removeprefix("backbone.").split(".")
        place = _resnet_layer(layer)
        if value.ndim == 4:
            _put(params, [*place, "kernel"], np.transpose(value, (2, 3, 1, 0)))
        elif kind.startswith("running_"):
            _put(stats, [*place, kind.removeprefix("running_")], value)
        else:
            _put(params, [*place, {"weight": "scale"}.get(kind, kind)], value)
    return {"params": params, "batch_stats": stats}


def _resnet_layer(layer):
    """["stage1", "0", "downsample", "1"] -> ["layer1_0", "downsample_bn"], ..."""
    pair = {"0": "conv", "1": "bn"}
    if layer[0] == "stem":
        return [f"{pair[layer[1]]}1"]
    block = f"{layer[0].replace('stage', 'layer')}_{layer[1]}"
    if layer[2] == "downsample":
        return [block, f"downsample_{pair[layer[3]]}"]
    return [block, layer[2]]


def _put(tree, path, value):
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


@functools.cache
def resnet50():
    return jax.jit(functools.partial(encoders.ResNet50().apply, train=False))


@functools.cache
def published_head():
    return jax.jit(refinement.RefinementHead().apply, static_argnums=4)


def published_sphere(monkeypatch, subdivisions):
    """The unit sphere around the camera; PyTorch3D rounds the icosahedron."""
    rounded = np.round(templates.icosahedron(), 4)
    monkeypatch.setattr(templates, "icosahedron", lambda: rounded)
    levels = 3 if subdivisions == 2 else 1
    return templates.icosphere.__wrapped__(subdivisions, levels, 1.0, (0.0, 0.0, 0.0))


@pytest.mark.data
@pytest.mark.parametrize("name", ["mrcnn_pixel2mesh", "mrcnn_sphereinit"])
def test_the_published_model_from_the_image_to_the_mesh(data_dir, name, monkeypatch):
    recorded = named_tensors.Recorded(data_dir, name)
    size = int(recorded["image_size"])
    image = (named_tensors.image(recorded.seed, 1, size) - MEAN) / STD
    maps = resnet50()(resnet_variables(recorded.tensors), image)
    for index, feature_map in enumerate(maps):
        mean, std, cells = recorded[f"backbone{index}_stats"]
        assert feature_map.shape[1] == cells
        np.testing.assert_allclose(np.mean(feature_map), mean, rtol=1e-5)
        np.testing.assert_allclose(np.std(feature_map, ddof=1), std, rtol=1e-5)

    template = published_sphere(monkeypatch, int(recorded["ico_sphere_level"]))
    if name == "mrcnn_sphereinit":
        template = template._replace(levels=template.levels * 3)
    params = head_parameters(recorded.tensors, prefix="mesh_head.")
    intrinsics = camera.r2n2_intrinsics(size)[None]
    outputs = published_head()(
        {"params": params}, maps, template, intrinsics, (size, size)
    )
    for stage, mesh in enumerate(outputs.meshes):
        expected = recorded[f"stage{stage + 1}/verts0"]
        np.testing.assert_allclose(
            mesh.vertices[0, : len(expected)], expected, atol=1e-5
        )


def test_imagenet_colors_are_standardised_and_depth_is_left_alone():
    batch = make_batch()
    encoded = pixel2mesh.network_input(
        batch, ("rgb", "depth"), "disparity", color_encoding="imagenet"
    )
    plain = pixel2mesh.network_input(batch, ("rgb", "depth"), "disparity")
    np.testing.assert_allclose(encoded[..., :3], (batch.rgb - MEAN) / STD, rtol=1e-5)
    np.testing.assert_array_equal(encoded[..., 3], plain[..., 3])
    np.testing.assert_array_equal(plain[..., :3], batch.rgb)
