"""Damaged files of every kind that belongs to an image: used or named, never a crash.

Mutations of small valid files: bytes changed, cut out, doubled, and numbers of headers
replaced by extreme ones.
"""

import io
import json
import warnings

import numpy as np
import pytest
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import cameras, depth_maps, images, masks

EXTREMES = (
    *(
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x00",
        b"\x7f\xff\xff\xff",
        b"\xff\xff\xff\x7f",
    ),
    *(b"99999999999", b"-1", b"1e400", b"NaN", b"[" * 50, b"{}", b'"', b"\xef\xbb\xbf"),
)


def image_bytes(array, kind, **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def seeds():
    """(file name, contents, function that reads it)."""
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 255, (12, 12, 3), np.uint8)
    rgba = np.dstack([rgb, np.where(rgb[..., 0] > 90, 255, 0).astype(np.uint8)])
    depth = rng.integers(500, 900, (12, 12)).astype(np.uint16)
    mask = np.where(depth > 600, np.uint8(3), np.uint8(0))
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("png", "webp", "tiff"):
        yield f"a.{kind}", image_bytes(rgba, kind), images.load_image
    for kind in ("jpeg", "bmp", "gif"):
        options = {"exif": exif} if kind == "jpeg" else {}
        yield f"a.{kind}", image_bytes(rgb, kind, **options), images.load_image
    for kind in ("png", "tiff"):
        yield f"d.{kind}", image_bytes(depth, kind), depth_maps.load_depth
        yield f"m.{kind}", image_bytes(mask, kind), masks.load_mask
    pgm = b"P5\n12 12\n4095\n" + depth.astype(">u2").tobytes()
    yield "d.pgm", pgm, depth_maps.load_depth
    yield "t.pgm", b"P2 12 12 999\n" + b"700 " * 144, depth_maps.load_depth
    yield "d.npy", npy_bytes(depth), depth_maps.load_depth
    yield "f.npy", npy_bytes((depth / 1000).astype(np.float32)), depth_maps.load_inverse
    matrix = [[500, 0, 6], [0, 500, 6], [0, 0, 1]]
    for content in (
        {"intrinsics": matrix, "depth_scale": 0.1, "depth_unit": "0.1 mm"},
        {"fl_x": 500, "fl_y": 500, "cx": 6, "cy": 6, "w": 12, "h": 12, "k1": 0.1},
        {"3": {"cam_K": [500, 0, 6, 0, 500, 6, 0, 0, 1], "depth_scale": 1.0}},
        {
            "intrinsic_matrix": [500, 0, 0, 0, 500, 0, 6, 6, 1],
            "width": 12,
            "height": 12,
        },
    ):
        yield "c.json", json.dumps(content).encode(), used_camera
    text = (
        b"image_width: 12\nimage_height: 12\ncamera_matrix:\n  data: [5, 0, 6, 0, 5, "
    )
    yield "c.yaml", text + b"6, 0, 0, 1]\n", used_camera
    yield "c.txt", b"# id\n1 PINHOLE 12 12 500 500 6 6\n", used_camera


def used_camera(path):
    return cameras.load_camera(path, "3.png").for_image(12, 12)


def mutated(content, rng):
    content = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        place = int(rng.integers(0, len(content) + 1))
        kind = rng.integers(0, 5)
        if kind == 0 and place < len(content):
            content[place] = rng.integers(0, 256)
        elif kind == 1:
            del content[place : place + int(rng.integers(1, 9))]
        elif kind == 2:
            content[place:place] = content[place : place + int(rng.integers(1, 30))]
        elif kind == 3:
            extreme = EXTREMES[rng.integers(len(EXTREMES))]
            content[place : place + len(extreme)] = extreme
        else:
            del content[place:]
    return bytes(content)


def fuzz(folder, count, seed=0):
    """Reads `count` damaged files; returns how many were used all the same."""
    rng, start = np.random.default_rng(seed), list(seeds())
    used, unnamed = 0, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow tells of odd tags
        for number in range(count):
            name, content, read = start[number % len(start)]
            path = folder / name
            path.write_bytes(mutated(content, rng))
            try:
                read(path)
            except InputError as error:
                unnamed += [str(error)] * (name not in str(error))
                continue
            used += 1
    assert unnamed == []
    return used


def test_the_seeds_are_valid(tmp_path):
    for name, content, read in seeds():
        (tmp_path / name).write_bytes(content)
        read(tmp_path / name)


def test_damaged_files_are_used_or_named(tmp_path):
    assert 0 < fuzz(tmp_path, 2000) < 2000


@pytest.mark.slow
def test_many_damaged_files_are_used_or_named(tmp_path):
    assert 0 < fuzz(tmp_path, 50_000, seed=1) < 50_000
