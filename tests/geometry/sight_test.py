"""What a view says about points: solids that have a formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import camera, placement, sight, templates
from tests.views_of_solids import SIZE, SOLIDS, see

object_box = jax.jit(placement.object_box)


@pytest.fixture(scope="module", params=SOLIDS)
def view(request):
    return see(SOLIDS[request.param])


def ask(points, view):
    maps = jax.jit(sight.view_maps)(view.depth, view.mask, view.intrinsics)
    return jax.jit(sight.look_up)(points, maps, view.intrinsics)


def seen_points(view):
    inside = (view.depth > 0) & (view.mask >= 0.5)
    return camera.unproject(view.depth, view.intrinsics)[inside].astype(np.float32)


def test_what_is_seen_has_no_residual(view):
    found = ask(seen_points(view), view)
    np.testing.assert_allclose(found.residual, 0, atol=1e-6)
    assert np.all(found.known == 1)
    assert np.all(found.outline < 0)
    assert not np.any(found.towards)


@pytest.mark.parametrize("step", [-0.05, 0.1])
def test_the_residual_is_the_way_along_the_ray(view, step):
    points = seen_points(view)
    moved = points * (1 + step / points[:, 2:])  # by `step` towards the camera
    np.testing.assert_allclose(ask(moved, view).residual, step, atol=1e-5)


def test_normals_face_the_camera(view):
    points = seen_points(view)
    normal = np.asarray(ask(points, view).normal)
    length = np.linalg.norm(normal, axis=1)
    assert np.all((length < 1e-6) | (np.abs(length - 1) < 1e-5))
    assert (length > 0).mean() > 0.9
    assert np.einsum("ni,ni->n", normal, points).max() < 1e-3


def test_beside_the_object_the_nearest_pixel_of_it_counts(view):
    """The step towards it ends on the mask, and is as long as the outline is far."""
    away = np.argwhere(view.mask < 0.5)[:: 2 * SIZE + 1]
    depth = np.full((SIZE, SIZE), 0.8, np.float32)
    points = camera.unproject(depth, view.intrinsics)[tuple(away.T)]
    found = ask(points.astype(np.float32), view)
    assert np.all(found.outline > 0)
    assert np.all(found.known == 1)
    goal = points + np.column_stack([found.towards, np.zeros(len(points))])
    column, row = np.round(camera.project(goal, view.intrinsics)).astype(int).T
    assert np.all(view.mask[row, column] >= 0.5)
    pixel = 0.8 / view.intrinsics[0, 0]
    lengths = np.hypot(*np.asarray(found.towards).T)
    np.testing.assert_allclose(found.outline, lengths - pixel / 2, atol=1e-5)


def test_gradients_move_points_to_the_surface_and_to_the_outline(view):
    points = seen_points(view)[::7] * np.float32(0.9)
    maps = jax.jit(sight.view_maps)(view.depth, view.mask, view.intrinsics)

    def ahead(points):
        return jnp.sum(sight.look_up(points, maps, view.intrinsics).residual)

    np.testing.assert_allclose(
        jax.grad(ahead)(points), np.tile([0.0, 0, 1], (len(points), 1)), atol=1e-6
    )


def test_without_depth_or_object_everything_is_finite():
    intrinsics = camera.r2n2_intrinsics(8)
    nothing = np.zeros((8, 8), np.float32)
    points = np.float32([[0, 0, -0.8], [0.3, 0.2, 0.1]])
    for mask in (nothing, nothing + 1):
        maps = sight.view_maps(nothing, mask, intrinsics)
        found = sight.look_up(points, maps, intrinsics)
        assert not np.any(found.known)
        assert not np.any(found.residual)
        assert all(np.isfinite(value).all() for value in found)
    box = object_box(nothing, nothing, intrinsics)
    np.testing.assert_allclose(box.center, templates.ELLIPSOID_CENTER)
    np.testing.assert_allclose(box.half, templates.ELLIPSOID_RADII)


def test_the_box_holds_what_is_seen_and_begins_with_it(view):
    box = object_box(view.depth, view.mask, view.intrinsics)
    points = seen_points(view)
    low, high = points.min(axis=0), points.max(axis=0)
    np.testing.assert_allclose(box.center[:2], (low + high)[:2] / 2, atol=2e-3)
    np.testing.assert_allclose(2 * box.half[:2], (high - low)[:2], atol=4e-3)
    np.testing.assert_allclose(box.center[2] + box.half[2], high[2], atol=5e-3)
    assert box.center[2] - box.half[2] < low[2]


def test_without_depth_the_box_fills_the_outline(view):
    box = object_box(0 * view.depth, view.mask, view.intrinsics)
    middle = camera.project(np.asarray(box.center)[None], view.intrinsics)[0]
    rows, columns = np.nonzero(view.mask >= 0.5)
    expected = [columns.min() + columns.max(), rows.min() + rows.max()]
    np.testing.assert_allclose(2 * middle, expected, atol=0.1)
    assert 0.5 < -box.center[2] < 1.3


def test_a_placed_template_has_the_wanted_box():
    vertices = jnp.asarray(templates.ellipsoid(12, 1).vertices)
    wanted = placement.Box(jnp.array([0.1, 0.2, -0.5]), jnp.array([0.1, 0.02, 0.3]))
    placed = placement.place(vertices, placement.bounding_box(vertices), wanted)
    for found, expected in zip(placement.bounding_box(placed), wanted, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
