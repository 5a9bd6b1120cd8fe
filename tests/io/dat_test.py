"""The reader of Pixel2Mesh samples: arrays in, everything else refused."""

import os
import pickle

import numpy as np
import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import dat


def write_released(path, samples):
    """Writes what python 2 and numpy 1 wrote: protocol 2 with byte strings."""
    data = samples.astype("<f4").tobytes()
    rows, columns = samples.shape
    opcodes = [
        b"\x80\x02",  # protocol 2
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR",
        b"(K\x01",  # state: version, shape, dtype, Fortran order, bytes
        b"(M" + rows.to_bytes(2, "little") + b"K" + bytes([columns]) + b"t",
        b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tR",
        b"(K\x03U\x01<NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\x00tb",
        b"I00\n",
        b"T" + len(data).to_bytes(4, "little") + data,
        b"tb.",
    ]
    path.write_bytes(b"".join(opcodes))


@pytest.fixture
def samples():
    return np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)


def test_reads_the_released_format(tmp_path, samples):
    write_released(tmp_path / "00.dat", samples)
    points, normals = dat.load_points(tmp_path / "00.dat")
    np.testing.assert_array_equal(points, samples[:, :3])
    np.testing.assert_array_equal(normals, samples[:, 3:])


def test_reads_arrays_of_todays_numpy(tmp_path, samples):
    (tmp_path / "00.dat").write_bytes(pickle.dumps(samples, protocol=4))
    points, _ = dat.load_points(tmp_path / "00.dat")
    np.testing.assert_array_equal(points, samples[:, :3])


class Evil:
    """Unpickles to the call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def evil_pickles(marker):
    yield "posix.system", Evil(os.system, f"touch {marker}")
    yield r"\w+.eval", Evil(eval, f"open({str(marker)!r}, 'w')")
    yield r"\w+.getattr", Evil(getattr, np.ndarray, "tofile")
    yield "numpy", Evil(np.load, str(marker))


def test_malicious_pickles_are_refused_by_name(tmp_path):
    marker = tmp_path / "was_run"
    for name, evil in evil_pickles(marker):
        for protocol in (0, 2, 4, 5):
            (tmp_path / "x.dat").write_bytes(pickle.dumps([evil], protocol=protocol))
            with pytest.raises(InputError, match=f"x.dat: forbidden name {name}"):
                dat.load(tmp_path / "x.dat")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a Pixel2Mesh"),
        (b"\x80\x02", "not a Pixel2Mesh"),
        (b"v 0 0 0\n", "not a Pixel2Mesh"),
        (pickle.dumps({"points": 1}), "expected an .N, 6. array .* got dict"),
        (pickle.dumps(np.zeros((4, 5)), 4), r"got shape \(4, 5\)"),
        (pickle.dumps(np.zeros((0, 6)), 4), r"got shape \(0, 6\)"),
        (pickle.dumps(np.full((4, 6), np.nan), 4), "NaN"),
        (pickle.dumps(np.array([{}, 1], object), 4), "array of object"),
    ],
)
def test_bad_files_are_named_in_one_line(tmp_path, content, message):
    (tmp_path / "x.dat").write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        dat.load_points(tmp_path / "x.dat")
    assert "x.dat" in str(error.value)
    assert "\n" not in str(error.value)


def test_memory_is_not_reserved_for_a_claimed_shape(tmp_path):
    claim = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I99999999999\nt"
    (tmp_path / "x.dat").write_bytes(claim + b"S'b'\ntR.")
    with pytest.raises(InputError, match="not a plain numpy array"):
        dat.load(tmp_path / "x.dat")


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        dat.load_points(tmp_path / "00.dat")


OCTAHEDRON = np.array(
    [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float32
)


def octahedron_file():
    """Contents as in the released file: every edge with both opposite corners."""
    wings = [
        (a, b, *(c for c in range(6) if c // 2 not in (a // 2, b // 2)))
        for a in range(6)
        for b in range(a)
        if a // 2 != b // 2
    ]
    wings = np.array(wings, np.int32)
    return [OCTAHEDRON, [], [], [], [wings[:, :2], wings[:0, :2]], [wings], [], []]


def test_the_ellipsoid_file_gives_vertices_faces_and_parents(tmp_path):
    (tmp_path / "x.dat").write_bytes(pickle.dumps(octahedron_file(), protocol=4))
    ellipsoid = dat.load_ellipsoid(tmp_path / "x.dat")
    np.testing.assert_array_equal(ellipsoid.vertices, OCTAHEDRON)
    expected = sorted((a, b, c) for a in (0, 1) for b in (2, 3) for c in (4, 5))
    assert sorted(map(tuple, ellipsoid.faces.tolist())) == expected
    assert [len(rows) for rows in ellipsoid.parents] == [12, 0]


def broken(change):
    contents = octahedron_file()
    if change == "short":
        return contents[:3]
    if change == "points":
        return np.zeros((4, 6), np.float32)
    position = {"fewer_vertices": 0, "no_parents": 4, "flat_wings": 5}[change]
    contents[position] = {0: OCTAHEDRON[:5], 4: None, 5: [np.arange(4)]}[position]
    return contents


@pytest.mark.parametrize(
    "change", ["short", "points", "fewer_vertices", "no_parents", "flat_wings"]
)
def test_other_files_are_no_ellipsoid(tmp_path, change):
    (tmp_path / "x.dat").write_bytes(pickle.dumps(broken(change), protocol=4))
    with pytest.raises(InputError, match=r"x\.dat: .*(ellipsoid|vertices)"):
        dat.load_ellipsoid(tmp_path / "x.dat")


@pytest.mark.data
def test_development_samples(data_dir):
    paths = sorted(data_dir.glob("shapenet_sample/p2m/*/*/rendering/*.dat"))
    assert len(paths) == 15
    for path in paths:
        points, normals = dat.load_points(path)
        assert 5000 < len(points) < 16384
        assert -1.2 < points[:, 2].min() < points[:, 2].max() < -0.3
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)


@pytest.mark.data
def test_ellipsoid_file_holds_only_arrays(data_dir):
    ellipsoid = dat.load(data_dir / "shapenet_sample/info_ellipsoid.dat")
    assert ellipsoid[0].shape == (156, 3)
