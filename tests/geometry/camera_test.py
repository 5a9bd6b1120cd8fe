"""Cameras against the published formulas, recorded numbers and real renderings."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from pixel2mesh_jax.geometry import camera

SIZE = 224
INTRINSICS = camera.r2n2_intrinsics(SIZE)


def visible_points(num_points=50, seed=0):
    generator = np.random.default_rng(seed)
    return (generator.uniform(-0.3, 0.3, (num_points, 3)) - [0, 0, 0.8]).astype("f4")


def test_r2n2_camera_sees_a_35_mm_lens_on_a_32_mm_sensor():
    np.testing.assert_allclose(INTRINSICS[0], [245.0, 0, 111.5])
    np.testing.assert_allclose(camera.r2n2_intrinsics(137)[0, 0], 149.84, atol=0.01)


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_projection_is_the_formula_of_pixel2mesh(array):
    points, intrinsics = visible_points(), camera.pinhole(248.0, 111.5, 111.5)
    x, y, z = points.T
    row = 248 * (-y) / (-z) + 111.5
    column = 248 * x / (-z) + 111.5
    uv = camera.project(array(points), array(intrinsics))
    np.testing.assert_allclose(uv, np.stack([column, row], axis=1), rtol=1e-5)


def test_right_and_up_in_the_scene_are_right_and_up_in_the_image():
    points = np.array([[0, 0, -1], [0.1, 0, -1], [0, 0.1, -1]], np.float32)
    center, right, up = camera.project(points, INTRINSICS)
    np.testing.assert_allclose(center, (SIZE - 1) / 2)
    assert right[0] > center[0]
    assert right[1] == center[1]
    assert up[1] < center[1]
    assert up[0] == center[0]


def test_points_behind_the_camera_stay_finite():
    points = np.array([[0.1, 0.1, 0.0], [0.1, 0.1, 1.0]], np.float32)
    assert np.isfinite(camera.project(points, INTRINSICS)).all()


def test_lines_through_the_camera_mirror_what_is_behind_it():
    intrinsics = camera.pinhole(100, 50, 50)
    points = np.float32([[0.1, 0.2, -0.8], [-0.3, 0.1, -1.2], [0, 0.4, -0.5]])
    seen = camera.project_lines(points, intrinsics)
    np.testing.assert_allclose(seen, camera.project(points, intrinsics))
    np.testing.assert_allclose(camera.project_lines(-points, intrinsics), seen)
    in_plane = camera.project_lines(points * np.float32([1, 1, 0]), intrinsics)
    assert np.isfinite(in_plane).all()


def test_projecting_an_unprojected_depth_map_gives_the_pixel_grid():
    depth = np.random.default_rng(0).uniform(0.5, 1.5, (6, 8)).astype(np.float32)
    intrinsics = camera.pinhole(9.0, 3.4, 2.7)
    points = camera.unproject(depth, intrinsics)
    np.testing.assert_array_equal(points[..., 2], -depth)
    u, v = np.meshgrid(np.arange(8), np.arange(6))
    uv = camera.project(points.reshape(-1, 3), intrinsics).reshape(6, 8, 2)
    np.testing.assert_allclose(uv, np.stack([u, v], axis=-1), atol=1e-5)


def test_missing_depth_unprojects_to_the_origin():
    points = camera.unproject(np.zeros((2, 3), np.float32), INTRINSICS)
    np.testing.assert_array_equal(points, 0)


def test_a_batch_of_cameras_is_one_camera_per_sample():
    points = np.stack([visible_points(), visible_points(seed=1)])
    intrinsics = np.stack([INTRINSICS, camera.pinhole(100.0, 50.0, 40.0)])
    together = camera.project(points, intrinsics)
    rays = camera.pixel_rays((4, 5), intrinsics)
    for i in range(2):
        np.testing.assert_allclose(
            together[i], camera.project(points[i], intrinsics[i]), rtol=1e-6
        )
        np.testing.assert_allclose(
            rays[i], camera.pixel_rays((4, 5), intrinsics[i]), rtol=1e-6
        )


def test_resized_image_shows_a_point_at_the_same_place():
    uv = camera.project(visible_points(), INTRINSICS)
    scale = np.array([0.5, 2.0])
    resized = camera.resize_intrinsics(INTRINSICS, *scale)
    # The left border of the image is at -0.5 before and after.
    np.testing.assert_allclose(
        camera.project(visible_points(), resized) + 0.5, (uv + 0.5) * scale, rtol=1e-5
    )


@pytest.mark.parametrize("size", [137, 64, 500])
def test_resizing_gives_the_camera_of_the_other_size(size):
    resized = camera.resize_intrinsics(INTRINSICS, size / SIZE, size / SIZE)
    np.testing.assert_allclose(resized, camera.r2n2_intrinsics(size), rtol=1e-5)


def test_cropped_image_shows_a_point_further_left_and_up():
    uv = camera.project(visible_points(), INTRINSICS)
    cropped = camera.crop_intrinsics(INTRINSICS, 10.0, -20.0)
    np.testing.assert_allclose(
        camera.project(visible_points(), cropped), uv - [10, -20], rtol=1e-5
    )


def test_mirrored_image_shows_the_mirrored_scene():
    intrinsics = camera.pinhole(248.0, 100.0, 120.0)  # centre off the middle
    uv = camera.project(visible_points(), intrinsics)
    mirrored = visible_points() * np.array([-1, 1, 1], np.float32)
    flipped = camera.project(mirrored, camera.flip_intrinsics(intrinsics, SIZE))
    np.testing.assert_allclose(flipped[:, 0], SIZE - 1 - uv[:, 0], rtol=1e-5)
    np.testing.assert_allclose(flipped[:, 1], uv[:, 1], rtol=1e-5)


def test_flipping_twice_changes_nothing():
    once = camera.flip_intrinsics(INTRINSICS, SIZE)
    np.testing.assert_allclose(camera.flip_intrinsics(once, SIZE), INTRINSICS)


@pytest.mark.parametrize(
    ("azimuth", "elevation"), [(0.0, 0.0), (90.0, 0.0), (37.0, 28.0), (200.0, -60.0)]
)
def test_camera_looks_at_the_object(azimuth, elevation):
    transform = camera.camera_from_object(azimuth, elevation, 0.8)
    rotation = transform[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    np.testing.assert_allclose(transform[:3, 3], [0, 0, -0.8], atol=1e-12)
    a, e = np.radians([azimuth, elevation])
    position = 0.8 * np.array([np.cos(e) * np.cos(a), np.sin(e), np.cos(e) * np.sin(a)])
    eye = camera.transform_points(position[None], transform)
    np.testing.assert_allclose(eye, 0, atol=1e-12)
    assert rotation[0, 1] == 0  # no roll
    assert rotation[1, 1] > 0  # up stays up


def test_pytorch3d_points_turn_around_the_y_axis():
    points = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(camera.opengl_from_pytorch3d(points), [[-1, 2, -3]])


def test_distance_ratio_of_the_metadata_is_taken_for_metres():
    row = np.array([37.0, 28.0, 0.0, 0.8, 25.0])
    np.testing.assert_array_equal(
        camera.camera_from_r2n2_metadata(row), camera.camera_from_object(37, 28, 0.8)
    )


@pytest.mark.data
def test_cameras_match_mesh_rcnn(data_dir):
    recorded = np.load(data_dir / "oracles" / "mrcnn_coords.npz")
    for pose, extrinsic, world, expected in zip(
        recorded["azimuth_elevation_distance"],
        recorded["extrinsic"],
        recorded["verts_world"],
        recorded["verts_camera"],
        strict=True,
    ):
        transform = camera.camera_from_object(*pose)
        np.testing.assert_allclose(transform, extrinsic, atol=1e-6)
        np.testing.assert_allclose(
            camera.transform_points(world, transform), expected, atol=1e-5
        )


@pytest.mark.data
def test_object_projects_into_its_renderings(data_dir):
    model = next((data_dir / "r2n2_sample").iterdir())
    points = camera.P2M_SCALE * np.loadtxt(model / "model.xyz")
    metadata = np.loadtxt(model / "rendering" / "rendering_metadata.txt")
    intrinsics = camera.r2n2_intrinsics(137).astype(np.float64)
    assert len(metadata) == 24
    for view, line in enumerate(metadata):
        alpha = np.asarray(Image.open(model / "rendering" / f"{view:02d}.png"))[..., 3]
        transform = camera.camera_from_r2n2_metadata(line)
        uv = camera.project(camera.transform_points(points, transform), intrinsics)
        column, row = np.rint(uv).astype(int).T
        assert (alpha[row, column] > 0).mean() > 0.99
        rows, columns = np.nonzero(alpha >= 128)
        low, high = (columns.min(), rows.min()), (columns.max(), rows.max())
        # a pixel reaches half a pixel beyond its centre
        np.testing.assert_allclose(uv.min(axis=0), np.array(low) - 0.5, atol=1.5)
        np.testing.assert_allclose(uv.max(axis=0), np.array(high) + 0.5, atol=1.5)


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_device_coordinates_span_the_image_and_lead_back_to_pixels(array):
    points = visible_points()
    ndc = camera.project_ndc(array(points), array(INTRINSICS), (SIZE, SIZE))
    uv = camera.pixels_from_ndc(ndc, (SIZE, SIZE))
    np.testing.assert_allclose(uv, camera.project(points, INTRINSICS), atol=1e-3)
    corners = np.array([[-1, 1, 0], [1, -1, 0]], np.float32)
    borders = camera.pixels_from_ndc(array(corners), (100, 200))
    np.testing.assert_allclose(borders, [[-0.5, -0.5], [199.5, 99.5]])


def test_device_depth_is_minus_one_to_one_between_the_clip_planes():
    points = np.array([[0, 0, -camera.NDC_NEAR], [0, 0, -camera.NDC_FAR]], np.float32)
    ndc = camera.project_ndc(points, INTRINSICS, (SIZE, SIZE))
    np.testing.assert_allclose(ndc[:, 2], [-1, 1], atol=1e-5)


def test_points_around_the_camera_keep_finite_mirrored_coordinates():
    points = np.array([[0.1, 0.2, 0.0], [0.1, 0.2, 0.5], [0.1, 0.2, -0.5]], np.float32)
    center, behind, before = camera.project_ndc(points, INTRINSICS, (SIZE, SIZE))
    np.testing.assert_allclose(behind[:2], -before[:2], rtol=1e-5)
    np.testing.assert_allclose(center[:2], before[:2] * 5, rtol=1e-5)


@pytest.mark.data
def test_device_coordinates_are_those_of_mesh_rcnn(data_dir):
    recorded = np.load(data_dir / "oracles" / "mrcnn_coords.npz")
    expected = recorded["verts_ndc"].reshape(-1, 3)
    points = recorded["verts_camera"].reshape(-1, 3)
    ndc = camera.project_ndc(points, INTRINSICS, (SIZE, SIZE))
    np.testing.assert_allclose(ndc, expected, rtol=2e-6, atol=1e-5)
    edge = camera.project_ndc(recorded["edge_verts"], INTRINSICS, (SIZE, SIZE))
    np.testing.assert_allclose(edge, recorded["edge_ndc"], rtol=2e-6, atol=1e-5)
