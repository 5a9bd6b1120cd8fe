"""Arrays and Pillow images stand where a file would, and mean the same."""

import numpy as np
import pytest
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import (
    captures,
    depth_maps,
    exif,
    images,
    in_memory,
    masks,
)
from pixel2mesh_jax.io.in_memory import InMemory

SIZE = (20, 24)


def disc():
    """(H, W) bool."""
    rows, columns = np.indices(SIZE)
    return (rows - 10) ** 2 + (columns - 12) ** 2 < 49


def image():
    """(H, W, 4) uint8: a coloured disc, transparent around it."""
    rgba = np.zeros((*SIZE, 4), np.uint8)
    rgba[disc()] = (200, 80, 40, 255)
    return rgba


def forms_of_a_image():
    rgba = image()
    return {
        "uint8": rgba,
        "uint16": rgba.astype(np.uint16) * 257,
        "float": rgba / np.float32(255),
        "pillow": Image.fromarray(rgba),
    }


@pytest.mark.parametrize("form", forms_of_a_image())
def test_every_form_of_a_image_is_the_same(form):
    values = forms_of_a_image()[form]
    np.testing.assert_array_equal(images.load_image(InMemory("image", values)), image())


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float64])
def test_every_form_of_a_mask_is_the_same(dtype):
    found = masks.load_mask(InMemory("mask", disc().astype(dtype)))
    if dtype == np.uint8:  # 0 and 1 are a label
        assert set(np.unique(found)) == {0, 255}
    np.testing.assert_array_equal(found >= images.OPAQUE_LEVEL, disc())


def test_labels_are_a_choice():
    labels = np.where(disc(), 3, 0)
    labels[:4, :4] = 700
    found = masks.load_mask(InMemory("mask", labels), label=3)
    np.testing.assert_array_equal(found > 0, disc())


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (np.full(SIZE, 720, np.uint16), 1e-3),
        (np.full(SIZE, 0.72), 1.0),
        (np.full((*SIZE, 1), 0.72, np.float32), 1.0),
        (np.full(SIZE, 0.72, ">f4"), 1.0),
    ],
)
def test_integers_are_millimetres_and_floats_metres(values, unit):
    depth, found, _ = depth_maps.read_depth(InMemory("depth", values))
    assert depth.shape == SIZE
    np.testing.assert_allclose(depth, 0.72, rtol=1e-6)
    assert found == unit


def test_files_and_memory_mix(tmp_path):
    Image.fromarray(image()).save(tmp_path / "a.png")
    depth = np.where(disc(), np.float32(0.7), 0)
    mixed = captures.load_capture(tmp_path / "a.png", InMemory("depth", depth))
    alone = captures.load_capture(InMemory("image", image()), InMemory("depth", depth))
    for one, other in zip(mixed.view[:3], alone.view[:3], strict=True):
        np.testing.assert_array_equal(one, other)


def test_pillow_images_are_turned_by_their_tag(tmp_path):
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(image()).save(tmp_path / "a.png", exif=tags)
    source = InMemory("image", Image.open(tmp_path / "a.png"))
    assert exif.orientation(source) == 6
    assert images.load_image(source).shape == (SIZE[1], SIZE[0], 4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 20, 24), np.uint8), r"expected \(height, width\).* got \(3, 20"),
        (np.full((*SIZE, 3), 255.0), r"float64 from 255.0 to 255.0; expected uint8"),
        (np.full((*SIZE, 3), np.nan), r"float64 from nan"),
        (np.zeros((*SIZE, 3), np.int32), r"int32 from 0 to 0; expected uint8"),
        (np.zeros((0, 0, 3), np.uint8), r"expected .* got \(0, 0, 3\)"),
        (np.zeros((4, 4, 3), np.uint8), r"expected at least 8x8 pixels"),
        (b"PNG", r"expected numbers, a Pillow image or the path .* got bytes"),
        ({"a": 1}, r"expected numbers.* got dict"),
        ([[1, 2], [3]], r"not an array"),
    ],
)
def test_what_is_no_image_is_named(values, message):
    with pytest.raises(InputError, match=f"^image: {message}"):
        images.load_image(InMemory("image", values))


@pytest.mark.parametrize("values", [np.full(SIZE, 9, np.uint8), np.zeros((2, 3, 4, 5))])
def test_what_is_no_depth_map_is_named(values):
    with pytest.raises(InputError, match=r"^depth: expected a depth map of one"):
        depth_maps.load_depth(InMemory("depth", values))


def test_labels_beyond_32_bits_are_refused():
    with pytest.raises(InputError, match="expected them from 0 to 2147483647"):
        in_memory.image_of(InMemory("mask", np.full(SIZE, -1)))
