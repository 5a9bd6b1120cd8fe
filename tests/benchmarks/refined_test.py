"""Several meshes of the same distances."""

from benchmarks import refined
from configs import rgbd_sdf, rgbd_sdf_refined
from pixel2mesh_jax.training import run_folder
from tests import untrained_runs
from tests.views_of_solids import SIZE, SOLIDS, batch_of, see


def config_of():
    config = rgbd_sdf_refined.get_config("tiny")
    config.image_size = SIZE
    config.model.update(resolution=16, layers=16, widths=(8, 16), features=8)
    return config


def test_every_way_to_a_mesh_has_a_row(tmp_path):
    untrained_runs.save(tmp_path, config_of())
    run = run_folder.load_run(tmp_path, run_folder.load_config(tmp_path))
    batch = batch_of(see(SOLIDS["sphere"]))
    text = refined.table(run, iter([batch]))
    assert text.count("after stage") == 3
    for name in ("marching cubes, carved and stamped", "corners of the cells"):
        assert f"| {name}" in text


def test_a_run_of_another_method_is_refused(tmp_path, capsys):
    config = rgbd_sdf.get_config("tiny")
    config.model.update(resolution=16, layers=16, widths=(8, 16), features=8)
    untrained_runs.save(tmp_path, config)
    assert refined.main([str(tmp_path), "--data_dir=none"]) == 2
    assert "not a run of rgbd_sdf_refined.py" in capsys.readouterr().err


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    assert refined.main([str(tmp_path / "none"), "--data_dir=none"]) == 2
    assert "No run in" in capsys.readouterr().err
