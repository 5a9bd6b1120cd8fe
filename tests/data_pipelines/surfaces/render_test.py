"""Images and samples against closed forms and against each other."""

import numpy as np
import pytest
import scipy.stats
import trimesh

from data_pipelines.surfaces import render
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import dat, images, meshes

SIZE = 64
INTRINSICS = camera.r2n2_intrinsics(SIZE)
VIEWPOINT = render.Viewpoint(azimuth=35.0, elevation=28.0, distance=0.8)


def box_surface(color=(200, 40, 90)):
    mesh = trimesh.creation.box((1, 0.6, 0.8))
    mesh.visual.face_colors = np.tile([*color, 255], (12, 1))
    return meshes.normalize(meshes.surface_from_mesh(mesh))


def distance_to_box(points, surface):
    """Distance of points to the surface of an axis-aligned box around the origin."""
    outside = np.abs(points) - surface.vertices.max(axis=0)
    return np.abs(
        np.linalg.norm(np.maximum(outside, 0), axis=-1)
        + np.minimum(outside.max(axis=-1), 0)
    )


def to_object(points, viewpoint):
    """Camera frame -> object frame."""
    inverse = np.linalg.inv(camera.camera_from_object(*viewpoint))
    return camera.transform_points(points, inverse)


def composite(view):
    alpha = view.rgba[..., 3:] / 255
    return view.rgba[..., :3] * alpha + 255 * (1 - alpha)


def test_unprojected_depth_lies_on_the_surface():
    surface = box_surface()
    view = render.render(surface, VIEWPOINT, INTRINSICS, SIZE)
    points = camera.unproject(view.depth, INTRINSICS)[view.depth > 0]
    distance = distance_to_box(to_object(points, VIEWPOINT), surface)
    assert len(points) > 300
    assert distance.max() < 1e-6


def test_depth_is_along_the_axis_not_along_the_ray():
    """A wall that faces the camera has one depth in all pixels."""
    mesh = trimesh.creation.box((8, 8, 0.001))
    surface = meshes.surface_from_mesh(mesh)
    front = render.Viewpoint(azimuth=90.0, elevation=0.0, distance=1.0)  # on +z
    view = render.render(surface, front, INTRINSICS, SIZE)
    np.testing.assert_allclose(view.depth, 1 - 0.0005, rtol=1e-6)
    assert (view.rgba[..., 3] == 255).all()


def test_alpha_is_the_coverage():
    """A half plane whose border crosses pixels: the sum of alpha is its area."""
    mesh = trimesh.creation.box((1, 4, 0.001))
    surface = meshes.surface_from_mesh(mesh)
    front = render.Viewpoint(azimuth=90.0, elevation=0.0, distance=1.0005)
    view = render.render(surface, front, INTRINSICS, SIZE)
    width = INTRINSICS[0, 0] * 1.0  # pixels of a metre at depth 1
    columns = view.rgba[..., 3].astype(float).sum(axis=1) / 255
    np.testing.assert_allclose(columns, min(width, SIZE), atol=0.35)
    view = render.render(surface, front._replace(distance=2.0005), INTRINSICS, SIZE)
    columns = view.rgba[SIZE // 2, :, 3].astype(float).sum() / 255
    assert columns == pytest.approx(width / 2, abs=1 / 3 + 0.01)


def test_depth_is_missing_exactly_where_the_centre_ray_misses():
    view = render.render(box_surface(), VIEWPOINT, INTRINSICS, SIZE)
    assert (view.depth[view.rgba[..., 3] == 0] == 0).all()
    assert (view.depth[view.rgba[..., 3] == 255] > 0).all()


def test_alpha_is_straight():
    """Half covered pixels keep the colour of the object, no dark fringe."""
    view = render.render(box_surface((255, 255, 255)), VIEWPOINT, INTRINSICS, SIZE)
    inner = view.rgba[view.rgba[..., 3] == 255][:, :3]
    edge = view.rgba[(view.rgba[..., 3] > 0) & (view.rgba[..., 3] < 255)][:, :3]
    assert len(edge) > 20
    assert edge.min() >= inner.min()
    assert (view.rgba[view.rgba[..., 3] == 0] == 0).all()


def test_hue_of_the_surface_survives_shading():
    view = render.render(box_surface((255, 0, 0)), VIEWPOINT, INTRINSICS, SIZE)
    seen = view.rgba[view.rgba[..., 3] == 255]
    assert (seen[:, 0] > 120).all()
    assert (seen[:, 1:3] == 0).all()


def test_sides_of_a_box_differ_and_winding_does_not_matter():
    surface = box_surface()
    view = render.render(surface, VIEWPOINT, INTRINSICS, SIZE)
    shades = np.unique(view.rgba[view.rgba[..., 3] == 255][:, 0])
    assert len(shades) >= 3
    flipped = surface._replace(faces=surface.faces[:, ::-1])
    other = render.render(flipped, VIEWPOINT, INTRINSICS, SIZE)
    np.testing.assert_array_equal(other.rgba, view.rgba)


def test_samples_project_into_the_mask():
    surface = box_surface()
    view = render.render(surface, VIEWPOINT, INTRINSICS, SIZE)
    samples = render.sample_surface(surface, 5000, np.random.default_rng(0))
    moved = render.move_samples(samples, camera.camera_from_object(*VIEWPOINT))
    u, v = np.round(camera.project(moved.points, INTRINSICS)).astype(int).T
    assert (view.rgba[v, u, 3] > 0).mean() > 0.995  # a corner of a pixel may be missed
    covered = view.depth[v, u] > 0
    behind = -moved.points[covered, 2] - view.depth[v, u][covered]
    assert (behind > -0.02).mean() > 0.99  # nothing in front of what is seen


def test_samples_lie_on_the_surface_with_its_normals_and_colors():
    surface = box_surface((10, 120, 250))
    samples = render.sample_surface(surface, 2000, np.random.default_rng(0))
    assert distance_to_box(samples.points, surface).max() < 1e-6
    np.testing.assert_allclose(np.linalg.norm(samples.normals, axis=1), 1, atol=1e-6)
    side = np.abs(samples.normals).argmax(axis=1)
    along = samples.points[np.arange(2000), side]
    limit = surface.vertices.max(axis=0)[side]
    normal = samples.normals[np.arange(2000), side]
    np.testing.assert_allclose(along, normal * limit, atol=1e-6)  # outwards
    assert (samples.colors == (10, 120, 250)).all()


def test_samples_are_uniform_in_area():
    surface = box_surface()
    samples = render.sample_surface(surface, 20_000, np.random.default_rng(3))
    side = np.abs(samples.normals).argmax(axis=1)
    counts = np.bincount(side, minlength=3)
    x, y, z = 1, 0.6, 0.8
    expected = np.array([y * z, x * z, x * y])
    expected *= len(side) / expected.sum()
    assert scipy.stats.chisquare(counts, expected).pvalue > 0.01
    one_side = samples.points[side == 0][:, 1:] / surface.vertices.max(axis=0)[1:]
    for coordinate in one_side.T:
        assert scipy.stats.kstest(coordinate, "uniform", (-1, 2)).pvalue > 0.01


def test_faces_without_area_are_never_drawn():
    surface = box_surface()
    degenerate = np.array([[0, 0, 1], [2, 2, 2]], np.int32)
    repeat = np.array([0, 1])
    paint = surface.paint._replace(
        corner_colors=np.concatenate(
            [np.zeros((2, 3, 3), np.float32), surface.paint.corner_colors]
        ),
        corner_uv=np.concatenate(
            [surface.paint.corner_uv[repeat], surface.paint.corner_uv]
        ),
        face_texture=np.concatenate(
            [surface.paint.face_texture[repeat], surface.paint.face_texture]
        ),
    )
    surface = surface._replace(
        faces=np.concatenate([degenerate, surface.faces]), paint=paint
    )
    samples = render.sample_surface(surface, 5000, np.random.default_rng(0))
    assert (samples.colors == (200, 40, 90)).all()
    assert np.isfinite(samples.normals).all()


def test_random_numbers_decide_everything():
    surface = box_surface()
    first = render.sample_surface(surface, 50, np.random.default_rng(7))
    again = render.sample_surface(surface, 50, np.random.default_rng(7))
    np.testing.assert_array_equal(first.points, again.points)
    other = render.sample_surface(surface, 50, np.random.default_rng(8))
    assert (first.points != other.points).any()


def test_viewpoints_are_those_of_r2n2():
    rng = np.random.default_rng(0)
    views = np.array([render.sample_viewpoint(rng) for _ in range(200)])
    low, high = views.min(axis=0), views.max(axis=0)
    assert (low >= (0, 25, 0.65)).all()
    assert (high <= (360, 30, 0.95)).all()
    assert (high - low > (350, 4.8, 0.28)).all()


def test_object_far_away_fills_few_pixels_but_is_seen():
    far = VIEWPOINT._replace(distance=50.0)
    view = render.render(box_surface(), far, INTRINSICS, SIZE)
    assert 0 < view.rgba[..., 3].sum() / 255 < 4


@pytest.mark.data
def test_published_samples_project_into_the_published_masks(data_dir):
    """Frames and intrinsics are those of the released Pixel2Mesh data."""
    intrinsics = camera.r2n2_intrinsics(137)
    for path in sorted(data_dir.glob("shapenet_sample/p2m/*/*/rendering/*.dat")):
        points, _ = dat.load_points(path)
        alpha = images.load_rgba(path.with_suffix(".png"))[..., 3]
        u, v = np.round(camera.project(points, intrinsics)).astype(int).T
        assert (alpha[v, u] > 0).mean() > 0.97
        area = (np.histogram2d(v, u, bins=np.arange(-0.5, 137))[0] > 0).sum()
        assert area > 0.8 * (alpha > 127).sum()


@pytest.mark.data
def test_development_objects_are_seen_whole(data_dir):
    rng = np.random.default_rng(0)
    intrinsics = camera.r2n2_intrinsics(137)
    for path in sorted(data_dir.glob("objects/test/*/*.glb"))[::8]:
        surface = meshes.normalize(meshes.load_surface(path))
        viewpoint = render.sample_viewpoint(rng)
        view = render.render(surface, viewpoint, intrinsics, 137)
        samples = render.sample_surface(surface, 2000, rng)
        moved = render.move_samples(samples, camera.camera_from_object(*viewpoint))
        u, v = np.round(camera.project(moved.points, intrinsics)).astype(int).T
        assert (view.rgba[v, u, 3] > 0).mean() > 0.97, path.name
        assert composite(view).std() > 1, path.name
