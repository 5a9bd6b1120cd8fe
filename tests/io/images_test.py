import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import images


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def red_disc(size=32, ground=255):
    """A red disc with a white spot in its middle."""
    v, u = np.mgrid[:size, :size] - (size - 1) / 2
    rgb = np.full((size, size, 3), ground, np.uint8)
    rgb[np.hypot(u, v) < size / 3] = (200, 30, 30)
    rgb[np.hypot(u, v) < size / 12] = 255
    return rgb


def test_alpha_of_the_file_is_kept(tmp_path):
    rgba = np.zeros((16, 12, 4), np.uint8)
    rgba[4:8, 3:9] = (10, 20, 30, 255)
    rgba[8, 3:9] = (10, 20, 30, 100)
    loaded = images.load_image(save(tmp_path / "a.png", rgba))
    np.testing.assert_array_equal(loaded, rgba)


def test_white_background_becomes_transparent_but_white_inside_stays(tmp_path):
    rgb = red_disc()
    rgba = images.load_image(save(tmp_path / "a.png", rgb))
    np.testing.assert_array_equal(rgba[..., :3], rgb)
    assert rgba[0, 0, 3] == 0
    assert rgba[16, 16, 3] == 255  # the white spot
    assert rgba[16, 8, 3] == 255


def test_jpeg_ripples_do_not_hide_the_white_background(tmp_path):
    rgba = images.load_image(save(tmp_path / "a.jpg", red_disc(64), quality=75))
    disc = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 64 / 3
    assert np.mean((rgba[..., 3] > 0) == disc) > 0.96


def test_opaque_alpha_counts_as_none(tmp_path):
    rgba = np.dstack([red_disc(), np.full((32, 32), 255, np.uint8)])
    assert images.load_image(save(tmp_path / "a.png", rgba))[0, 0, 3] == 0


def test_a_busy_background_is_kept_with_a_warning(tmp_path, caplog):
    rgba = images.load_image(save(tmp_path / "a.png", red_disc(ground=90)))
    assert (rgba[..., 3] == 255).all()
    assert "cut-out object" in caplog.text
    assert "give --matting, put a_mask.png beside the image" in caplog.text
    assert len(caplog.text.splitlines()) == 1


@pytest.mark.parametrize("mode", ["L", "LA", "P", "CMYK", "1", "I;16"])
def test_other_pixel_formats(tmp_path, mode):
    image = Image.fromarray(red_disc())
    if mode == "I;16":
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
        image = Image.fromarray(grey)
    else:
        image = image.convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path)
    rgba = images.load_image(path)
    assert rgba.shape == (32, 32, 4)
    assert rgba[0, 0].tolist() == [255, 255, 255, 0]
    assert rgba[16, 8, 3] == 255
    expected = np.asarray(image.convert("RGB") if mode != "I;16" else red_disc())
    if mode in ("L", "LA", "P", "CMYK"):
        np.testing.assert_array_equal(rgba[..., :3], expected)


def test_photographs_are_turned_upright(tmp_path):
    image = Image.fromarray(np.full((10, 20, 3), 90, np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn right by 90 degrees
    image.save(tmp_path / "a.jpg", exif=exif)
    assert images.load_image(tmp_path / "a.jpg").shape == (20, 10, 4)


def png_header(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
    )


def test_bad_files_are_refused_in_one_line(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    whole = save(tmp_path / "whole.png", noise).read_bytes()
    contents = {
        "text.png": (b"hello", "not an image"),
        "empty.png": (b"", "empty"),
        "truncated.png": (whole[: len(whole) // 2], "cannot be read: .*truncated"),
        "zero.png": (png_header(0, 0), "an image|0x0"),
    }
    for name, (content, message) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            images.load_image(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        images.load_image(tmp_path / "absent.png")
    with pytest.raises(InputError, match="is a folder"):
        images.load_image(tmp_path)


def test_tiny_images_are_refused(tmp_path):
    path = save(tmp_path / "a.png", np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(InputError, match="expected at least 8x8 pixels, got 1x1"):
        images.load_image(path)


def test_nothing_to_be_seen(tmp_path):
    white = save(tmp_path / "white.png", np.full((9, 9, 3), 255, np.uint8))
    with pytest.raises(InputError, match="the image is white"):
        images.load_image(white)
    clear = save(tmp_path / "clear.png", np.zeros((9, 9, 4), np.uint8))
    with pytest.raises(InputError, match="every pixel is transparent"):
        images.load_image(clear)


@pytest.mark.parametrize("corner", [1, 3])
def test_a_few_transparent_pixels_are_no_cut_out(tmp_path, caplog, corner):
    rgba = np.dstack([red_disc(ground=90), np.full((32, 32), 255, np.uint8)])
    rgba[:corner, :corner, 3] = 254 if corner == 1 else 0
    loaded = images.load_image(save(tmp_path / "a.png", rgba))
    assert "is not cut out" in caplog.text
    np.testing.assert_array_equal(loaded[..., 3], rgba[..., 3])


def test_matting_is_used_where_the_alpha_is_no_cut_out(tmp_path):
    rgba = np.dstack([red_disc(ground=90), np.full((32, 32), 255, np.uint8)])
    rgba[0, 0, 3] = 254
    found = images.load_image(
        save(tmp_path / "a.png", rgba), lambda rgb: rgb[..., 0] // 200 * np.uint8(255)
    )
    assert found[0, 0, 3] == 0
    assert found[16, 8, 3] == 255


@pytest.mark.parametrize("size", [(9000, 9000), (20_000, 100)])
def test_images_beyond_the_limit_are_refused_unread(tmp_path, size):
    (tmp_path / "a.png").write_bytes(png_header(*size) + b"\0\0\1\0IDAT")
    with pytest.raises(InputError, match=r"pixels; expected at most 64 million and"):
        images.load_image(tmp_path / "a.png")


@pytest.mark.data
def test_all_photos_have_a_sensible_alpha(data_dir, tmp_path):
    paths = sorted((data_dir / "photos").glob("*.png"))
    assert len(paths) == 15
    for path in paths:
        rgba = images.load_image(path)
        alpha = rgba[..., 3].astype(np.float32) / 255
        assert 0.03 < alpha.mean() < 0.6
        assert not alpha[0].any()
        # The same image on white, as a file without alpha.
        flat = rgba[..., :3] * alpha[..., None] + 255 * (1 - alpha[..., None])
        found = images.load_image(
            save(tmp_path / path.name, np.round(flat).astype(np.uint8))
        )
        assert np.mean((found[..., 3] >= 128) == (alpha >= 0.5)) > 0.9
