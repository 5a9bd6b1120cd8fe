import json
import struct
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


def test_16_bit_images_are_millimetres(tmp_path, metres):
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


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1, 1e30])
def test_values_that_are_no_distance_are_missing(tmp_path, metres, value):
    stored = metres.copy()
    stored[0, :3] = value
    np.save(tmp_path / "depth.npy", stored)
    np.testing.assert_array_equal(depth_maps.load_depth(tmp_path / "depth.npy"), metres)


def test_negative_values_are_counted(tmp_path, metres):
    metres[0, :3] = -0.5
    np.save(tmp_path / "depth.npy", metres)
    with pytest.raises(InputError, match="3 of 108 depth values are negative"):
        depth_maps.load_depth(tmp_path / "depth.npy")


@pytest.mark.parametrize("value", [1e30, 3.4e38, np.nan])
def test_a_map_without_any_distance_is_refused(tmp_path, value):
    np.save(tmp_path / "depth.npy", np.full((9, 9), value, np.float32))
    with pytest.raises(InputError, match=r"no depth.*(10 km|missing)"):
        depth_maps.load_depth(tmp_path / "depth.npy")


def test_a_saturated_sensor_is_missing_with_a_count(tmp_path, metres, caplog):
    stored = np.round(metres * 1000).astype(np.uint16)
    stored[0, :5] = 65535
    Image.fromarray(stored).save(tmp_path / "depth.png")
    loaded = depth_maps.load_depth(tmp_path / "depth.png")
    np.testing.assert_allclose(loaded, metres, atol=1e-6)
    assert "5 of 108 values are 65535" in caplog.text


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_inverse_depth_is_recognised(tmp_path, dtype, caplog):
    ramp = np.linspace(0, 1, 400).reshape(20, 20)
    if dtype == np.uint16:
        path = tmp_path / "depth.png"
        Image.fromarray(np.round(ramp * 65535).astype(dtype)).save(path)
    else:
        path = tmp_path / "depth.npy"
        np.save(path, ramp.astype(dtype))
    depth_maps.load_depth(path)
    assert "Give --depth_unit inverse" in caplog.text
    relative = depth_maps.load_inverse(path)
    np.testing.assert_allclose(relative / relative.max(), ramp, atol=1e-4)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [("<u2", 1000), (">u2", 1000), ("<i4", 1000), ("<f4", 1), (">f4", 1)],
)
def test_tiff(tmp_path, metres, dtype, scale):
    stored = np.round(metres * scale, 3).astype(dtype)
    write_tiff(tmp_path / "depth.tiff", stored)
    loaded = depth_maps.load_depth(tmp_path / "depth.tiff")
    np.testing.assert_allclose(loaded, metres, atol=1e-6)


def write_tiff(path, values):
    """One strip without compression; Pillow writes only the order of the machine."""
    order = "<" if values.dtype.str[0] == "<" else ">"
    height, width = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    tags = [
        *((256, width), (257, height), (258, 8 * values.itemsize), (259, 1), (262, 1)),
        *((273, 8), (277, 1), (278, height), (279, values.nbytes), (339, kind)),
    ]
    entries = b"".join(struct.pack(f"{order}HHII", t, 4, 1, v) for t, v in tags)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    path.write_bytes(
        head
        + struct.pack(f"{order}I", 8 + values.nbytes)
        + values.tobytes()
        + struct.pack(f"{order}H", len(tags))
        + entries
        + bytes(4)
    )


@pytest.mark.parametrize("magic", [b"P5", b"P2"])
def test_pgm_values_are_not_stretched(tmp_path, metres, magic):
    stored = np.round(metres * 1000).astype(">u2")
    body = (
        stored.tobytes()
        if magic == b"P5"
        else b" ".join(b"%d" % v for v in stored.flat)
    )
    (tmp_path / "depth.pgm").write_bytes(magic + b"\n# depth\n12 9\n4095\n" + body)
    loaded = depth_maps.load_depth(tmp_path / "depth.pgm")
    np.testing.assert_allclose(loaded, metres, atol=1e-6)


def npy_header(shape, dtype="<f4"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (117 - len(text)) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy_header((10**6, 10**6)), "pixels; expected at most 64 million"),
        (npy_header((10**4, 10**4, 10**4)), "expected a depth map of one channel"),
        (npy_header((100, 100)), "not a readable .npy"),
        (npy_header((100, 100), "|V8"), "not a readable .npy"),
        (npy_header("(" * 60), "not a readable .npy"),
        (b"\x93NUMPY\x09\x00" + bytes(20), "not a readable .npy"),
    ],
)
def test_npy_headers_that_lie(tmp_path, content, message):
    (tmp_path / "depth.npy").write_bytes(content)
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
        ('{"Q": 1}', "expected the key"),
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
