import json
import sys

import numpy as np
import pytest
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import depth_maps


@pytest.fixture
def metres():
    depth = np.zeros((9, 12), np.float32)
    depth[2:6, 3:9] = np.linspace(0.5, 1.2, 24).reshape(4, 6).round(3)
    return depth


def test_16_bit_pictures_are_millimetres(tmp_path, metres):
    path = tmp_path / "depth.png"
    Image.fromarray(np.round(metres * 1000).astype(np.uint16)).save(path)
    loaded = depth_maps.load_depth(path)
    assert loaded.dtype == np.float32
    np.testing.assert_allclose(loaded, metres, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_npy_floats_are_metres(tmp_path, metres, dtype):
    np.save(tmp_path / "depth.npy", metres.astype(dtype))
    np.testing.assert_array_equal(depth_maps.load_depth(tmp_path / "depth.npy"), metres)


def write_exr(path, channels):
    exr = pytest.importorskip("OpenEXR")
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    exr.File(header, channels).write(str(path))


@pytest.mark.parametrize("names", [["Y"], ["R", "G", "B", "View Layer.Depth.Z"]])
def test_exr_floats_are_metres_and_the_background_is_missing(tmp_path, metres, names):
    stored = np.where(metres == 0, np.float32(1e10), metres)
    stored[0, 0] = np.inf
    write_exr(tmp_path / "depth.exr", dict.fromkeys(names, stored))
    loaded = depth_maps.load_depth(tmp_path / "depth.exr")
    np.testing.assert_array_equal(loaded, metres)


def test_exr_without_a_depth_channel(tmp_path, metres):
    write_exr(tmp_path / "depth.exr", dict.fromkeys("RGB", metres))
    with pytest.raises(InputError, match=r"called Z or V or depth; found .*G"):
        depth_maps.load_depth(tmp_path / "depth.exr")


def test_damaged_exr(tmp_path, metres):
    write_exr(tmp_path / "depth.exr", {"Z": metres})
    content = (tmp_path / "depth.exr").read_bytes()
    (tmp_path / "depth.exr").write_bytes(content[:100])
    with pytest.raises(InputError, match="not a readable EXR file"):
        depth_maps.load_depth(tmp_path / "depth.exr")


def test_exr_without_the_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(InputError, match="pip install OpenEXR"):
        depth_maps.load_depth(tmp_path / "depth.exr")


def test_other_units(tmp_path, metres):
    path = tmp_path / "depth.png"  # the TUM RGB-D format: 5000 per metre
    Image.fromarray(np.round(metres * 5000).astype(np.uint16)).save(path)
    np.testing.assert_allclose(
        depth_maps.load_depth(path, unit=1 / 5000), metres, atol=1e-4
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "3 of 108 depth values are NaN"),
        (np.inf, "3 of 108 depth values are infinite"),
        (-1, "3 of 108 depth values are negative"),
    ],
)
def test_impossible_values_are_counted(tmp_path, metres, value, message):
    metres[0, :3] = value
    np.save(tmp_path / "depth.npy", metres)
    with pytest.raises(InputError, match=message):
        depth_maps.load_depth(tmp_path / "depth.npy")


def test_layouts_that_are_no_depth(tmp_path, metres):
    path = tmp_path / "depth.png"
    Image.fromarray((metres * 100).astype(np.uint8)).save(path)
    with pytest.raises(InputError, match=r"expected .* 16-bit .* got uint8"):
        depth_maps.load_depth(path)
    np.save(tmp_path / "depth.npy", metres[..., None])
    with pytest.raises(InputError, match=r"got float32 of shape \(9, 12, 1\)"):
        depth_maps.load_depth(tmp_path / "depth.npy")


def test_depth_that_is_missing_everywhere(tmp_path):
    np.save(tmp_path / "depth.npy", np.zeros((9, 9), np.float32))
    with pytest.raises(InputError, match="all 81 values are 0"):
        depth_maps.load_depth(tmp_path / "depth.npy")


def test_unreadable_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        depth_maps.load_depth(tmp_path / "absent.npy")
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(InputError, match="not a readable"):
        depth_maps.load_depth(tmp_path / "text.npy")


def test_pickled_arrays_are_refused(tmp_path):
    objects = np.array([[{}, {}]], object)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    with pytest.raises(InputError, match="not a readable"):
        depth_maps.load_depth(tmp_path / "objects.npy")


def test_intrinsics_from_text():
    np.testing.assert_array_equal(
        depth_maps.load_intrinsics("500, 501,320,240"),
        [[500, 0, 320], [0, 501, 240], [0, 0, 1]],
    )


@pytest.mark.parametrize("wrapped", [True, False])
def test_intrinsics_from_json(tmp_path, wrapped):
    matrix = camera.pinhole(500, 320, 240)
    content = {"intrinsics": matrix.tolist()} if wrapped else matrix.tolist()
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(content))
    np.testing.assert_array_equal(depth_maps.load_intrinsics(path), matrix)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"K": 1}', "expected the key"),
        ("hello", "not a JSON file"),
        ("[[1, 2], [3, 4]]", "expected a 3x3 matrix"),
        ('[["a", 0, 0], [0, 1, 0], [0, 0, 1]]', "expected a 3x3 matrix"),
        ("[[500, 1, 0], [0, 500, 0], [0, 0, 1]]", "got .*500.0, 1.0"),
        ("[[-500, 0, 0], [0, 500, 0], [0, 0, 1]]", "positive fx and fy"),
    ],
)
def test_intrinsics_that_are_no_pinhole(tmp_path, content, message):
    path = tmp_path / "camera.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        depth_maps.load_intrinsics(path)


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "absent.json"])
def test_intrinsics_text_that_means_nothing(text):
    with pytest.raises(InputError, match="fx,fy,cx,cy"):
        depth_maps.load_intrinsics(text)


@pytest.mark.data
def test_real_captures_agree_with_their_meshes(data_dir):
    """The sensor's points lie on the true mesh, to millimetres."""
    import trimesh
    from scipy.spatial import cKDTree

    for path in (data_dir / "rgbd_captures").glob("*_depth.png"):
        name = path.name.removesuffix("_depth.png")
        intrinsics = depth_maps.load_intrinsics(path.with_name(f"{name}_camera.json"))
        points = camera.unproject(depth_maps.load_depth(path), intrinsics)
        mask = np.asarray(Image.open(path.with_name(f"{name}_mask.png"))) > 0
        seen = points[mask & (points[..., 2] < 0)]
        mesh = trimesh.load_mesh(path.with_name(f"{name}_mesh.ply"))
        surface, _ = trimesh.sample.sample_surface(mesh, 20_000, seed=0)
        distance, _ = cKDTree(surface).query(seen)
        assert np.median(distance) < 0.003
