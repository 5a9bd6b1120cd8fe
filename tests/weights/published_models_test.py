"""Whole published networks, weights in through the importers, against their numbers.

The weights are generated under the published names and written as the programs write
them. Tolerances are those of the recorded data: vertices 10 times the rounding that the
program itself shows, gradients 2 % (their bilinear cells and ReLUs jump).
"""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import published
from pixel2mesh_jax import methods
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.losses import pixel2mesh as objectives
from pixel2mesh_jax.methods import pixel2mesh as pixel2mesh_method
from pixel2mesh_jax.models import perceptual
from pixel2mesh_jax.structures import Mesh, Outputs
from pixel2mesh_jax.weights.importing import import_weights
from tests import named_tensors
from tests.recorded_terms import stage_terms
from tests.weights import published_files

pytestmark = [pytest.mark.data, pytest.mark.slow]

SIZE = 224  # pixels
# Recorded network -> (variant of configs/published.py, its pooling in the recording).
NETWORKS = {
    "p2m_tf256": ("torch_tf", "p2m_tf"),
    "p2m_vgg192": ("torch_vgg", "p2m_torch"),
}


@pytest.fixture(params=NETWORKS)
def network(request, data_dir, tmp_path):
    return load(request.param, data_dir, tmp_path)


@functools.cache
def _loaded():
    return {}


def load(name, data_dir, folder):
    """A recorded network with its weights imported and run once per session."""
    if name not in _loaded():
        recorded = named_tensors.Recorded(data_dir, name)
        path = published_files.save_npz(folder / "weights.npz", recorded.tensors)
        network = configured(recorded, *NETWORKS[name], data_dir)
        variables = import_weights(f"pytorch:{path}", network.variables)
        outputs, seen = run(network.model, variables, network.batch, network.template)
        network.variables, network.outputs, network.seen = variables, outputs, seen
        _loaded()[name] = network
    return _loaded()[name]


def configured(recorded, variant, pooling, data_dir):
    """The model of a variant as it was recorded: own template, no normalisation."""
    config = published.get_config(variant)
    config.model.template = f"dat:{data_dir / 'shapenet_sample/info_ellipsoid.dat'}"
    config.model.pooling = pooling
    config.model.color_encoding = "unit"
    config.model.decoder = "unet_relu"
    config.loss.image = 1.0
    config.loss.image_steps = 1
    method = methods.make(config)
    model, template = method.model, method.constants
    batch = method.example_batch(int(recorded["batch"]))._replace(
        rgb=named_tensors.image(recorded.seed, int(recorded["batch"]), SIZE),
        points=recorded["gt_points"] + offset(recorded),
        normals=recorded["gt_normals"],
    )
    init = functools.partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), batch, template)
    return types.SimpleNamespace(
        recorded=recorded,
        config=config,
        model=model,
        template=template,
        batch=batch,
        variables=jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes),
    )


def offset(recorded):
    """From the frame of the recorded network to the camera frame."""
    return np.float32(recorded["mesh_pos"])


@functools.partial(jax.jit, static_argnums=0)
def run(model, variables, batch, template):
    """Outputs, and what the encoder and the graph networks return."""
    named = ("encoder", "stage1", "stage2", "stage3")
    outputs, captured = model.apply(
        variables,
        batch,
        template,
        train=False,
        capture_intermediates=lambda module, _: module.name in named,
    )
    seen = captured["intermediates"]
    hidden = [seen[name]["__call__"][0].nodes for name in named[1:]]
    return outputs, (seen["encoder"]["__call__"][0], hidden)


def test_inputs_are_the_recorded_ones(network):
    rgb, recorded = np.moveaxis(network.batch.rgb, -1, 1), network.recorded
    found = [rgb.sum(dtype=np.float64), rgb[0, 0, 0, 0], rgb[-1, -1, -1, -1]]
    found.append(rgb[0, 1, 3, SIZE - 5])
    np.testing.assert_allclose(found, recorded["image_check"], rtol=1e-7)
    points, normals = recorded["gt_points"], recorded["gt_normals"]
    sums = [points.sum(dtype=np.float64), normals.sum(dtype=np.float64)]
    np.testing.assert_allclose(
        [*sums, points.shape[1]], recorded["gt_check"], rtol=1e-6
    )
    start = np.asarray(network.template.vertices) - offset(recorded)
    np.testing.assert_allclose(start, recorded["init_pts"], atol=1e-7)
    for name, total, squares in zip(
        recorded["check_names"],
        recorded["check_sum"],
        recorded["check_sumsq"],
        strict=True,
    ):
        tensor = recorded.tensors[name].astype(np.float64)
        np.testing.assert_allclose(tensor.sum(), total, rtol=1e-9, err_msg=name)
        np.testing.assert_allclose((tensor**2).sum(), squares, err_msg=name)


def test_vertices_after_and_before_every_stage(network):
    recorded = network.recorded
    for stage, mesh in enumerate(network.outputs.meshes, start=1):
        tolerance = max(1e-5, 10 * recorded["f32_vs_f64_maxabs"][stage - 1])
        found = np.asarray(mesh.vertices) - offset(recorded)
        for name in (f"pred_coord_{stage}_f64", f"pred_coord_{stage}"):
            np.testing.assert_allclose(found, recorded[name], atol=tolerance)
    _, second, third = (
        np.asarray(mesh.rest) - offset(recorded) for mesh in network.outputs.meshes
    )
    np.testing.assert_allclose(second, recorded["before_deform_2"], atol=3e-5)
    np.testing.assert_allclose(
        third[:, 618:650], recorded["before_deform_3_new_vertices_head"], atol=3e-5
    )


def test_where_the_vertices_project(network):
    recorded = network.recorded
    center, focal = recorded["camera_c"], recorded["camera_f"][0]
    found = []
    for mesh in network.outputs.meshes:
        uv = camera.project_lines(
            mesh.vertices, np.tile(camera.pinhole(focal, *center), (2, 1, 1))
        )
        outside = np.any((uv < 0) | (uv > SIZE - 1), axis=-1)
        z = np.asarray(mesh.vertices)[..., 2]
        found.append([outside.mean(), np.mean(z > -0.05), z.max()])
    np.testing.assert_allclose(found, recorded["outside_fraction_and_zmax"], atol=1e-4)


def test_feature_maps(network):
    maps, _ = network.seen
    for number, feature_map in enumerate(maps):
        tap = np.moveaxis(np.asarray(feature_map), -1, 1)
        step = max(1, tap.shape[-1] // 7)
        np.testing.assert_allclose(
            tap[:, :6, ::step, ::step][:, :, :7, :7],
            network.recorded[f"tap{number}_slice"],
            atol=1e-5,
        )
        tap = tap.astype(np.float64)
        np.testing.assert_allclose(
            [tap.mean(), tap.std(ddof=1), np.abs(tap).max()],
            network.recorded[f"tap{number}_stats"],
            rtol=1e-5,
        )


def test_features_of_single_vertices(network):
    recorded, (maps, hidden) = network.recorded, network.seen
    rows = recorded["rows"]
    start = np.repeat(np.asarray(network.template.vertices)[rows, None], 2, axis=1)
    focal, center = pixel2mesh_method.parse_camera(network.config.model.camera)
    sample = perceptual.sampler(
        jnp.asarray(start),
        jnp.tile(camera.pinhole(focal, center, center), (2, 1, 1)),
        (SIZE, SIZE),
        network.config.model.pooling,
    )
    pooled = [sample(x) for x in maps]
    first = np.concatenate([start - offset(recorded), *pooled], axis=-1)
    np.testing.assert_allclose(
        np.moveaxis(first, 1, 0), recorded["block1_input_rows"], atol=5e-5
    )
    for stage, nodes in enumerate(hidden, start=1):
        found = np.moveaxis(np.asarray(nodes)[rows], 1, 0)
        expected = recorded[f"block{stage}_hidden_rows"]
        np.testing.assert_allclose(found, expected, atol=3e-5)


def test_reconstructed_image(network):
    recorded = network.recorded
    found = np.moveaxis(np.asarray(network.outputs.image, np.float64), -1, 1)
    np.testing.assert_allclose(
        found[:, :, :: SIZE // 8, :: SIZE // 8], recorded["reconst_slice"], atol=1e-5
    )
    np.testing.assert_allclose(found.mean(), recorded["reconst_mean"], rtol=1e-5)
    true = np.moveaxis(network.batch.rgb, -1, 1)
    entropy = -(true * np.log(found) + (1 - true) * np.log1p(-found)).mean()
    np.testing.assert_allclose(entropy, recorded["reconst_bce"], rtol=1e-5)


TERMS = ("chamfer", "edge", "laplacian", "move", "normal")


def weights_of(recorded, name):
    """Weights of the published program under the names of the objective."""
    normal, edge, laplace, move, constant, opposite, image = recorded[
        f"loss_{name}_weights"
    ]
    assert constant == 1
    assert image == 0
    return {
        "chamfer": 1.0,
        "edge": edge,
        "laplacian": laplace,
        "move": move,
        "normal": normal,
        "chamfer_opposite": opposite,
    }


@jax.jit
def weighted_terms(outputs, batch, weights):
    chosen = objectives.Pixel2MeshWeights(laplacian_stages=(0.2, 1.0, 1.0), **weights)
    terms = objectives.pixel2mesh(outputs, batch, chosen)
    return jnp.stack([terms[name] for name in TERMS])


def recorded_outputs(network):
    """The recorded vertices as if the network had just predicted them."""
    meshes = []
    for stage, mesh in enumerate(network.outputs.meshes, start=1):
        vertices = network.recorded[f"pred_coord_{stage}_f64"] + offset(
            network.recorded
        )
        if meshes:
            edges = np.asarray(meshes[-1].topology.edges)
            coarse = meshes[-1].vertices
            middles = coarse[:, edges].mean(axis=2)
            rest = np.concatenate([coarse, middles], axis=1)
        else:
            rest = np.asarray(mesh.rest)
        meshes.append(Mesh(np.float32(vertices), np.float32(rest), mesh.topology))
    return Outputs(meshes=tuple(meshes))


def test_losses(network):
    """To 1e-5 given the recorded vertices; to 1e-4 through the whole network."""
    recorded = network.recorded
    for outputs, rtol in ((recorded_outputs(network), 1e-5), (network.outputs, 1e-4)):
        for name in ("default", "resnetyml"):
            weights = weights_of(recorded, name)
            found = np.asarray(weighted_terms(outputs, network.batch, weights))
            close = functools.partial(np.testing.assert_allclose, rtol=rtol)
            close(found, recorded[f"loss_{name}_weighted"])
            factors = [weights[term] for term in TERMS]
            close(found / factors, recorded[f"loss_{name}_summary"])
            close(found.sum(), recorded[f"loss_{name}_total"])
        terms = terms_of(outputs, network.batch)
        np.testing.assert_allclose(terms, recorded["terms_f64"], rtol=rtol)
        np.testing.assert_allclose(terms, recorded["terms_f32"], rtol=3 * rtol)


def terms_of(outputs, batch):
    """Of all stages, in the order of the recordings."""
    return np.array(
        [
            stage_terms(
                stage,
                mesh.vertices,
                mesh.rest,
                batch.points,
                batch.normals,
                mesh.topology,
            )
            for stage, mesh in enumerate(outputs.meshes)
        ]
    )


def test_gradients(network):
    """Norms, first entries, and the gradient to the image."""
    recorded = network.recorded

    def total(params, rgb, weights):
        outputs = network.model.apply(
            {"params": params},
            network.batch._replace(rgb=rgb),
            network.template,
            train=False,
        )
        return weighted_terms(outputs, network.batch, weights).sum()

    differentiate = jax.jit(jax.grad(total, (0, 1)))
    for name in ("default", "resnetyml"):
        grads, to_image = differentiate(
            network.variables["params"], network.batch.rgb, weights_of(recorded, name)
        )
        for row, tensor in enumerate(recorded["grad_names"]):
            found = in_published_layout(grads, tensor)
            norm = np.linalg.norm(found)
            expected = recorded[f"grad_{name}_norm"][row]
            np.testing.assert_allclose(norm, expected, rtol=0.02, err_msg=tensor)
            if name == "default":
                first = np.pad(found.ravel()[:8], (0, max(0, 8 - found.size)))
                np.testing.assert_allclose(
                    first,
                    recorded["grad_default_first8"][row],
                    atol=0.02 * norm,
                    err_msg=tensor,
                )
        if name == "default":
            to_image = np.moveaxis(np.asarray(to_image), -1, 1)
            expected = recorded["grad_default_image_norm"]
            np.testing.assert_allclose(np.linalg.norm(to_image), expected, rtol=0.02)
            step = SIZE // 7
            np.testing.assert_allclose(
                to_image[:, :, ::step, ::step],
                recorded["grad_default_image_slice"],
                atol=2e-3 * float(expected),
            )


def in_published_layout(grads, tensor):
    """The part of a tree of parameters that a published tensor fills."""
    head, *middle, leaf = tensor.split(".")
    if head == "nn_encoder":
        value = grads["encoder"][middle[0]]
        if leaf == "bias":
            return np.asarray(value["bias"])
        return np.asarray(value["kernel"]).transpose(3, 2, 0, 1)
    names = {"weight": "neighbor", "loop_weight": "own", "bias": "bias"}
    if head == "gconv":
        return np.asarray(grads["stage3_out"][names[leaf]])
    stage = f"stage{int(middle[0]) + 1}"
    if middle[1] == "blocks":
        stack = grads[stage]["blocks"][middle[3]][names[leaf]]
        return np.asarray(stack[int(middle[2])])
    if middle[1] == "conv1":
        return np.asarray(grads[stage]["conv_in"][names[leaf]])
    last = "stage3_last" if stage == "stage3" else f"{stage}_out"
    return np.asarray(grads[last][names[leaf]])


def test_aligned_corners(data_dir, tmp_path):
    """What the program computed on the PyTorch that it was written for."""
    network = load("p2m_vgg192", data_dir, tmp_path)
    aligned = configured(network.recorded, "torch_vgg", "align_corners", data_dir)
    outputs, _ = run(aligned.model, network.variables, aligned.batch, aligned.template)
    for stage, mesh in enumerate(outputs.meshes, start=1):
        np.testing.assert_allclose(
            np.asarray(mesh.vertices) - offset(network.recorded),
            network.recorded[f"align_corners_true/pred_coord_{stage}"],
            atol=1e-4,
        )
    np.testing.assert_allclose(
        terms_of(outputs, aligned.batch),
        network.recorded["align_corners_true/terms_f32"],
        rtol=3e-4,
    )


def test_the_release_and_its_migration_are_the_same_weights(data_dir, tmp_path):
    network = load("p2m_tf256", data_dir, tmp_path)
    config = published.tensorflow()
    config.model.template = "ellipsoid"
    method = methods.make(config)
    model, template = method.model, method.constants
    init = functools.partial(model.init, train=False)
    shapes = jax.eval_shape(init, jax.random.key(0), network.batch, template)
    empty = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    variables = published_files.tensorflow_variables(network.recorded.tensors)
    assert len(variables) == 165
    path = published_files.save_npz(tmp_path / "released.npz", variables)
    imported = import_weights(f"tensorflow:{path}", empty)
    expected = {"params": dict(network.variables["params"])}
    del expected["params"]["decoder"]
    jax.tree.map(np.testing.assert_array_equal, imported, expected)
