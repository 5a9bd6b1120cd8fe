"""The eight orientations, checked against Pillow and against each other."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import exif

TAGS = range(1, 9)


@pytest.mark.parametrize("tag", TAGS)
def test_images_turn_as_in_pillow(tmp_path, tag):
    values = np.random.default_rng(0).integers(0, 255, (10, 14), np.uint8)
    header = Image.Exif()
    header[0x0112] = tag
    Image.fromarray(values).save(tmp_path / "a.png", exif=header)
    assert exif.orientation(tmp_path / "a.png") == tag
    with Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(exif.turn_image(values, tag), expected)


@pytest.mark.parametrize("tag", TAGS)
def test_points_stay_at_their_pixel(tag):
    """A marked pixel, its point and its camera turn together."""
    shape, depth = (10, 14), 2.0
    stored = np.array([[20.0, 0, 5.5], [0, 25.0, 3.5], [0, 0, 1]])
    image = np.zeros(shape)
    image[2, 9] = 1
    point = camera.unproject(np.full(shape, depth), stored)[2, 9]
    matrix = exif.turn_intrinsics(stored, tag, shape)
    turned = exif.turn_points(point[None], tag)
    row, column = np.argwhere(exif.turn_image(image, tag))[0]
    np.testing.assert_allclose(camera.project(turned, matrix)[0], (column, row))
    np.testing.assert_allclose(exif.unturn_points(turned, tag)[0], point)


def test_files_without_a_tag_are_upright(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"no image")
    assert exif.orientation(tmp_path / "a.npy") == exif.UPRIGHT
    assert exif.orientation(tmp_path / "absent.png") == exif.UPRIGHT
