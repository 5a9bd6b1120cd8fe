"""Names and files of ONNX networks; the files are real, their weights random."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import onnx_networks
from tests import networks

PUBLISHED = {"small": ("net-small",), "large": ("net-large", "net-huge"), "own": ()}


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("onnx:net-small.onnx", "small"),
        ("onnx:My-Net-Huge-v2.onnx", "large"),
        ("onnx:own:net-small.onnx", "own"),
        ("onnx:large:x.onnx", "large"),
        ("onnx:odd:name-net-small.onnx", "small"),  # a file with a colon in its name
    ],
)
def test_names(tmp_path, monkeypatch, name, recipe):
    monkeypatch.chdir(tmp_path)
    file = name.split(":", 1)[1].removeprefix("own:").removeprefix("large:")
    (tmp_path / file).write_bytes(b"")
    found = onnx_networks.parse_name(name, PUBLISHED)
    assert found == (recipe, tmp_path / file)


def test_unknown_name_and_missing_file(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"")
    with pytest.raises(InputError, match=r"onnx:<recipe>:x\.onnx .* small, large, own"):
        onnx_networks.parse_name(f"onnx:{tmp_path / 'x.onnx'}", PUBLISHED)
    with pytest.raises(InputError, match=r"no such file .*; expected onnx:<file> or"):
        onnx_networks.parse_name(f"onnx:{tmp_path / 'y.onnx'}", PUBLISHED)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("size", [(6, 8), (None, None), (6, None)])
def test_a_network_maps_a_image_to_a_map(tmp_path, size, half):
    path = networks.write_network(tmp_path / "a.onnx", size, half=half)
    network = onnx_networks.load_network(path)
    assert (network.height, network.width) == size
    image = np.random.default_rng(0).random((6, 8, 3), np.float32)
    found = onnx_networks.run_network(network, image)
    expected = image @ np.array(networks.WEIGHTS, np.float32) + 0.2
    assert_allclose(found, expected, atol=5e-3 if half else 1e-6)
    assert found.dtype == np.float32


def test_the_map_may_be_coarser_than_the_image(tmp_path):
    path = networks.write_network(tmp_path / "a.onnx", (6, 8), stride=2)
    image = np.random.default_rng(0).random((6, 8, 3), np.float32)
    found = onnx_networks.run_network(onnx_networks.load_network(path), image)
    expected = image[::2, ::2] @ np.array(networks.WEIGHTS, np.float32) + 0.2
    assert_allclose(found, expected, atol=1e-6)


def test_files_that_are_no_such_network(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    pytest.importorskip("onnxruntime")
    with pytest.raises(InputError, match="not a usable ONNX file: ") as caught:
        onnx_networks.load_network(broken)
    assert "\n" not in str(caught.value)
    grey = networks.write_network(tmp_path / "grey.onnx", weights=(1.0,))
    with pytest.raises(InputError, match=r"expected one input of shape \(1, 3, height"):
        onnx_networks.load_network(grey)


def test_failing_networks(tmp_path):
    fixed = networks.write_network(tmp_path / "fixed.onnx", (6, 8))
    with pytest.raises(InputError, match="the network fails: ") as caught:
        onnx_networks.run_network(
            onnx_networks.load_network(fixed), np.zeros((4, 4, 3), np.float32)
        )
    assert "\n" not in str(caught.value)
    huge = networks.write_network(tmp_path / "huge.onnx", weights=(1e38, 1e38, 1e38))
    with pytest.raises(InputError, match="gives NaN or infinite values"):
        onnx_networks.run_network(
            onnx_networks.load_network(huge), np.full((4, 4, 3), 100, np.float32)
        )
