"""The head that says how far away an object is, trained alone."""

import jax
import numpy as np
import pytest

from benchmarks import distance_head
from configs import rgb, rgbd_sdf
from pixel2mesh_jax import methods
from pixel2mesh_jax.geometry import frustum
from pixel2mesh_jax.models.frustum_distance import DistanceHead
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.weights import release
from tests.views_of_solids import SIZE, SOLIDS, batch_of, see


def batches():
    """Views of solids, each with a second row that only fills up."""
    for name in SOLIDS:
        batch = batch_of(see(SOLIDS[name]))
        volume = frustum.view_volume(batch.depth, batch.mask, batch.intrinsics)
        batch = batch._replace(placement=frustum.pack(volume))
        twice = jax.tree.map(lambda array: np.concatenate([array, array]), batch)
        yield twice._replace(weight=np.array([1.0, 0.0], np.float32))


@pytest.fixture(scope="module")
def method():
    config = rgbd_sdf.get_config("tiny")
    config.image_size = SIZE
    config.model.update(resolution=16, layers=16, widths=(8, 16), features=8)
    return methods.make(config)


@pytest.fixture(scope="module")
def params(method):
    return states.init_variables(method, method.constants, seed=0).params


@pytest.fixture(scope="module")
def views(method, params):
    look = distance_head.coarse_maps(method.model, params)
    return distance_head.gather(look, batches())


def test_maps_are_those_from_which_the_network_says_the_distance(method, params, views):
    params = {**params, "distance": _changed(params["distance"])}
    network = states.Programs(method).bind(states.Variables(params, {}), ())
    for row, batch in enumerate(batches()):
        blind = batch._replace(depth=np.zeros_like(batch.depth), placement=None)
        seen = [part[0, [row]] for part in views.coarse], views.placement[0, [row]]
        found = DistanceHead().apply({"params": params["distance"]}, *seen)
        expected = network("__call__", blind).near[:1]
        np.testing.assert_allclose(found, expected, rtol=2e-3)


def _changed(params):
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: leaf + 0.1 * random.normal(size=leaf.shape), params
    )


def test_rows_that_fill_up_are_left_out_and_truth_is_kept(views):
    assert views.near.shape == (len(SOLIDS),)
    expected = [batch.placement[0, 3] for batch in batches()]
    np.testing.assert_allclose(views.near, expected)


def test_a_mirror_turns_the_direction(views):
    direct, mirrored = views.placement
    np.testing.assert_allclose(mirrored[:, 0], -direct[:, 0], atol=1e-6)
    np.testing.assert_allclose(mirrored[:, 1:3], direct[:, 1:3], atol=1e-6)


def test_the_head_learns_how_far_away_the_views_are(params, views, monkeypatch):
    monkeypatch.setattr(distance_head, "BATCH", 8)
    monkeypatch.setattr(distance_head, "WARMUP_STEPS", 5)
    monkeypatch.setattr(distance_head, "REPORT_EVERY", 30)
    lines = []
    learned = distance_head.learn(params["distance"], views, 60, 0, lines.append)
    first, last = (float(line.split()[-2]) for line in lines)
    assert last < first
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), learned, params["distance"])
    assert all(change > 0 for change in jax.tree.leaves(moved))


def test_a_training_shorter_than_its_warm_up_is_refused(capsys):
    arguments = ["--data_dir=none", "--steps=100", "--output=new.safetensors"]
    assert distance_head.main(arguments) == 2
    assert "steps is 100; expected more than 100" in capsys.readouterr().err


def test_weights_of_another_method_are_refused(tmp_path, capsys):
    path = tmp_path / "other.safetensors"
    release.save(path, {"params": {}}, rgb.get_config().to_dict())
    arguments = ["--data_dir=none", f"--weights={path}", "--output=new.safetensors"]
    assert distance_head.main(arguments) == 2
    assert "expected 'frustum'" in capsys.readouterr().err


def test_weights_that_are_none_are_refused(tmp_path, capsys):
    path = tmp_path / "none.safetensors"
    path.write_bytes(b"nothing")
    arguments = ["--data_dir=none", f"--weights={path}", "--output=new.safetensors"]
    assert distance_head.main(arguments) == 2
    assert "not released weights" in capsys.readouterr().err
