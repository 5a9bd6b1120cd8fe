"""What the documentation shows is run, block after block."""

import re

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
