"""The method of signed distances from images that are not as they should be."""

import jax
import numpy as np
import pytest
import trimesh

from configs import rgbd_sdf
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training import state as states
from tests.batches import make_batch
from tests.views_of_solids import SIZE, SOLIDS, batch_of, see


def config_of(**changes):
    config = rgbd_sdf.get_config("tiny")
    config.image_size = SIZE
    config.model.update(resolution=24, layers=24, widths=(8, 16), features=8, **changes)
    return config


@pytest.fixture(scope="module")
def method():
    return methods.make(config_of())


@pytest.fixture(scope="module")
def call(method):
    """Fresh weights: the last layer is zero, so the distances are those of the view."""
    init = states.init_variables(method, method.constants, seed=0)
    return states.Programs(method).bind(init, method.constants)


@pytest.fixture(scope="module")
def view():
    return see(SOLIDS["torus"])


def mesh_of(method, call, batch):
    """The mesh, which has to be closed and finite."""
    (found,) = method.extract(call, batch)
    mesh = found.mesh
    assert np.isfinite(mesh.vertices).all()
    assert ((mesh.colors >= 0) & (mesh.colors <= 1)).all()
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).is_watertight
    return mesh


def test_visible_side_is_where_the_depth_map_is(method, call, view):
    mesh = mesh_of(method, call, batch_of(view))
    depth = -mesh.vertices[:, 2]
    np.testing.assert_allclose(
        depth.min(), view.depth[view.depth > 0].min(), atol=0.005
    )


def test_millimetres_give_the_same_mesh_in_millimetres(method, call, view):
    metres = mesh_of(method, call, batch_of(view))
    batch = batch_of(view, depth=1000 * view.depth[None])
    millimetres = mesh_of(method, call, batch)
    assert len(millimetres.faces) == pytest.approx(len(metres.faces), rel=0.02)
    for end in (np.min, np.max):
        np.testing.assert_allclose(
            end(millimetres.vertices, axis=0),
            1000 * end(metres.vertices, axis=0),
            rtol=1e-2,
        )


@pytest.mark.parametrize("lost", ["all", "a hole", "nine in ten"])
def test_missing_depth(method, call, view, lost):
    depth = view.depth.copy()
    if lost == "all":
        depth[:] = 0
    elif lost == "a hole":
        depth[40:60, 30:50] = 0
    else:
        depth[np.random.default_rng(0).random(depth.shape) < 0.9] = 0
    mesh = mesh_of(method, call, batch_of(view, depth=depth[None]))
    assert len(mesh.faces) > 100


def test_a_torus_is_completed_by_its_symmetry(method, call, view):
    """Fresh weights take all that is hidden for solid; the far rim is round again."""
    (found,) = method.extract(call, batch_of(view))
    assert 1 <= found.mirrors <= 3
    assert found.on_depth_map
    alone = methods.make(config_of(mirrors=0))
    (as_seen,) = alone.extract(call, batch_of(view))
    assert as_seen.mirrors == 0
    wrong = [
        np.abs(view.distance(one.mesh.vertices.astype(np.float64))).mean()
        for one in (found, as_seen)
    ]
    assert wrong[0] < 0.7 * wrong[1]


def test_without_depth_nothing_is_mirrored(method, call, view):
    batch = batch_of(view, depth=np.zeros_like(view.depth)[None])
    (found,) = method.extract(call, batch)
    assert found.mirrors == 0
    assert not found.on_depth_map


def test_a_negative_number_of_planes_is_refused():
    with pytest.raises(InputError, match=r"model.mirrors is -1; expected 0 or"):
        methods.make(config_of(mirrors=-1))


def test_object_cut_by_the_border_of_the_image(method, call, view):
    shift = SIZE // 2
    moved = {
        name: np.roll(getattr(view, name), shift, axis=1) for name in ("depth", "mask")
    }
    for array in moved.values():
        array[:, :shift] = 0
    mesh_of(method, call, batch_of(view._replace(**moved)))


@pytest.mark.parametrize("mask", [0.0, 1.0])
def test_masks_of_nothing_and_of_everything(method, call, view, mask):
    mesh_of(
        method, call, batch_of(view, mask=np.full((1, SIZE, SIZE), mask, np.float32))
    )


def test_object_longer_than_the_volume_is_closed_at_its_end(method, call, view):
    """Depth that runs away from the camera over many times the width."""
    rows = np.linspace(0.5, 3.0, SIZE, dtype=np.float32)
    depth = np.where(view.mask > 0, rows[:, None], 0)
    mesh_of(method, call, batch_of(view, depth=depth[None]))


def test_noise_gives_a_mesh(method, call):
    batch = make_batch(3, 1)
    image = jax.tree.map(
        lambda x: np.repeat(np.repeat(x, 3, axis=1), 3, axis=2),
        (batch.rgb, batch.depth, batch.mask),
    )
    mesh_of(method, call, batch._replace(rgb=image[0], depth=image[1], mask=image[2]))
