"""What vertices are told of a view, and how they go along their rays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import camera, sight, templates
from pixel2mesh_jax.models import view_features
from tests.views_of_solids import CENTER, SOLIDS, see

BALL = templates.icosphere(2, 1, 0.2, tuple(CENTER))
features = jax.jit(view_features.features)
anchored = jax.jit(view_features.anchored)
make_view = jax.jit(view_features.make_view)
FACES = np.asarray(BALL.levels[0].faces)


@pytest.fixture(scope="module")
def looked_at():
    one = see(SOLIDS["sphere"])
    return tuple(array[None] for array in one[:3])


@pytest.fixture(scope="module")
def view(looked_at):
    return make_view(*looked_at)


def batched(vertices):
    return jnp.asarray(vertices)[:, None]


def test_a_vertex_on_the_visible_side_has_no_residual_and_faces_the_camera(view):
    found = np.asarray(features(batched(BALL.vertices), FACES, view))
    residual, outline, known, facing = found[:, 0, [0, 1, 4, 8]].T
    front = facing < -0.6
    assert 10 < front.sum() < len(facing) / 2
    np.testing.assert_allclose(residual[front], 0, atol=0.1)  # 1 cm
    assert np.all(known[front] == 1)
    assert np.all(outline[front] < 0)
    assert np.all(residual[facing > 0.6] < -1)  # 10 cm behind what is seen


def test_features_are_told_and_not_learned_through(view):
    total = lambda v: jnp.sum(features(v, FACES, view))  # noqa: E731
    assert not np.any(jax.grad(total)(batched(BALL.vertices)))


def test_meshes_of_their_own_faces_are_told_the_same(looked_at):
    """A ball and a part of it, side by side and each alone."""
    view = make_view(*(np.concatenate([x, x]) for x in looked_at))
    vertices = jnp.tile(batched(BALL.vertices), (1, 2, 1))
    part = np.where(np.arange(len(FACES))[:, None] < 100, FACES, 0)
    both = np.asarray(features(vertices, jnp.asarray([FACES, part]), view))
    for number, faces in enumerate((FACES, part)):
        alone = features(vertices, faces, view)[:, number]
        np.testing.assert_allclose(both[:, number], alone, rtol=1e-5, atol=1e-6)
    assert np.abs(both[:, 0] - both[:, 1]).max() > 0.1


def test_a_sure_anchor_ends_on_the_surface_and_stays_on_its_pixel(view):
    vertices = batched(BALL.vertices * np.float32(0.9))
    sure = jnp.full(vertices.shape[:2], 50.0)
    moved = anchored(vertices, sure, view)[:, 0]
    maps, intrinsics = jax.tree.map(lambda x: x[0], view)
    found = sight.look_up(moved, maps, intrinsics)
    np.testing.assert_allclose(found.residual, 0, atol=1e-4)
    before, after = (camera.project(x, intrinsics) for x in (vertices[:, 0], moved))
    np.testing.assert_allclose(before, after, atol=1e-3)


def test_without_depth_an_anchor_moves_nothing(looked_at):
    depth, mask, intrinsics = looked_at
    blind = make_view(0 * depth, mask, intrinsics)
    vertices = batched(BALL.vertices)
    sure = jnp.full(vertices.shape[:2], 50.0)
    np.testing.assert_array_equal(anchored(vertices, sure, blind), vertices)


def test_a_placed_template_stands_where_the_object_is(looked_at):
    vertices = templates.ellipsoid(12, 1).vertices
    origin, placed = view_features.placed(vertices, *looked_at)
    assert origin.shape == (1, 1, 3)
    middle = (placed.min(axis=0) + placed.max(axis=0)) / 2
    np.testing.assert_allclose(middle, origin[0], atol=1e-5)
    # Of a ball less than half is seen: the guess of its depth is too small.
    assert np.linalg.norm(middle[0] - CENTER) < 0.1


def test_vertices_behind_the_camera_have_finite_gradients(view):
    vertices = batched(BALL.vertices * np.float32([1, 1, -1]))
    half = jnp.zeros(vertices.shape[:2])
    total = lambda v: jnp.sum(anchored(v, half, view) ** 2)  # noqa: E731
    assert np.isfinite(jax.grad(total)(vertices)).all()
    assert np.isfinite(features(vertices, FACES, view)).all()
