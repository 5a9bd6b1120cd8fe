"""Builds whose workers die or fail, and finished objects that are damaged."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from data_pipelines import build
from data_pipelines.building import cache, worker_pool
from data_pipelines.building.options import Options
from data_pipelines.building.results import BuildResult
from data_pipelines.mesh_folder import source as mesh_folder
from pixel2mesh_jax.errors import InputError
from tests import deadly_objects
from tests.data_pipelines.build_test import write_box

OPTIONS = Options(views=1, num_points=10)


def fill(folder, items, workers, make=deadly_objects.make_examples):
    return list(cache.build_missing(folder, items, make, OPTIONS, workers))


@pytest.mark.parametrize(
    "death", ["segfault", pytest.param("kill", marks=pytest.mark.slow)]
)
def test_an_object_that_kills_its_worker_is_left_out_and_named(tmp_path, death):
    """The others are built, also those that were in flight with it."""
    items = deadly_objects.items(a="", b=death, c="slow", d="slow", e="")
    results = fill(tmp_path, items, workers=2)
    expected = {BuildResult("train", name) for name in "acde"}
    assert set(results) == expected | {
        BuildResult("train", "b", failure=worker_pool.DIED)
    }
    assert len(results) == 5


def test_one_worker_dies_once_and_names_the_object_the_next_time(tmp_path, repository):
    """With --workers 1 the build itself is what dies."""
    program = (
        "import pathlib; from data_pipelines.building import cache; "
        "from data_pipelines.building.options import Options; "
        "from tests import deadly_objects as d; "
        f"folder = pathlib.Path({str(tmp_path)!r}); "
        "items = d.items(a='', b='segfault', c=''); options = Options()\n"
        "if __name__ == '__main__':\n"
        "    arguments = folder, items, d.make_examples, options, 1\n"
        "    for row in cache.build_missing(*arguments):\n"
        "        print(row.object_id, row.failure)"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    first, second = (
        subprocess.run(
            [sys.executable, script],
            env=os.environ | {"PYTHONPATH": str(repository)},
            capture_output=True,
            text=True,
            check=False,
        )
        for _ in range(2)
    )
    assert first.returncode == -signal.SIGSEGV
    assert second.returncode == 0, second.stderr
    lines = sorted(line.strip() for line in second.stdout.splitlines())
    assert lines == ["a", f"b {worker_pool.DIED}", "c"]


def test_an_object_that_was_in_flight_when_the_build_was_killed_is_built(tmp_path):
    """It was not to blame: kill -9 of the build leaves such notes."""
    items = deadly_objects.items(a="", b="")
    worker_pool.note_of(cache.path_of(tmp_path, items[1])).touch()
    assert {row.failure for row in fill(tmp_path, items, workers=1)} == {""}
    assert not list(tmp_path.glob("*.building"))


def test_the_report_names_what_killed_its_worker(tmp_path, monkeypatch, capfd):
    for name in "ab":
        write_box(tmp_path / "source" / "chair" / f"{name}.glb")
    result = BuildResult("train", "chair/a.glb", failure=worker_pool.DIED)

    def build_missing(folder, items, make_examples, options, workers):
        (good,) = (item for item in items if item.object_id == "chair/b.glb")
        folder.mkdir(parents=True)
        yield from list(real(folder, [good], make_examples, options, 1))
        yield result

    real = cache.build_missing
    monkeypatch.setattr(cache, "build_missing", build_missing)
    arguments = ["mesh_folder", "--source", str(tmp_path / "source"), "--views=1"]
    assert build.main([*arguments, "--data_dir", str(tmp_path / "data")]) == 0
    assert f"skipped chair/a.glb: {worker_pool.DIED}" in capfd.readouterr().err


def test_an_error_of_a_worker_cancels_what_is_queued(tmp_path):
    """Here a folder stands where a finished object belongs; a full disk is the same."""
    names = [f"o{number:02d}" for number in range(30)]
    items = deadly_objects.items(**dict.fromkeys(names, "slow"))
    cache.path_of(tmp_path, items[0]).mkdir()
    with pytest.raises(OSError, match="directory"):
        fill(tmp_path, items, workers=2)
    assert len(list(tmp_path.glob("*.npz"))) < 10


def test_workers_that_never_start_do_not_make_an_endless_loop(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_pool, "_start_worker", os.abort)
    with pytest.raises(InputError, match="--workers 1 shows why"):
        fill(tmp_path, deadly_objects.items(a="", b="", c=""), workers=2)


@pytest.fixture
def finished(tmp_path):
    """A finished object of the cache."""
    write_box(tmp_path / "source" / "chair" / "a.glb")
    (item,), _ = mesh_folder.find_items(tmp_path / "source", OPTIONS)
    fill(tmp_path, [item], 1, mesh_folder.make_examples)
    return item, cache.path_of(tmp_path, item)


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_damaged_file_of_the_cache_is_built_again(tmp_path, finished, share):
    item, path = finished
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    (result,) = fill(tmp_path, [item], 1, mesh_folder.make_examples)
    assert result == BuildResult("train", "chair/a.glb", views=1, points=10)
    assert path.read_bytes() == content


def test_damage_that_shows_late_is_named_and_mended_by_the_next_run(tmp_path, finished):
    """A bit that flipped in the arrays, whose checksums are read with them."""
    item, path = finished
    content = bytearray(path.read_bytes())
    with np.load(path) as arrays:
        pixels = arrays["0/rgba"].tobytes()
    content[content.index(pixels) + 50] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"chair/a\.glb was damaged.*builds it again"):
        list(cache.load(tmp_path, item))
    assert not path.exists()
