"""The page in a real browser: upload, press, turn the mesh; on a desk and a phone."""

import numpy as np
import pytest

from benchmarks import browser

pytestmark = pytest.mark.slow
# Part of the pixels of the viewer that change when the mesh is turned.
TURNED = 0.02
# Bytes of the images in the documentation.
MOST = {"app.png": 200_000, "app_phone.png": 120_000}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    pytest.importorskip("gradio", reason="needs the extra web: gradio")
    pytest.importorskip("playwright", reason="needs the extra browser: playwright")
    if browser.CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with browser.served(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.mark.parametrize("name", browser.IMAGES)
def test_a_visitor_makes_a_mesh_and_turns_it(address, tmp_path, name):
    size = browser.IMAGES[name]
    seen = browser.visit(address, size)
    assert seen.hosts <= {"127.0.0.1", "blob", "data"}
    assert "127.0.0.1" in seen.hosts
    before, after = browser.pixels(seen.before), browser.pixels(seen.after)
    assert (np.abs(before - after).max(axis=-1) > 20).mean() > TURNED
    assert seen.width == size[0]
    assert browser.pixels(seen.page).shape[1] == size[0]
    browser.save(seen.page, tmp_path / name)
    assert (tmp_path / name).stat().st_size < MOST[name]


def test_the_images_in_the_documentation_are_small(repository):
    for name, most in MOST.items():
        assert (repository / "docs" / name).stat().st_size < most
