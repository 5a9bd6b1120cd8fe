import numpy as np
import pytest
from numpy.testing import assert_allclose

from pixel2mesh_jax.geometry import camera, object_crop


def box_mask(shape, left, top, right, bottom):
    mask = np.zeros(shape, np.float32)
    mask[top:bottom, left:right] = 1
    return mask


def ball(center, radius, count=500):
    directions = np.random.default_rng(0).normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(center) + radius * directions


def test_box_and_depth_of_the_object():
    mask = box_mask((20, 30), 4, 5, 10, 17)
    assert object_crop.object_box(mask) == (4, 5, 10, 17)
    depth = np.where(mask > 0, np.float32(0.5), np.float32(3))
    depth[5, 4:10] = 0
    assert object_crop.object_depth(depth, mask) == 0.5
    assert object_crop.object_depth(np.zeros_like(depth), mask) is None


def test_an_empty_mask_has_no_box():
    with pytest.raises(ValueError, match="empty"):
        object_crop.object_box(np.zeros((4, 4)))


def test_square_fills_the_image_to_the_target():
    box = object_crop.Box(10, 20, 70, 50)
    square = object_crop.square_of_box(box)
    assert square.side == round(60 / object_crop.TARGET_FILL)
    middle = (square.left + square.side / 2, square.top + square.side / 2)
    assert_allclose(middle, (40, 35), atol=0.5)


def test_cut_pads_with_zeros():
    image = np.arange(12.0).reshape(3, 4) + 1
    expected = np.pad(image, ((2, 0), (1, 0)))
    assert_allclose(object_crop.cut(image, object_crop.Square(-1, -2, 5)), expected)
    inner = object_crop.cut(image, object_crop.Square(1, 1, 2))
    assert_allclose(inner, image[1:3, 1:3])


def test_an_object_that_is_canonical_already_stays():
    """Box of the target size in the middle, R2N2 camera, usual depth: identity."""
    side = 200
    half = round(side * object_crop.TARGET_FILL / 2)
    mask = box_mask((side, side), 100 - half, 100 - half, 100 + half, 100 + half)
    intrinsics = camera.r2n2_intrinsics(side)
    box = object_crop.object_box(mask)
    assert object_crop.is_canonical(box, side, intrinsics)
    square = object_crop.square_of_box(box)
    assert square == (0, 0, side)
    view = object_crop.fit(square, intrinsics, object_crop.CANONICAL_DEPTH)
    points = ball((0, 0, -0.8), 0.2)
    assert_allclose(object_crop.canonical_from_camera(points, view), points, atol=1e-6)
    assert_allclose(object_crop.camera_from_canonical(points, view), points, atol=1e-6)


@pytest.mark.parametrize(
    ("box", "focal"),
    [
        ((45, 45, 55, 55), 109.375),  # small
        ((2, 2, 98, 98), 109.375),  # fills the image
        ((0, 30, 60, 70), 109.375),  # off-centre
        ((20, 20, 80, 80), 400.0),  # long lens
    ],
)
def test_views_that_are_not_canonical(box, focal):
    intrinsics = camera.pinhole(focal, 49.5, 49.5)
    assert not object_crop.is_canonical(object_crop.Box(*box), 100, intrinsics)


@pytest.mark.parametrize("depth", [0.4, 3.0])
def test_a_view_that_is_kept_is_scaled_around_the_camera(depth):
    view = object_crop.keep(
        object_crop.Square(0, 0, 200), camera.r2n2_intrinsics(200), depth
    )
    points = ball((0.05, 0.02, -depth), 0.1)
    scaled = object_crop.canonical_from_camera(points, view)
    assert_allclose(scaled, points * object_crop.CANONICAL_DEPTH / depth, atol=1e-6)
    assert_allclose(object_crop.camera_from_canonical(scaled, view), points, atol=1e-6)
    seen = np.where(points[:, 2] < -depth, 0, -points[:, 2])
    mapped = object_crop.canonical_depth(seen, view)
    assert_allclose(object_crop.camera_depth(mapped, view), seen, atol=1e-6)


def test_a_prediction_is_moved_to_the_measured_depth():
    measured, predicted = np.zeros((10, 10)), np.zeros((10, 10))
    measured[:6], predicted[2:8] = 0.9, 0.6
    measured[2, 2] = 50.0  # a flying pixel
    assert object_crop.depth_ratio(measured, predicted) == pytest.approx(1.5)
    predicted[:6] = 0
    assert object_crop.depth_ratio(measured, predicted) == pytest.approx(1.5)
    assert object_crop.depth_ratio(measured, np.zeros((10, 10))) == 1


@pytest.mark.parametrize("depth", [0.6, 2.5])
def test_the_maps_are_inverse_to_each_other(depth):
    intrinsics = camera.pinhole(933.0, 162.7, 124.5)
    intrinsics[1, 1] = 934.1
    view = object_crop.fit(object_crop.Square(50, -10, 180), intrinsics, depth)
    points = ball((-0.03, 0.01, -depth), 0.05)
    there = object_crop.canonical_from_camera(points, view)
    assert_allclose(object_crop.camera_from_canonical(there, view), points, atol=1e-6)


def test_the_pixel_of_a_point_stays():
    intrinsics = camera.pinhole(933.0, 162.7, 124.5)
    square = object_crop.Square(50, -10, 180)
    view = object_crop.fit(square, intrinsics, 0.6)
    points = ball((-0.03, 0.01, -0.6), 0.05)
    there = object_crop.canonical_from_camera(points, view)
    expected = camera.project(points, intrinsics) - [square.left, square.top]
    actual = camera.project(there, camera.r2n2_intrinsics(square.side))
    assert_allclose(actual, expected, atol=1e-3)


def test_a_long_lens_capture_of_a_ball_becomes_a_canonical_ball():
    """f = 933 px, 6 cm at 0.6 m, off-centre: round, in the middle, at 0.72 m."""
    intrinsics = camera.pinhole(933.0, 162.7, 124.5)
    center, radius = np.array([-0.02, 0.01, -0.6]), 0.03
    u, v = camera.project(center[None], intrinsics)[0]
    reach = 933.0 * radius / 0.6
    box = object_crop.Box(
        round(u - reach), round(v - reach), round(u + reach), round(v + reach)
    )
    square = object_crop.square_of_box(box)
    view = object_crop.fit(square, intrinsics, 0.6)
    points = object_crop.canonical_from_camera(ball(center, radius, 4000), view)
    size = np.ptp(points, axis=0)
    assert_allclose(size, size.mean(), rtol=0.08)
    expected = (0, 0, -object_crop.CANONICAL_DEPTH)
    assert_allclose((points.min(0) + points.max(0)) / 2, expected, atol=0.02)
    pixels = camera.project(points, camera.r2n2_intrinsics(square.side))
    assert_allclose(
        np.ptp(pixels, axis=0) / square.side, object_crop.TARGET_FILL, rtol=0.06
    )


def test_depth_map_moves_like_points():
    intrinsics = camera.pinhole(933.0, 162.7, 124.5)
    view = object_crop.fit(object_crop.Square(50, -10, 180), intrinsics, 0.6)
    points = ball((-0.03, 0.01, -0.6), 0.05)
    expected = -object_crop.canonical_from_camera(points, view)[:, 2]
    assert_allclose(
        object_crop.canonical_depth(-points[:, 2], view), expected, atol=1e-6
    )


def test_missing_and_impossible_depth_is_missing():
    view = object_crop.fit(
        object_crop.Square(0, 0, 100), camera.pinhole(900.0, 50, 50), 2.0
    )
    depth = np.array([0.0, 2.0, 0.1], np.float32)
    mapped = object_crop.canonical_depth(depth, view)
    assert_allclose(mapped, [0, object_crop.CANONICAL_DEPTH, 0], atol=1e-6)


def test_points_never_land_behind_the_camera():
    view = object_crop.fit(
        object_crop.Square(0, 0, 1000), camera.pinhole(300.0, 500, 500), 0.3
    )
    points = object_crop.camera_from_canonical(np.array([[0.0, 0.0, -0.05]]), view)
    assert points[0, 2] == pytest.approx(-object_crop.NEAREST * 0.3)
