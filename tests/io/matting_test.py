"""Cutting objects out, with small salient-object networks of known weights."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import images, matting, onnx_networks
from tests import networks

# A network that takes darkness for salience.
DARK = (-0.4, -0.3, -0.3)


def dark_disc(size=64, ground=(200, 170, 150)):
    """A photo: dark disc before a ground that is neither white nor even."""
    v, u = np.mgrid[:size, :size] - (size - 1) / 2
    rgb = np.tile(np.array(ground), (size, size, 1)) + (v[..., None] / 4)
    rgb[np.hypot(u, v) < size / 3] = (40, 30, 60)
    return rgb.astype(np.uint8)


def inside(size=64):
    return np.hypot(*(np.mgrid[:size, :size] - (size - 1) / 2)) < size / 3


def restated(rgb, recipe, size, weights):
    """rembg's sessions, in their own order of steps."""
    image = Image.fromarray(rgb).resize((size, size), Image.Resampling.LANCZOS)
    scaled = np.array(image) / np.max(np.array(image))
    deviation = (1, 1, 1) if recipe == "isnet" else (0.229, 0.224, 0.225)
    planes = [
        (scaled[:, :, i] - (0.485, 0.456, 0.406)[i]) / deviation[i] for i in range(3)
    ]
    answer = sum(w * plane for w, plane in zip(weights, planes, strict=True)) + 0.2
    if recipe == "birefnet":
        answer = 1 / (1 + np.exp(-answer))
    answer = (answer - answer.min()) / (answer.max() - answer.min())
    mask = Image.fromarray((answer * 255).astype("uint8"))
    return np.array(mask.resize(rgb.shape[1::-1], Image.Resampling.LANCZOS))


@pytest.mark.parametrize(
    ("name", "recipe", "size"),
    [
        ("u2net.onnx", "u2net", 320),
        ("u2netp.onnx", "u2net", 320),
        ("silueta.onnx", "u2net", 320),
        ("isnet-general-use.onnx", "isnet", 1024),
        ("BiRefNet-general-epoch_244.onnx", "birefnet", 1024),
    ],
)
def test_published_networks_see_what_rembg_shows_them(tmp_path, name, recipe, size):
    path = networks.write_network(tmp_path / name, (size, size), weights=DARK)
    rgb = dark_disc()[:, :50]
    alpha = matting.load_matting(f"onnx:{path}")(rgb)
    assert alpha.shape == rgb.shape[:2]
    assert alpha.dtype == np.uint8
    expected = restated(rgb, recipe, size, DARK)
    difference = np.abs(alpha.astype(int) - expected)
    assert difference.max() <= 1  # where float32 rounds to another step of 255


def test_other_files_need_their_recipe(tmp_path):
    path = networks.write_network(tmp_path / "mine.onnx", (96, 96), weights=DARK)
    with pytest.raises(InputError, match=r"onnx:<recipe>:mine\.onnx .* u2net, isnet"):
        matting.load_matting(f"onnx:{path}")
    alpha = matting.load_matting(f"onnx:u2net:{path}")(dark_disc())
    assert np.mean((alpha >= images.OPAQUE_LEVEL) == inside()) > 0.98


def test_none_and_unknown_names():
    assert matting.load_matting("none") is None
    with pytest.raises(InputError, match="unknown matting 'u2net'; valid: rembg, rem"):
        matting.load_matting("u2net")


def test_a_network_that_sees_no_difference_finds_nothing():
    flat = np.full((4, 4), 0.3, np.float32)
    alpha = matting.coverage(flat, matting.RECIPES["u2net"], (6, 5))
    np.testing.assert_array_equal(alpha, np.zeros((6, 5), np.uint8))


def test_a_black_image_is_prepared_without_division_by_zero():
    recipe = matting.RECIPES["u2net"]
    prepared = matting.prepare(np.zeros((8, 8, 3), np.uint8), recipe, (4, 4))
    mean, std = (
        np.array(x) for x in (onnx_networks.IMAGENET_MEAN, onnx_networks.IMAGENET_STD)
    )
    assert_allclose(prepared, np.tile(-mean / std, (4, 4, 1)), rtol=1e-5)


def test_images_without_alpha_are_cut_out(tmp_path, caplog):
    cut_out = matting.load_matting(
        f"onnx:{networks.write_network(tmp_path / 'u2net.onnx', weights=DARK)}"
    )
    Image.fromarray(dark_disc()).save(tmp_path / "photo.png")
    rgba = images.load_image(tmp_path / "photo.png", cut_out)
    assert np.mean((rgba[..., 3] >= images.OPAQUE_LEVEL) == inside()) > 0.98
    np.testing.assert_array_equal(rgba[..., :3], dark_disc())
    assert not caplog.text


def test_alpha_of_the_file_goes_before_matting(tmp_path):
    rgba = np.dstack([dark_disc(), np.where(inside(), 200, 0).astype(np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "photo.png")

    def refuse(rgb):
        raise AssertionError("not needed")

    found = images.load_image(tmp_path / "photo.png", refuse)
    np.testing.assert_array_equal(found, rgba)


def test_no_object_found(tmp_path):
    Image.fromarray(dark_disc()).save(tmp_path / "photo.png")

    def blind(rgb):
        return np.zeros(rgb.shape[:2], np.uint8)

    with pytest.raises(
        InputError, match=r"photo\.png: the matting network found no obj"
    ):
        images.load_image(tmp_path / "photo.png", blind)


def test_rembg_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rembg", None)
    with pytest.raises(InputError, match=r"pip install 'pixel2mesh-jax\[matting\]'"):
        matting.load_matting("rembg")


@pytest.mark.slow
def test_rembg_with_weights_that_are_there(tmp_path, monkeypatch):
    """rembg takes weights from its folder and asks the network only without them."""
    pytest.importorskip("rembg")
    folder = tmp_path / "models" / "u2net"
    folder.mkdir(parents=True)
    path = networks.write_network(folder / "u2net.onnx", (320, 320), weights=DARK)
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    alpha = matting.load_matting("rembg")(dark_disc())
    ours = matting.load_matting(f"onnx:{path}")(dark_disc())
    assert np.abs(alpha.astype(int) - ours).max() <= 1
    with pytest.raises(InputError, match="rembg cannot load 'nonsense': "):
        matting.load_matting("rembg:nonsense")
