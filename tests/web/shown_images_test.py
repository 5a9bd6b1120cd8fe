"""The image beside the mesh."""

import numpy as np
import pytest

from pixel2mesh_jax.inference.evidence import MAX_SIDE, Evidence, evidence
from pixel2mesh_jax.io.captures import Capture
from pixel2mesh_jax.structures import View
from pixel2mesh_jax.web import shown_images

SIZE = 100


@pytest.fixture
def scene():
    """A black square before a dark ground; depth grows from left to right."""
    image = np.zeros((SIZE, SIZE, 4), np.uint8)
    image[20:] = (100, 0, 0, 0)
    image[30:70, 30:70] = 0
    image[30:70, 30:70, 3] = 255
    depth = np.tile(np.linspace(1, 2, SIZE, dtype=np.float32), (SIZE, 1))
    return Evidence(image, depth)


def test_the_object_keeps_its_colours_and_gets_an_outline(scene):
    shown = shown_images.side_by_side(scene._replace(depth=None))
    assert shown.shape == (SIZE, SIZE, 3)
    assert not shown[30:70, 30:70].any()
    assert (shown[29, 30:70] == shown_images.OUTLINE).all()
    assert (shown[:20] == round(255 * shown_images.FADED)).all()


def test_ground_of_one_colour_is_white(scene):
    """What images with transparency have there is no colour of anything."""
    image = np.where(scene.image[..., 3:] > 0, scene.image, np.uint8(0))
    shown = shown_images.cut_out(image)
    assert (shown[:30] == 255).all()
    assert not shown[30:70, 30:70].any()


def test_depth_stands_beside_it(scene):
    shown = shown_images.side_by_side(scene)
    assert shown.shape == (SIZE, 2 * SIZE + 2, 3)
    depth = shown[:, SIZE + 2 :].astype(int)
    assert np.ptp(depth[35:65, 35:65], axis=-1).min() > 0  # colours
    assert np.ptp(depth[:20], axis=-1).max() == 0  # greys
    assert (np.diff(depth[0, :, 0]) <= 0).all()  # farther is darker
    assert depth[50, 31].sum() > depth[50, 68].sum()


def test_missing_depth_is_white(scene):
    scene.depth[:50] = 0
    inside = scene.image[..., 3] > 127
    shown = shown_images.depth_colors(scene.depth, inside)
    assert (shown[:50] == 255).all()
    assert (shown[50:] != 255).any(axis=-1).all()


def test_an_object_at_the_border_has_an_outline_inside_the_image(scene):
    inside = np.ones((SIZE, SIZE), bool)
    assert not shown_images.outline(inside).any()
    inside[:, 50:] = False
    assert [*np.nonzero(shown_images.outline(inside)[0])[0]] == [50]


def test_evidence_is_small_and_shows_the_surroundings():
    shape = (600, 1300)
    rgba = np.full((*shape, 4), 255, np.uint8)
    rgba[:, :650] = (10, 20, 30, 0)
    object_depth = np.where(rgba[..., 3] > 0, np.float32(1), np.float32(0))
    view = View(rgba, object_depth, np.eye(3, dtype=np.float32))
    around = np.where(object_depth > 0, np.float32(0), np.float32(2))
    found = evidence(Capture(view, 1.0, True, 1, around))
    assert found.image.shape == (200, 433, 4)
    assert max(found.image.shape) <= MAX_SIDE
    assert [*found.image[0, 0]] == [10, 20, 30, 0]  # for an image of the scene
    assert (found.depth[:, :216] == 2).all()
    assert (found.depth[:, 218:] == 1).all()
    nothing = view._replace(depth=np.zeros(shape, np.float32))
    assert evidence(Capture(nothing, None, True, 1)).depth is None
