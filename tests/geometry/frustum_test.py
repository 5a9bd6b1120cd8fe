"""The view volume: where it stands, what its rays see, solids that have a formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import camera, frustum
from tests.views_of_solids import SIZE, SOLIDS, see

R = 32  # rays and layers


@pytest.fixture(scope="module", params=SOLIDS)
def view(request):
    return see(SOLIDS[request.param])


def volume_of(view):
    return frustum.view_volume(view.depth, view.mask, view.intrinsics)


def look(view, volume):
    rgb = np.repeat(view.mask[..., None], 3, axis=-1)
    return jax.jit(frustum.look, static_argnums=(5, 6))(
        rgb, view.depth, view.mask, view.intrinsics, volume, R, R
    )


def test_volume_holds_what_is_seen(view):
    volume = volume_of(view)
    points = camera.unproject(view.depth, view.intrinsics)[view.depth > 0]
    index = frustum.index_of_points(points, volume, R, R)
    assert (index > -0.5).all()
    assert (index < R - 0.5).all()
    assert 0 < index[:, 2].min() < 2  # it begins a little before the surface


@pytest.mark.parametrize("factor", [1000.0, 0.01])
def test_volume_follows_the_unit_of_the_depth_map(view, factor):
    """Millimetres give the grid of metres, a thousand times as large."""
    metres = volume_of(view)
    other = volume_of(view._replace(depth=view.depth * np.float32(factor)))
    np.testing.assert_allclose(other.center, metres.center, rtol=1e-6)
    np.testing.assert_allclose(other.size, metres.size, rtol=1e-6)
    np.testing.assert_allclose(other.near, metres.near * factor, rtol=1e-5)
    np.testing.assert_allclose(other.extent, metres.extent * factor, rtol=1e-4)


def test_volume_is_the_same_in_numpy_and_jax(view):
    arrays = (view.depth, view.mask, view.intrinsics)
    compiled = jax.jit(frustum.view_volume)(*arrays)
    for one, other in zip(compiled, frustum.view_volume(*arrays), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_few_flying_pixels_do_not_move_the_volume(view):
    depth = view.depth.copy()
    first = tuple(np.argwhere(depth > 0)[0])
    depth[first] = 0.1
    moved = volume_of(view._replace(depth=depth))
    np.testing.assert_allclose(moved.near, volume_of(view).near, atol=0.01)


def test_empty_views_have_a_volume():
    nothing = np.zeros((SIZE, SIZE), np.float32)
    volume = frustum.view_volume(nothing, nothing, camera.r2n2_intrinsics(SIZE))
    assert np.isfinite(frustum.pack(volume)).all()
    assert volume.near > 0
    assert volume.extent > 0


def test_mask_without_depth_has_a_volume(view):
    blind = volume_of(view._replace(depth=np.zeros_like(view.depth)))
    seen = volume_of(view)
    np.testing.assert_allclose(blind.size, seen.size)
    ratio = blind.extent / (blind.size * blind.near)
    np.testing.assert_allclose(ratio, frustum.DEFAULT_EXTENT, rtol=1e-6)


def test_index_and_points_are_inverse(view):
    volume = frustum.unpack(frustum.pack(volume_of(view)).astype(np.float64))
    index = np.random.default_rng(0).uniform(-0.5, R - 0.5, (200, 3))
    points = frustum.points_of_index(index, volume, R, R)
    back = frustum.index_of_points(points, volume, R, R)
    np.testing.assert_allclose(back, index, atol=1e-9)


def test_cells_are_where_their_index_says(view):
    volume = frustum.unpack(frustum.pack(volume_of(view)).astype(np.float64))
    index = np.stack(np.indices((R, R, R)), axis=-1).reshape(-1, 3).astype(float)
    points = frustum.points_of_index(index, volume, R, R)
    cells = frustum.cell_points(volume, R, R).reshape(-1, 3)
    np.testing.assert_allclose(points, cells, atol=1e-9)


def test_rays_see_the_surface(view):
    """Depths of rays lie on the solid, within half a pixel of a slanted surface."""
    volume = volume_of(view)
    seen = look(view, volume)
    tangents = frustum.ray_tangents(volume, R)
    rays = np.concatenate([tangents, -np.ones((R, R, 1))], axis=-1)
    points = (rays * np.asarray(seen.depth)[..., None])[np.asarray(seen.depth) > 0]
    pixel = 0.8 / view.intrinsics[0, 0]
    assert np.abs(view.distance(points)).max() < pixel
    assert np.median(np.abs(view.distance(points))) < 0.1 * pixel


def test_nothing_solid_is_called_empty(view):
    """Up to half a ray, by which the outline on R rays may be off."""
    volume = volume_of(view)
    base = np.asarray(frustum.base_field(look(view, volume), volume, R))
    cell = float(frustum.thickness(volume, R))
    true = view.distance(frustum.cell_points(volume, R, R)) / cell
    ray = float(volume.size * volume.near) / R / cell
    assert true[base > 0].min() > -ray / 2 - 0.1


def test_base_field_is_exact_on_the_visible_surface(view):
    """Half of the cells near what is seen have their distance to a tenth of a cell."""
    volume = volume_of(view)
    seen = look(view, volume)
    base = np.asarray(frustum.base_field(seen, volume, R))
    cell = float(frustum.thickness(volume, R))
    true = view.distance(frustum.cell_points(volume, R, R)) / cell
    ahead = np.asarray(seen.depth)[..., None] - frustum.layer_depths(volume, R)
    near = (np.asarray(seen.depth)[..., None] > 0) & (np.abs(ahead) < cell / 2)
    assert np.median(np.abs(base - true)[near]) < 0.1


def test_holes_are_unknown_and_not_empty(view):
    depth = view.depth.copy()
    row, column = np.argwhere(depth > 0)[len(np.argwhere(depth > 0)) // 2]
    depth[row - 6 : row + 7, column - 6 : column + 7] = 0
    volume = volume_of(view)
    whole, holed = (
        np.asarray(frustum.base_field(look(v, volume), volume, R))
        for v in (view, view._replace(depth=depth))
    )
    lost = np.asarray(look(view._replace(depth=depth), volume).depth) == 0
    lost &= np.asarray(look(view, volume).depth) > 0
    assert lost.sum() > 4
    assert (holed[lost] <= whole[lost] + 1e-6).all()
    assert (holed[lost] < whole[lost] - 0.5).any()


def test_outline_distance_against_all_pairs():
    rng = np.random.default_rng(0)
    mask = (rng.random((12, 12)) < 0.3).astype(np.float32)
    places = np.stack(np.indices(mask.shape), axis=-1).reshape(-1, 2)
    away = np.linalg.norm(places[:, None] - places, axis=-1)
    covered = mask.ravel() > 0
    outside = away[:, covered].min(axis=1) - 0.5
    inside = away[:, ~covered].min(axis=1) - 0.5
    expected = np.where(covered, -inside, outside).reshape(mask.shape)
    found = frustum.outline_distance(jnp.asarray(mask), reach=12)
    # Beyond the border nothing is known to be empty or covered.
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_half_covered_pixels_lie_on_the_outline():
    mask = jnp.asarray(np.repeat([[1, 1, 1, 0.5, 0, 0, 0]], 7, axis=0), jnp.float32)
    row = frustum.outline_distance(mask, reach=5)[3]
    np.testing.assert_allclose(row, [-3, -2, -1, 0, 1, 2, 3], atol=0.51)
    np.testing.assert_allclose(row[3], 0, atol=1e-6)
