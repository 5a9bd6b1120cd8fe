"""What is done with a prediction before it is placed or scored."""

import numpy as np
import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import templates
from pixel2mesh_jax.inference import predict
from pixel2mesh_jax.structures import HostMesh, Reconstruction
from tests.batches import make_batch
from tests.views_of_solids import CENTER, SOLIDS, see


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
