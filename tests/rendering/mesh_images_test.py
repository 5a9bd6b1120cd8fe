import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose

from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.rendering import mesh_images, point_images
from pixel2mesh_jax.report import preview

SIZE = 48


@pytest.fixture
def ball():
    """A sphere of radius 0.2 before the camera."""
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=0.2)
    return mesh.vertices - [-0.05, 0, 0.8], np.asarray(mesh.faces)


@pytest.fixture
def viewpoint():
    return mesh_images.input_camera(camera.r2n2_intrinsics(224), 224, SIZE)


def covered(image):
    return (image < 255).any(axis=-1)


def middle_of(image):
    rows, columns = np.nonzero(covered(image))
    return columns.mean(), rows.mean()


def test_a_ball_appears_where_the_camera_sees_it(ball, viewpoint):
    image = mesh_images.mesh_image(*ball, viewpoint)
    assert image.shape == (SIZE, SIZE, 3)
    assert image.dtype == np.uint8
    expected = camera.project(np.array([[0.05, 0, -0.8]]), viewpoint.intrinsics)[0]
    assert_allclose(middle_of(image), expected, atol=1)
    assert (image[0] == 255).all()


def test_light_comes_from_the_upper_left(ball, viewpoint):
    image = mesh_images.mesh_image(*ball, viewpoint).astype(float).mean(axis=-1)
    u, v = (round(x) for x in middle_of(mesh_images.mesh_image(*ball, viewpoint)))
    assert image[v - 6, u - 6] > image[v, u] > image[v + 6, u + 6]


def test_silhouette_is_antialiased(ball, viewpoint):
    image = mesh_images.mesh_image(*ball, viewpoint)
    flat = mesh_images.mesh_image(
        *ball, viewpoint, colors=np.zeros_like(ball[0], np.float32)
    )
    levels = np.unique(flat[..., 0])
    assert len(levels) > 4  # black, white and what lies between
    assert image.max() == 255


def test_vertex_colors_are_shown(ball, viewpoint):
    colors = np.tile(np.float32([1, 0, 0]), (len(ball[0]), 1))
    image = mesh_images.mesh_image(*ball, viewpoint, colors)
    u, v = (round(x) for x in middle_of(image))
    red, green, blue = image[v, u]
    assert red > 100
    assert green == blue == 0


def test_turntable_fills_the_image_from_every_side(ball):
    vertices, faces = ball
    for azimuth in (0.0, 90.0, 200.0):
        aside = mesh_images.turntable_camera(vertices, azimuth, 20.0, SIZE)
        image = mesh_images.mesh_image(vertices, faces, aside)
        width = covered(image).any(axis=0).sum()
        assert width == pytest.approx(mesh_images.TURNTABLE_FILL * SIZE, abs=2)
        assert_allclose(middle_of(image), (SIZE - 1) / 2, atol=1)


def test_turntable_at_zero_looks_as_the_input_camera_does():
    points = np.random.default_rng(0).normal(size=(50, 3)) * 0.1 - [0, 0, 0.8]
    same = mesh_images.turntable_camera(
        points, 0.0, mesh_images.ASSUMED_ELEVATION, SIZE
    )
    assert_allclose(same.transform[:3, :3], np.eye(3), atol=1e-6)


def test_turning_to_the_right_shows_the_right_side():
    right = np.array([[0.3, 0.0, -0.8]])
    points = np.concatenate([right, [[-0.3, 0.0, -0.8]], [[0, 0, -0.5], [0, 0, -1.1]]])
    aside = mesh_images.turntable_camera(points, 90.0, 0.0, SIZE)
    depth = -camera.transform_points(points, aside.transform)[:, 2]
    assert depth.argmin() == 0


def test_upright_undoes_the_assumed_elevation():
    view = camera.camera_from_object(90.0, mesh_images.ASSUMED_ELEVATION, 0.8)
    box = np.array([[x, y, z] for x in (-1, 1) for y in (-2, 2) for z in (-3, 3)]) * 0.1
    seen = camera.transform_points(box, view)
    assert_allclose(mesh_images.upright(seen), box, atol=1e-6)


def test_splats_look_like_the_mesh(ball, viewpoint):
    """Normals of either sign; the two images differ little."""
    vertices, faces = ball
    mesh = trimesh.Trimesh(vertices, faces)
    points, face = trimesh.sample.sample_surface(mesh, 3000, seed=0)
    sign = np.random.default_rng(0).choice([-1, 1], (3000, 1))
    normals = mesh.face_normals[face] * sign
    expected = mesh_images.mesh_image(vertices, faces, viewpoint)
    actual = point_images.points_image(points, normals, viewpoint)
    difference = np.abs(expected.astype(float) - actual)
    assert np.median(difference[covered(expected)]) < 8
    assert np.mean(covered(expected) == covered(actual)) > 0.96


def test_splats_hide_what_is_behind(viewpoint):
    grid = np.stack(np.meshgrid(*[np.linspace(-0.2, 0.2, 40)] * 2), -1).reshape(-1, 2)
    front = np.column_stack([grid, np.full(len(grid), -0.7)])
    points = np.concatenate([front, front - [0, 0, 0.2]])
    colors = np.repeat(np.eye(3)[[0, 2]], len(grid), axis=0)  # red before blue
    normals = np.tile([0.0, 0.0, 1.0], (len(points), 1))
    image = point_images.points_image(points, normals, viewpoint, colors)
    middle = image[SIZE // 2, SIZE // 2]
    assert middle[0] > 100
    assert middle[2] == 0


def test_depth_image_marks_missing_pixels_white():
    depth = np.zeros((8, 8), np.float32)
    depth[2:6, 2:6] = np.linspace(0.6, 0.9, 16).reshape(4, 4)
    image = mesh_images.depth_image(depth)
    assert (image[depth == 0] == 255).all()
    near, far = image[2, 2].astype(int), image[5, 5].astype(int)
    assert near.sum() > far.sum()
    mask = np.zeros((8, 8), np.float32)
    assert (mesh_images.depth_image(depth, mask) == 255).all()


def test_preview_has_one_tile_per_image(ball):
    rgb, depth = np.ones((16, 16, 3), np.float32), np.zeros((16, 16), np.float32)
    intrinsics = camera.r2n2_intrinsics(16)
    strip = preview.preview(rgb, depth, intrinsics, *ball)
    height = preview.TILE + preview.CAPTION
    assert strip.shape == (height, 4 * preview.TILE, 3)
    depth[4:8, 4:8] = 0.7
    strip = preview.preview(rgb, depth, intrinsics, *ball)
    assert strip.shape == (height, 5 * preview.TILE, 3)
    assert preview.png_bytes(strip).startswith(b"\x89PNG")
