"""The final mesh as it is wanted: frames, fewer triangles, smoothed."""

import re

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.inference import finish
from pixel2mesh_jax.inference.finish import Finish
from pixel2mesh_jax.inference.predict import METRIC_FRAME, Prediction
from pixel2mesh_jax.io.captures import Capture
from pixel2mesh_jax.structures import HostMesh, View
from tests.geometry.upright_test import ground


def prediction(extents=(0.5, 0.2, 0.3), elevation=30.0):
    """A box, seen from above."""
    box = trimesh.creation.box(extents).subdivide().subdivide()
    view = camera.camera_from_object(90.0, elevation, 0.8)
    vertices = camera.transform_points(np.asarray(box.vertices), view)
    mesh = HostMesh(vertices.astype(np.float32), np.asarray(box.faces))
    lens = camera.r2n2_intrinsics(48)
    return Prediction((mesh, mesh), METRIC_FRAME, True, 0.7, None, mesh, lens)


def capture(surroundings=None, lens=None, orientation=1):
    lens = camera.r2n2_intrinsics(48) if lens is None else lens
    image = np.zeros((48, 48, 4), np.uint8)
    view = View(image, np.zeros((48, 48), np.float32), lens)
    return Capture(view, 1e-3, False, orientation, surroundings)


@pytest.mark.parametrize(
    ("up", "extents"), [("y", (0.5, 0.2, 0.3)), ("z", (0.5, 0.3, 0.2))]
)
def test_the_object_stands_upright_in_the_origin(up, extents):
    found = finish.finish(prediction(), Finish("object", up=up), capture())
    for mesh in found.stages:
        assert_allclose(np.ptp(mesh.vertices, axis=0), extents, atol=0.01)
        assert_allclose(
            mesh.vertices.min(axis=0), -mesh.vertices.max(axis=0), atol=1e-6
        )
    assert found.frame == "object, upright by its box, which is a guess; metres"
    volume = trimesh.Trimesh(*found.mesh[:2], process=False).volume
    assert volume == pytest.approx(0.5 * 0.2 * 0.3, rel=1e-4)  # not mirrored


def test_the_ground_is_believed_before_the_box():
    """A plate on edge."""
    depth, lens, _ = ground(30.0)
    wanted = Finish("object")
    plate = prediction((0.4, 0.5, 0.02))
    found = finish.finish(plate, wanted, capture(depth, lens))
    assert np.ptp(found.mesh.vertices[:, 1]) == pytest.approx(0.5, abs=5e-3)
    assert found.frame == "object, upright on the plane that it stands on; metres"


def test_a_turned_image_has_its_up_turned():
    """EXIF 3: the stored image, whose camera the mesh is in, is upside down."""
    depth, lens, _ = ground(30.0)
    plate = prediction((0.4, 0.5, 0.02))
    upside_down = plate._replace(
        stages=tuple(
            mesh._replace(vertices=mesh.vertices * np.float32([-1, -1, 1]))
            for mesh in plate.stages
        )
    )
    seen = capture(depth, lens, orientation=3)
    found = finish.finish(upside_down, Finish("object"), seen)
    assert np.ptp(found.mesh.vertices[:, 1]) == pytest.approx(0.5, abs=5e-3)


def test_smoothing_takes_noise_and_keeps_the_size():
    ball = trimesh.creation.icosphere(4, 0.3)
    noise = np.random.default_rng(0).normal(0, 0.004, ball.vertices.shape)
    mesh = HostMesh((ball.vertices + noise).astype(np.float32), np.asarray(ball.faces))
    smooth = finish.smooth(mesh, 5).vertices
    rough, smoothed = (np.linalg.norm(v, axis=1).std() for v in (mesh.vertices, smooth))
    assert smoothed < rough / 2
    assert np.linalg.norm(smooth, axis=1).mean() == pytest.approx(0.3, rel=0.01)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Finish("blender"), "unknown frame 'blender'; valid: camera, opencv, object"),
        (Finish(up="x"), "unknown up 'x'; valid: y, z"),
        (Finish(faces=3), "faces is 3; expected at least 4"),
        (Finish(smooth=-1), "smooth is -1; expected 0 or more"),
    ],
)
def test_what_there_is_not_is_refused(wanted, message):
    with pytest.raises(InputError, match=re.escape(message)):
        finish.check(wanted)
