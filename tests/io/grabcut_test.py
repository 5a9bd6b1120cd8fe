"""GrabCut: inside a box, without weights."""

import sys

import numpy as np
import pytest
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import captures, matting
from pixel2mesh_jax.io.grabcut import GrabCut
from tests.io.matting_test import dark_disc, inside

BOX = (6, 6, 58, 58)


def test_the_disc_is_cut_out_of_its_box():
    pytest.importorskip("cv2")
    alpha = GrabCut(BOX)(dark_disc())
    assert alpha.dtype == np.uint8
    assert ((alpha > 127) == inside()).mean() > 0.98
    np.testing.assert_array_equal(alpha, GrabCut(BOX)(dark_disc()))


def test_the_box_of_a_capture_is_looked_in(tmp_path):
    pytest.importorskip("cv2")
    path = tmp_path / "photo.png"
    Image.fromarray(dark_disc()).save(path)
    cut_out = matting.load_matting("grabcut")
    view = captures.load_capture(path, matting=cut_out, box=BOX).view
    assert ((view.rgba[..., 3] > 127) == inside()).mean() > 0.98
    with pytest.raises(InputError, match="looks inside a box: give --box"):
        captures.load_capture(path, matting=cut_out)


@pytest.mark.parametrize("box", [(0, 0, 64, 64), (70, 70, 90, 90), (9, 9, 9, 20)])
def test_a_box_of_all_or_nothing_is_refused(box):
    pytest.importorskip("cv2")
    with pytest.raises(InputError, match="some of the image of 64x64 pixels inside"):
        GrabCut(box)(dark_disc())


def test_opencv_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"pip install 'pixel2mesh-jax\[grabcut\]'"):
        matting.load_matting("grabcut")


def test_a_box_that_is_not_used_is_said(tmp_path, caplog):
    rgba = np.dstack([dark_disc(), np.where(inside(), 255, 0).astype(np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    captures.load_capture(tmp_path / "a.png", box=BOX)
    assert "the box is not used, its transparency says what the object" in caplog.text
