"""What the documentation shows is run, block after block."""

import importlib.util
import re
import subprocess
import sys

import pytest

PAGES = ("docs/python.md",)


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run(page, repository, tmp_path, monkeypatch):
    (tmp_path / "examples").symlink_to(repository / "examples")
    monkeypatch.chdir(tmp_path)
    text = (repository / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    names = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    assert (tmp_path / "out" / "taxi.glb").is_file()
    assert len(names["results"]) == 2
    assert not names["guess"].scale_is_metric
    assert names["for_robots"].mesh.vertices[:, 2].min() > 0
    upright = names["for_blender"].mesh
    assert len(upright.faces) == 2000
    assert upright.extents.argmin() != 0  # a car is longer than high


@pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None, reason="needs the extra 'docs'"
)
def test_the_site_is_built_without_a_warning(repository, tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path]
    done = subprocess.run(
        command, cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Arrays and Pillow images" in (tmp_path / "python.html").read_text()
    assert "depth_to_color" in (tmp_path / "reference.html").read_text()
