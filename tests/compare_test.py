"""Reading runs, and everything that a user can get wrong."""

import io
import json

import pytest
from rich.console import Console

from pixel2mesh_jax import compare
from pixel2mesh_jax.report import gallery
from tests.evaluation.run_tables_test import make_run
from tests.report.page_test import make_sample


@pytest.fixture
def runs(tmp_path):
    """Two evaluated runs without checkpoints."""
    for name, factor in (("a", 2.0), ("b", 1.0)):
        write_run(tmp_path / name, make_run(name, factor))
    return tmp_path


def write_run(folder, run):
    folder.mkdir(parents=True)
    settings = {"method": "pixel2mesh", **run.config}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "metrics.json").write_text(json.dumps(run.metrics))


def refused(capsys, *arguments):
    """The line on stderr of a command line that is wrong."""
    try:
        code = compare.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_tables_are_printed_and_written(runs, capsys):
    output = runs / "new" / "out"
    paths = (runs / "a", runs / "b")
    code = compare.main([*map(str, paths), "--output", str(output), "--views", "0"])
    assert code == 0
    assert "2.667" in capsys.readouterr().out
    assert {path.name for path in output.iterdir()} == {
        "comparison.html",
        "comparison.csv",
        "comparison.md",
    }


def test_images_are_of_the_same_views(runs, monkeypatch):
    views = {"a": make_sample(), "b": make_sample()}
    monkeypatch.setattr(gallery, "TILE", 64)
    monkeypatch.setattr(compare, "_samples", lambda folder, *_: [views[folder.name]])
    console = Console(file=io.StringIO(), width=200)
    paths = [runs / "a", runs / "b"]
    compare.compare(paths, runs / "out", None, 1, console)
    page = (runs / "out" / "comparison.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 8
    views["b"] = views["b"]._replace(true_points=views["b"].true_points + 1)
    with pytest.raises(compare.InputError, match="data of b are not those of a"):
        compare.compare(paths, runs / "out", None, 1, console)


def test_runs_of_the_same_name_are_told_apart_by_their_folders(tmp_path):
    for parent in ("x", "y"):
        write_run(tmp_path / parent / "rgb", make_run("rgb"))
    found = compare.load_runs([tmp_path / "x" / "rgb", tmp_path / "y" / "rgb"])
    assert [run.name for run in found] == ["x/rgb", "y/rgb"]


def test_names_with_brackets_are_printed_as_they_are(tmp_path, capsys):
    for name in ("[red]", "b"):
        write_run(tmp_path / name, make_run(name))
    paths = [str(tmp_path / "[red]"), str(tmp_path / "b")]
    assert compare.main([*paths, "--output", str(tmp_path / "o"), "--views", "0"]) == 0
    assert "[red]" in capsys.readouterr().out


def test_bad_input_is_one_line(runs, capsys):
    a, b = runs / "a", runs / "b"
    assert "the following arguments are required: runs" in refused(capsys)
    assert "two or more different runs" in refused(capsys, a)
    assert "two or more different runs" in refused(capsys, a, runs / "b" / ".." / "a")
    assert "No run in" in refused(capsys, a, runs / "absent")
    assert "--views" in refused(capsys, a, b, "--views", "-1")
    assert "--views" in refused(capsys, a, b, "--views", "many")
    assert "Settings model.* of method" in refused(capsys, a, b)
    write_run(runs / "c", make_run("c", split="val"))
    assert "differ in the split" in refused(capsys, a, runs / "c")
    (runs / "b" / "metrics.json").write_text("{")
    assert "is not JSON" in refused(capsys, a, b)
    (runs / "b" / "metrics.json").unlink()
    assert "evaluate the run with --mode eval" in refused(capsys, a, b)
