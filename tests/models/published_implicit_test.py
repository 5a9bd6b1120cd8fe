"""Both published networks of seed 004, weights in through the importer."""

import functools
import re
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import implicit as experiment
from pixel2mesh_jax import methods
from pixel2mesh_jax.geometry import camera, cube
from pixel2mesh_jax.losses.implicit import ImplicitWeights, implicit_terms
from pixel2mesh_jax.models import implicit
from pixel2mesh_jax.structures import FieldOutputs
from pixel2mesh_jax.weights.importing import FORMATS, check_settings, import_weights
from tests import named_tensors
from tests.weights import published_files

pytestmark = [pytest.mark.data, pytest.mark.slow]

SIZE, VOXELS, FOCAL = 224, 32, 245.0
NETWORKS = {
    "mfprn_pixelaligned_head": ("mfprn", "head"),
    "mfprn_simplenetwork": ("mfprn_report", "code"),
}
CUBE = cube.Cube(np.zeros((2, 3), np.float32), np.ones(2, np.float32))


def ask(module, batch, positions, uv, train=False):
    """The field at points whose pixels are known, and the features it is made of."""
    code = module.encode(batch, train)
    image = implicit.features_of_maps(code.maps, uv)
    grid = implicit.features_of_grids(code.grids, positions)
    found = module.decode(code, positions, uv)
    return found, (image, code.summary[0], grid, module.fourier(positions))


@pytest.fixture(params=NETWORKS)
def network(request, data_dir, tmp_path):
    recorded = named_tensors.Recorded(data_dir, request.param)
    form, decoder = NETWORKS[request.param]
    config = experiment.get_config(decoder)
    grid = np.moveaxis(voxels(recorded.seed), 1, -1)
    method = methods.make(config)
    model = method.model.clone(given=lambda batch: (CUBE, grid))
    batch = method.example_batch(2)._replace(
        rgb=named_tensors.image(recorded.seed, 2, SIZE)
    )
    positions, uv = recorded["points"], pixels(recorded)
    init = functools.partial(model.init, method=ask)
    shapes = jax.eval_shape(init, jax.random.key(0), batch, positions, uv)
    empty = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    path = published_files.save_npz(tmp_path / "weights.npz", recorded.tensors)
    check_settings(f"{form}:{path}", flat(config))
    variables = import_weights(f"{form}:{path}", empty)
    return types.SimpleNamespace(
        recorded=recorded,
        format=FORMATS[form],
        model=model,
        variables=variables,
        arguments=(batch, positions, uv),
    )


def flat(config):
    return {f"model.{name}": value for name, value in config.model.items()}


def voxels(seed):
    shape = (2, 4, *(VOXELS,) * 3)
    values = named_tensors.random("voxels", seed).random(shape)
    mask = named_tensors.random("mask", seed).random((2, 1, *(VOXELS,) * 3)) < 0.2
    return (values * mask).astype(np.float32)


def pixels(recorded):
    """Where the points project: the frame of the recorded cameras is PyTorch3D's."""
    pose = recorded["camera"]
    points = np.einsum("bij,bnj->bni", pose[:, :3, :3], recorded["points"])
    points = camera.opengl_from_pytorch3d(points + pose[:, None, :3, 3])
    lens = np.tile(camera.pinhole(FOCAL, (SIZE - 1) / 2, (SIZE - 1) / 2), (2, 1, 1))
    return camera.project(points, lens)


def test_fields_and_features(network):
    recorded = network.recorded
    run = jax.jit(functools.partial(network.model.apply, method=ask))
    (distances, colors), seen = run(network.variables, *network.arguments)
    close = functools.partial(np.testing.assert_allclose, atol=1e-5)
    for name in ("", "_f64"):
        close(distances, recorded[f"sdf{name}"])
        close(colors, recorded[f"rgb{name}"])
    image, summary, grid, fourier = seen
    everywhere = jnp.broadcast_to(
        jax.nn.relu(summary), (*distances.shape, summary.shape[-1])
    )
    found_2d = np.concatenate([*image, everywhere], axis=-1)
    found_3d = np.concatenate(grid, axis=-1)
    close(found_2d[:, :12], recorded["features_2d"])
    close(found_3d[:, :12], recorded["features_3d"])
    close(fourier[:, :4], recorded["embedding_rows"])
    for name, found in (("2d", found_2d), ("3d", found_3d)):
        squares = np.sum(found.astype(np.float64) ** 2, axis=-1)
        expected = recorded[f"features_{name}_sumsq_per_point"]
        np.testing.assert_allclose(squares, expected, rtol=1e-4)


def test_losses_and_norms_of_gradients(network):
    recorded, batch = network.recorded, network.arguments[0]
    batch = batch._replace(
        query_distances=recorded["target_sdf"], query_colors=recorded["target_rgb"]
    )

    def total(params):
        variables = {**network.variables, "params": params}
        (distances, colors), _ = network.model.apply(
            variables, *network.arguments, method=ask
        )
        found = FieldOutputs(distances, colors, jnp.ones(2))
        terms = implicit_terms(found, batch, ImplicitWeights())
        return sum(terms.values()), terms

    differentiate = jax.jit(jax.value_and_grad(total, has_aux=True))
    (loss, terms), grads = differentiate(network.variables["params"])
    first, second, expected = recorded["loss_sdf_rgb_total"]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(terms["distance"], 10 * first, rtol=1e-5)
    np.testing.assert_allclose(terms["color"], 0.5 * second, rtol=1e-5)
    norms = by_tensor(grads, network.format)
    assert not norms.keys() & set(recorded["params_without_gradient"].tolist())
    for name, norm in zip(recorded["grad_names"], recorded["grad_norms"], strict=True):
        np.testing.assert_allclose(norms[name], norm, rtol=0.02, err_msg=name)


def by_tensor(grads, form):
    """Norms of gradients under the published names."""
    norms = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(grads):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        rules = ((rule, re.fullmatch(rule.parameter, name)) for rule in form.rules)
        rule, match = next((rule, match) for rule, match in rules if match)
        norms[match.expand(rule.tensor)] = np.linalg.norm(np.asarray(leaf).ravel())
    return norms
