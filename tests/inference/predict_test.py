"""What is done with a prediction before it is placed or scored."""

import numpy as np
import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import templates
from pixel2mesh_jax.inference import predict
from pixel2mesh_jax.io import captures
from pixel2mesh_jax.structures import HostMesh, Reconstruction
from tests.batches import make_batch
from tests.views_of_solids import CENTER, SIZE, SOLIDS, see


def shifted_sphere():
    start = templates.icosphere(3, 1, 0.19, tuple(CENTER + np.array([0, 0, -0.02])))
    return HostMesh(start.vertices, np.asarray(start.levels[0].faces), None)


@pytest.fixture(scope="module")
def view():
    return see(SOLIDS["sphere"])


def moved_by(batch, steps):
    mesh = shifted_sphere()
    found = predict.anchored(lambda _: [Reconstruction((mesh,))], steps)(batch)
    return np.abs(found[0].mesh.vertices - mesh.vertices).max()


def test_meshes_are_anchored_where_there_is_depth(view):
    batch = make_batch(1)._replace(
        depth=view.depth[None], mask=view.mask[None], intrinsics=view.intrinsics[None]
    )
    assert moved_by(batch, 30) > 0.01
    assert moved_by(batch, 0) == 0
    assert moved_by(batch._replace(depth=None), 30) == 0


@pytest.mark.parametrize("on_depth_map", [False, True])
def test_a_mesh_is_scaled_onto_the_depth_map_unless_it_is_there(view, on_depth_map):
    """The ball is elsewhere: what says that it is there already stays where it is."""
    rgba = np.full((*view.mask.shape, 4), 128, np.uint8)
    rgba[..., 3] = 255 * view.mask
    capture = captures.Capture(
        captures.View(rgba, view.depth, view.intrinsics.astype(np.float32)),
        unit=1.0,
        lens_assumed=False,
        orientation=1,
    )
    ball = templates.icosphere(3, 1, 0.2, (0.02, -0.01, -0.9))
    mesh = HostMesh(ball.vertices, np.asarray(ball.levels[0].faces), None)
    made = Reconstruction((mesh,), on_depth_map=on_depth_map)
    found = predict.predict(
        lambda _: [made], capture, "ball", image_size=SIZE, fit="never"
    )
    shown = found.batch.depth[found.batch.depth > 0].min()
    expected = 0.6 * (0.7 / shown if on_depth_map else 1)
    assert -found.mesh.vertices[:, 2].max() == pytest.approx(expected, abs=0.01)
    assert shown != pytest.approx(0.7, abs=0.02)


def test_less_than_no_steps_are_refused():
    with pytest.raises(InputError, match="refine is -2; expected 0 or a number"):
        predict.anchored(lambda batch: [], -2)


def test_a_model_that_can_do_without_is_not_shown_the_depth():
    seen = []
    extract = predict.without_depth(seen.append, optional=("depth",))
    batch = make_batch(2)
    extract(batch)
    assert not seen[0].depth.any()
    np.testing.assert_array_equal(seen[0].rgb, batch.rgb)


def test_a_model_that_needs_depth_cannot_be_scored_without():
    with pytest.raises(InputError, match="can do without depth"):
        predict.without_depth(lambda batch: [], optional=())
