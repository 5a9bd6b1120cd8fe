"""The page in a real browser: upload, press, turn the mesh; on a desk and a phone."""

import numpy as np
import pytest

from benchmarks import browser
from pixel2mesh_jax.web import shown_images
from tests import untrained_runs
from tests.training.loop_test import make_config

pytestmark = pytest.mark.slow
# Part of the pixels of the viewer that change when the mesh is turned.
TURNED = 0.02
# Bytes of the images in the documentation.
NEAREST = (253, 231, 37)  # the brightest colour of depth
MOST = {"app.png": 200_000, "app_phone.png": 120_000}


@pytest.fixture(scope="module")
def browser_there():
    pytest.importorskip("gradio", reason="needs the extra web: gradio")
    pytest.importorskip("playwright", reason="needs the extra browser: playwright")
    if browser.CHROMIUM is None:
        pytest.skip("chromium is not installed")


@pytest.fixture(scope="module")
def address(browser_there, tmp_path_factory):
    with browser.served(tmp_path_factory.mktemp("server")) as found:
        yield found


def colors_of(image):
    """Number of pixels by kind: of the outline, and of the brightest depth."""
    seen = browser.pixels(image)
    near = np.abs(seen - NEAREST).max(axis=-1) < 30
    line = np.abs(seen - shown_images.OUTLINE).max(axis=-1) < 30
    return line.sum(), near.sum()


@pytest.mark.parametrize("name", browser.IMAGES)
def test_a_visitor_makes_a_mesh_and_turns_it(address, tmp_path, name):
    size = browser.IMAGES[name]
    seen = browser.visit(address, size)
    assert seen.hosts <= {"127.0.0.1", "blob", "data"}
    assert "127.0.0.1" in seen.hosts
    before, after = browser.pixels(seen.before), browser.pixels(seen.after)
    assert (np.abs(before - after).max(axis=-1) > 20).mean() > TURNED
    assert min(colors_of(seen.evidence)) > 20
    assert seen.stages == []
    assert seen.width == size[0]
    assert browser.pixels(seen.page).shape[1] == size[0]
    browser.save(seen.page, tmp_path / name)
    assert (tmp_path / name).stat().st_size < MOST[name]


def test_a_mask_is_uploaded_and_stages_are_looked_at(browser_there, tmp_path_factory):
    """A run of Pixel2Mesh that never learned: its stages differ all the same."""
    workdir = tmp_path_factory.mktemp("run") / "untrained"
    config = make_config()
    untrained_runs.save(workdir, config)
    folder = tmp_path_factory.mktemp("server")
    with browser.served(folder, "--model", str(workdir)) as address:
        seen = browser.visit(address, browser.DESK, "gelatin_box")
    assert min(colors_of(seen.evidence)) > 20
    assert len(seen.stages) == config.model.num_stages
    first, *_, last = map(browser.pixels, seen.stages)
    assert (np.abs(first - last).max(axis=-1) > 20).mean() > 0.001
    assert seen.width == browser.DESK[0]
    assert [*folder.iterdir()] == []


def test_the_images_in_the_documentation_are_small(repository):
    for name, most in MOST.items():
        assert (repository / "docs" / name).stat().st_size < most
