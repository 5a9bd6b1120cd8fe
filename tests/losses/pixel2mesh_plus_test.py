"""The objective of plus: the released terms, what is oriented, what draws nothing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import topology
from pixel2mesh_jax.losses.pixel2mesh import Pixel2MeshWeights, pixel2mesh
from pixel2mesh_jax.losses.pixel2mesh_plus import (
    Pixel2MeshPlusWeights,
    Points,
    nearest_oriented,
    pixel2mesh_plus,
)
from tests import cascades

PAIRS = [topology.face_pairs(np.asarray(x.faces)) for x in cascades.TEMPLATE.levels]
KEYS = jax.random.split(jax.random.key(0), 2)
EVERYTHING = Pixel2MeshPlusWeights(
    chamfer_root=0.02,
    orientation=0.05,
    num_samples=40,
    smooth=0.1,
    free_space=1.0,
    silhouette=1.0,
    coverage=1.0,
    rendered=1.0,
    rendered_metric=1.0,
    color=1.0,
)


@functools.cache
def compiled(weights):
    terms = functools.partial(pixel2mesh_plus, pairs=PAIRS)
    return jax.jit(lambda outputs, batch, keys: terms(outputs, batch, weights, keys))


def before_the_camera(outputs):
    """The same meshes where a camera sees them."""
    shift = jnp.array([[[-0.5, -0.5, -2.0]]])
    meshes = tuple(
        mesh._replace(vertices=mesh.vertices + shift, rest=mesh.rest + shift)
        for mesh in outputs.meshes
    )
    return outputs._replace(meshes=meshes)


def test_what_both_have_is_the_released_term():
    outputs, batch = cascades.random_outputs(2), cascades.random_batch(2)
    released = Pixel2MeshWeights(count_self_loops=False)
    expected = jax.jit(lambda *x: pixel2mesh(*x, released))(outputs, batch)
    found = compiled(Pixel2MeshPlusWeights())(outputs, batch, KEYS)
    for name in ("chamfer", "edge", "laplacian", "move"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


def test_all_terms_are_finite_with_gradients_also_without_a_view():
    outputs = before_the_camera(cascades.random_outputs(2, colors=True))
    batch = cascades.random_batch(2)  # its images are empty

    def total(vertices):
        moved = tuple(
            mesh._replace(vertices=v)
            for mesh, v in zip(outputs.meshes, vertices, strict=True)
        )
        found = compiled(EVERYTHING)(outputs._replace(meshes=moved), batch, KEYS)
        return sum(found.values()), found

    vertices = [mesh.vertices for mesh in outputs.meshes]
    (_, found), slopes = jax.value_and_grad(total, has_aux=True)(vertices)
    assert {"smooth", "coverage", "rendered", "rendered_metric", "color"} <= set(found)
    for name in ("free_space", "silhouette", "coverage", "rendered"):
        assert found[name] == 0  # an empty image asks for nothing
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_terms_of_weight_zero_are_left_out():
    weights = Pixel2MeshPlusWeights(edge=0.0, move=0.0, laplacian=0.0, normal=0.0)
    outputs, batch = cascades.random_outputs(2), cascades.random_batch(2)
    assert set(compiled(weights)(outputs, batch, KEYS)) == {"chamfer"}


def test_the_two_sides_of_a_plate_do_not_match_each_other():
    """A plate of 1 cm: the own upper side lies nearer to the true lower one."""
    grid = np.stack(np.meshgrid(*[np.linspace(0, 0.1, 4)] * 2), -1).reshape(-1, 2)
    side = lambda z: np.float32(np.column_stack([grid, np.full(16, z)]))  # noqa: E731
    up, down = (np.tile(np.float32([[0, 0, s]]), (16, 1)) for s in (1, -1))
    true = Points(np.concatenate([side(0), side(0.01)]), np.concatenate([down, up]))
    own = Points(side(0.002), up)
    near, _ = nearest_oriented(own, true, 0.0)
    assert np.all(np.asarray(near) < 16)
    oriented, _ = nearest_oriented(own, true, 0.05)
    np.testing.assert_array_equal(oriented, np.arange(16) + 16)


@pytest.mark.parametrize("num_samples", [0, 30])
def test_a_sample_of_the_batch_does_not_depend_on_the_others(num_samples):
    weights = Pixel2MeshPlusWeights(num_samples=num_samples, orientation=0.05)
    outputs, batch = cascades.random_outputs(2), cascades.random_batch(2)
    both = compiled(weights)(outputs, batch, KEYS)
    rows = [
        compiled(weights)(
            cascades.row(outputs, i), cascades.row(batch, i), KEYS[i][None]
        )
        for i in range(2)
    ]
    for name, value in both.items():
        mean = (rows[0][name] + rows[1][name]) / 2
        np.testing.assert_allclose(value, mean, rtol=1e-5)
