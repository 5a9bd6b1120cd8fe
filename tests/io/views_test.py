import numpy as np
import pytest
from numpy.testing import assert_allclose

from pixel2mesh_jax.geometry import camera, object_crop
from pixel2mesh_jax.io import limits, views
from pixel2mesh_jax.structures import View


def random_view(size=40, seed=0):
    """Noise in a disc with a ragged depth map."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[:size, :size] - (size - 1) / 2
    inside = np.hypot(u, v) < size / 3
    rgba = rng.integers(0, 256, (size, size, 4), np.uint8)
    rgba[..., 3] = np.where(inside, 255, 0)
    depth = rng.uniform(0.6, 0.9, (size, size)).astype(np.float32)
    depth[~inside | (rng.random((size, size)) < 0.2)] = 0
    return View(rgba, depth, camera.r2n2_intrinsics(size))


def test_cut_moves_the_camera_along():
    view = random_view()
    small = views.cut(view, object_crop.Square(10, 4, 20))
    points = np.array([[0.05, 0.02, -0.8]])
    before = camera.project(points, view.intrinsics)[0]
    after = camera.project(points, small.intrinsics)[0]
    assert_allclose(after, before - [10, 4], atol=1e-4)
    assert_allclose(small.depth, view.depth[4:24, 10:30])


@pytest.mark.parametrize("size", [40, 24, 64])
def test_batch_equals_the_training_pipeline(size):
    """Pillow here, tf.image there: the same numbers up to 8-bit rounding."""
    tf = pytest.importorskip("tensorflow")
    from data_pipelines.streaming import augment

    view = random_view()
    batch = views.batch_of_view(view, size)
    rgba = tf.constant(view.rgba, tf.float32) / 255
    rgb, mask, depth = augment.resize_view(
        rgba[..., :3], rgba[..., 3:], tf.constant(view.depth[..., None]), size
    )
    assert_allclose(batch.rgb[0], rgb, atol=1e-5)
    assert_allclose(batch.mask[0], mask, atol=1e-5)
    agree = (batch.depth[0] > 0) == (np.asarray(depth) > 0)
    assert agree.mean() > 0.999  # validity of exactly one half may round either way
    assert_allclose(batch.depth[0][agree], np.asarray(depth)[agree], atol=1e-5)
    assert_allclose(batch.intrinsics[0], camera.r2n2_intrinsics(size), rtol=1e-5)


def test_depth_does_not_bleed_across_the_silhouette():
    depth = np.zeros((32, 32), np.float32)
    depth[8:24, 8:24] = 0.7
    rgba = np.full((32, 32, 4), 255, np.uint8)
    view = View(rgba, depth, camera.r2n2_intrinsics(32))
    small = views.batch_of_view(view, 9).depth[0]
    assert_allclose(small[small > 0], 0.7, atol=1e-6)
    assert small[4, 4] > 0


@pytest.mark.parametrize("size", [20, 40, 60])
def test_a_resized_view_is_what_the_network_sees(size):
    view = random_view()
    resized = views.resize(view, size)
    batch = views.batch_of_view(view, size)
    rgb, alpha = np.split(resized.rgba.astype(np.float32) / 255, [3], axis=-1)
    assert_allclose(rgb * alpha + 1 - alpha, batch.rgb[0], atol=2.5 / 255)
    assert_allclose(alpha[..., 0], batch.mask[0], atol=0.5 / 255 + 1e-6)
    assert_allclose(resized.depth, batch.depth[0])
    assert_allclose(resized.intrinsics, batch.intrinsics[0])


def test_a_typical_view_keeps_its_frame():
    view = random_view()
    square, fitted = views.canonicalize(view)
    assert_allclose(square.rgba, view.rgba)
    assert_allclose(square.intrinsics, view.intrinsics)
    assert_allclose(fitted.lens, fitted.intrinsics)
    assert views.canonicalize(view._replace(depth=0 * view.depth))[1] is None
    assert views.canonicalize(view, "always")[1] is not None


def test_an_object_elsewhere_is_cut_out_and_moved():
    small = random_view(size=30)
    rgba, depth = np.zeros((120, 90, 4), np.uint8), np.zeros((120, 90), np.float32)
    rgba[80:110, 50:80] = small.rgba
    depth[80:110, 50:80] = np.where(small.depth > 0, 2 + small.depth / 10, 0)
    view = View(rgba, depth, camera.pinhole(200, 45, 60))
    square, fitted = views.canonicalize(view)
    assert square.rgba.shape[0] == square.rgba.shape[1] < 45
    assert_allclose(square.intrinsics, camera.r2n2_intrinsics(len(square.rgba)))
    seen = square.depth[square.depth > 0]
    assert np.median(seen) == pytest.approx(object_crop.CANONICAL_DEPTH, abs=0.01)
    assert fitted.depth == pytest.approx(np.median(depth[depth > 0]))
    kept, fitted = views.canonicalize(view, "never")
    assert kept.rgba.shape == (120, 120, 4)
    assert np.median(kept.depth[kept.depth > 0]) == pytest.approx(0.72, abs=0.01)
    assert fitted.scale == pytest.approx(0.72 / fitted.depth)


def test_a_large_image_is_averaged_before_it_becomes_floats(monkeypatch):
    view = random_view(size=240)
    whole, fitted = views.canonicalize(view, "always")
    monkeypatch.setattr(limits, "MAX_SQUARE", 70)
    small, shrunk = views.canonicalize(view, "always")
    assert len(small.rgba) < 140 < len(whole.rgba)
    assert shrunk.depth == pytest.approx(fitted.depth, rel=0.02)
    points = np.array([[0.1, 0.05, -0.75]])
    assert_allclose(
        object_crop.camera_from_canonical(points, shrunk),
        object_crop.camera_from_canonical(points, fitted),
        atol=0.01,
    )
