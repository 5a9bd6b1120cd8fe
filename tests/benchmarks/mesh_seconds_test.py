"""How long a mesh takes."""

import numpy as np
import pytest

from benchmarks import mesh_seconds
from configs import rgbd_sdf
from pixel2mesh_jax.training import run_folder
from tests import untrained_runs
from tests.views_of_solids import SIZE, SOLIDS, batch_of, see


def test_seconds_of_all_views_but_the_first(tmp_path):
    config = rgbd_sdf.get_config("tiny")
    config.image_size = SIZE
    config.model.update(resolution=16, layers=16, widths=(8, 16), features=8)
    untrained_runs.save(tmp_path, config)
    batch = batch_of(see(SOLIDS["sphere"]))
    found = mesh_seconds.seconds(run_folder.load_run(tmp_path), iter([batch] * 3))
    assert found.shape == (2,)
    assert (np.array(found) > 0).all()


def test_one_view_is_not_enough(capsys):
    with pytest.raises(SystemExit):
        mesh_seconds.main(["run", "--data_dir=none", "--views=1"])
    assert "expected 2 or more" in capsys.readouterr().err


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    assert mesh_seconds.main([str(tmp_path / "none"), "--data_dir=none"]) == 2
    assert "No run in" in capsys.readouterr().err
