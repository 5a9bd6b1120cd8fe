"""One file of trained weights: half precision, settings in its header, nothing run."""

import json

import jax
import numpy as np
import pytest

from configs import rgbd_sdf
from pixel2mesh_jax import methods
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.training import run_folder
from pixel2mesh_jax.training import state as states
from pixel2mesh_jax.weights import release
from tests.batches import make_batch


@pytest.fixture(scope="module")
def small():
    """Settings and variables of a network of two levels."""
    config = rgbd_sdf.get_config("tiny")
    config.model.update(resolution=8, layers=8, widths=(8, 8), features=8)
    method = methods.make(config)
    init = states.init_variables(method, method.constants, seed=0)
    return config, jax.tree.map(np.asarray, init)


def write(path, small):
    config, variables = small
    release.save(path, {"params": variables.params}, config.to_dict())
    return path


def test_weights_come_back_within_half_precision(small, tmp_path):
    settings, found = release.load(write(tmp_path / "a.safetensors", small))
    config, variables = small
    assert settings == json.loads(json.dumps(config.to_dict()))
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-3, atol=1e-6),
        found["params"],
        variables.params,
    )


def test_released_weights_reconstruct(small, tmp_path, monkeypatch):
    monkeypatch.setattr(release, "FOLDER", tmp_path)
    write(tmp_path / "tiny.safetensors", small)
    run = run_folder.load_released("tiny")
    (found,) = run.extract(make_batch(0, 1))
    assert len(found.mesh.faces) > 0
    assert found.mesh.colors.shape == found.mesh.vertices.shape
    with pytest.raises(InputError, match=r"No released weights 'rgbd'.*tiny"):
        run_folder.load_released("rgbd")


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\xff" * 8 + b"{}"])
def test_damaged_files_are_named(content, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.safetensors: not released weights"):
        release.load(path)


def test_values_beyond_half_precision_are_refused(tmp_path):
    with pytest.raises(InputError, match="w is not finite in float16"):
        release.save(tmp_path / "a.safetensors", {"w": np.array([1e6])}, {})
