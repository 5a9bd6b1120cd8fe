"""What stands for the object in a mask: white, any value, one label of several."""

import numpy as np
import pytest
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import masks


def save(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def disc(size=64, radius=20):
    v, u = np.mgrid[:size, :size] - (size - 1) / 2
    return np.hypot(u, v) < radius


@pytest.mark.parametrize("level", [1, 3, 40, 200, 255])
def test_one_value_is_the_object(tmp_path, level):
    mask = np.where(disc(), np.uint8(level), np.uint8(0))
    loaded = masks.load_mask(save(tmp_path / "mask.png", mask))
    np.testing.assert_array_equal(loaded, np.where(disc(), 255, 0))


@pytest.mark.parametrize("level", [7, 1000, 65535])
def test_16_bit_values(tmp_path, level):
    mask = np.where(disc(), np.uint16(level), np.uint16(0))
    loaded = masks.load_mask(save(tmp_path / "mask.png", mask))
    np.testing.assert_array_equal(loaded, np.where(disc(), 255, 0))


def test_soft_edges_stay_soft(tmp_path):
    v, u = np.mgrid[:64, :64] - 31.5
    soft = np.clip((20 - np.hypot(u, v)) * 100 + 128, 0, 255).astype(np.uint8)
    loaded = masks.load_mask(save(tmp_path / "mask.png", soft))
    np.testing.assert_array_equal(loaded, soft)


def test_jpeg(tmp_path, caplog):
    white = np.where(disc(), np.uint8(255), np.uint8(0))
    loaded = masks.load_mask(save(tmp_path / "mask.jpg", white, quality=75))
    assert np.mean((loaded >= 128) == disc()) > 0.99
    assert caplog.text == ""


def labelled():
    values = np.where(disc(), np.uint8(200), np.uint8(0))
    values[:8, :8], values[-8:, -10:] = 40, 150
    return values


def test_labels_are_a_choice(tmp_path, caplog):
    path = save(tmp_path / "mask.png", labelled())
    np.testing.assert_array_equal(masks.load_mask(path) > 0, labelled() == 200)
    assert "labels (200 on 1264 pixels, 150 on 80 pixels, 40 on 64" in caplog.text
    assert "--label" in caplog.text
    for label in (40, 150, 200):
        chosen = masks.load_mask(path, label)
        np.testing.assert_array_equal(chosen > 0, labelled() == label)
    with pytest.raises(InputError, match=r"no pixel of label 3; found 200 on 1264"):
        masks.load_mask(path, 3)


def test_small_labels_and_coloured_palettes(tmp_path, caplog):
    values = labelled() // 50  # 0, 3 and 4
    image = Image.fromarray(values).convert("P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0, 128, 9, 9, 200] * 5)
    image.save(tmp_path / "mask.png")
    np.testing.assert_array_equal(
        masks.load_mask(tmp_path / "mask.png", 3) > 0, values == 3
    )
    masks.load_mask(tmp_path / "mask.png")
    assert "holds several labels (4 on" in caplog.text


def test_two_colours_are_two_labels(tmp_path, caplog):
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[disc()] = (255, 0, 0)
    rgb[:8, :8] = (0, 255, 0)
    loaded = masks.load_mask(save(tmp_path / "mask.png", rgb))
    np.testing.assert_array_equal(loaded > 0, disc())
    assert f"{255 << 16} on 1264 pixels" in caplog.text


def test_alpha_is_coverage(tmp_path):
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[..., 3] = np.where(disc(), 255, 0)
    loaded = masks.load_mask(save(tmp_path / "mask.png", rgba))
    np.testing.assert_array_equal(loaded, rgba[..., 3])


def test_empty_masks_are_refused(tmp_path):
    path = save(tmp_path / "mask.png", np.zeros((9, 9), np.uint8))
    with pytest.raises(InputError, match="mask is empty"):
        masks.load_mask(path)


def test_parts_of_an_object_are_no_specks():
    coverage = np.zeros((64, 64), np.uint8)
    coverage[4:40, 4:40] = 255
    coverage[50:60, 50:60] = 255
    assert masks.without_specks(coverage, "m") is coverage


@pytest.mark.parametrize(
    "box", [(1, 2, 3), ("a", 1, 2, 3), (5, 0, 5, 9), (-1, 0, 2, 2)]
)
def test_boxes_that_are_none(box):
    with pytest.raises(InputError, match="expected left,top,right,bottom in pixels"):
        masks.parse_box(box)


def test_the_message_quotes_a_box_as_it_was_written():
    with pytest.raises(InputError, match="box '1,2': expected"):
        masks.parse_box(["1", "2"])


def test_boxes():
    assert masks.parse_box(["1", "2", "30", "40"]) == (1, 2, 30, 40)
    assert masks.parse_box(None) is None
