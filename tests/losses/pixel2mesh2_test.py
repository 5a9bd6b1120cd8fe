"""The losses of Pixel2Mesh2 against naive loops."""

import jax
import numpy as np

from pixel2mesh_jax.losses import terms as losses
from pixel2mesh_jax.losses.pixel2mesh2 import pixel2mesh2
from pixel2mesh_jax.losses.stages import FourLossWeights
from tests import oracles
from tests.cascades import random_batch, random_outputs


def test_pixel2mesh2_weighs_four_losses_per_stage():
    outputs, batch = random_outputs(1), random_batch(1)
    weights = FourLossWeights(
        chamfer=2.0,
        edge=3.0,
        normal=5.0,
        laplacian=7.0,
        normal_stages=(0.0, 0.5, 1.0),
    )
    expected = dict.fromkeys(("chamfer", "edge", "normal", "laplacian"), 0.0)
    for mesh, factor in zip(outputs.meshes, weights.normal_stages, strict=True):
        vertices, level = mesh.vertices[0], mesh.topology
        faces = np.asarray(level.faces)
        index, _ = oracles.nearest(vertices, batch.points[0])
        nearest = batch.normals[0][index]
        angle = losses.normal_angle(vertices, level, nearest)
        offsets = oracles.laplacian_coordinates(vertices, faces)
        expected["chamfer"] += 2 * oracles.chamfer(vertices, batch.points[0])
        expected["edge"] += 3 * oracles.edge_loss(vertices, faces)
        expected["normal"] += 5 * factor * angle
        expected["laplacian"] += 7 * np.mean(np.sum(offsets**2, axis=1))
    actual = jax.jit(pixel2mesh2)(outputs, batch, weights)
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(actual[name], value, rtol=1e-4)
