"""Views written as files: complete, never over those of somebody else."""

import numpy as np
import pytest
from PIL import Image

from data_pipelines import export, input_pipeline
from pixel2mesh_jax.errors import InputError


def record(object_id="chair/a.glb", metres=0.8):
    return {
        "object_id": object_id.encode(),
        "view": 1,
        "rgba": np.full((4, 4, 4), 255, np.uint8),
        "depth": np.full((4, 4), metres, np.float32),
        "intrinsics": np.eye(3),
    }


def test_a_view_becomes_image_depth_and_camera(tmp_path):
    export.write_view(tmp_path, "a", record())
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a.png", "a_depth.png", "a_camera.json"}
    with Image.open(tmp_path / "a_depth.png") as depth:
        np.testing.assert_array_equal(np.asarray(depth), 800)


def test_the_same_view_may_be_written_again(tmp_path):
    for _ in range(2):
        export.write_view(tmp_path, "a", record())


def test_another_file_of_that_name_is_never_overwritten(tmp_path):
    (tmp_path / "a_camera.json").write_text("mine")
    with pytest.raises(InputError, match=r"a_camera\.json is there already"):
        export.write_view(tmp_path, "a", record())
    assert (tmp_path / "a_camera.json").read_text() == "mine"
    assert not (tmp_path / "a.png").exists()


def test_objects_that_differ_in_the_suffix_alone_keep_both_names(monkeypatch):
    rows = [record("chair/a.glb"), record("chair/a.obj"), record("chair/b.glb")]
    monkeypatch.setattr(input_pipeline, "decoded_records", lambda *_: iter(rows))
    names = [name for name, _ in export.read_views("d", "data", "test", 3)]
    assert names == ["chair_a_01", "chair_a_01-2", "chair_b_01"]


def test_depth_beyond_16_bits_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"70\.0 m does not fit"):
        export.write_view(tmp_path, "a", record(metres=70))
    assert not list(tmp_path.iterdir())
