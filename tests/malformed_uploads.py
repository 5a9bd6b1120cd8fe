"""Files that a page may be given for an image, its depth, its mask, its cameras."""

import io
import json
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from benchmarks.browser import EXAMPLES

SIZE = 224  # of the taxi, pixels
LENS = {"fx": 245.0, "fy": 245.0, "cx": 111.5, "cy": 111.5}
MATRIX = [[245, 0, 111.5], [0, 245, 111.5], [0, 0, 1]]
# Name of the field, name of the file, contents.
Upload = tuple[str, str, bytes]


def all_of_them() -> Iterator[Upload]:
    """Fifty and some."""
    for name, content in images():
        yield "image", name, content
    for name, content in depth_maps():
        yield "depth", name, content
    for name, content in masks():
        yield "mask", name, content
    for name, content in cameras():
        yield "camera_file", name, content
    yield "depth_camera", "lens.json", b"{"
    yield "depth_camera", "lens.txt", b"1 PINHOLE twelve 12 500 500 6 6\n"
    yield "depth_to_color", "shift.json", b"[[1, 0], [0, 1]]"
    yield "depth_to_color", "far.json", json.dumps(np.eye(5).tolist()).encode()


def images() -> Iterator[tuple[str, bytes]]:
    """In place of the image."""
    taxi = (EXAMPLES / "taxi.png").read_bytes()
    yield "cut.png", taxi[: len(taxi) // 2]
    yield "cut_in_its_header.png", taxi[:20]
    yield "text.png", b"This is no image.\n" * 50
    yield "empty.png", b""
    yield "page.jpg", b"<!DOCTYPE html><html><body>404</body></html>"
    yield "huge.png", png_that_says(100_000, 100_000)
    yield "large.png", png_that_says(8_000, 5_001)
    yield "dot.png", saved(np.zeros((1, 1, 3), np.uint8))
    yield "transparent.png", saved(np.zeros((64, 64, 4), np.uint8))
    yield "white.png", saved(np.full((64, 64, 3), 255, np.uint8))
    yield "bytes.webp", np.random.default_rng(0).bytes(3000)
    yield "two_objects.png", saved(two_levels_of_alpha())
    yield "drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"


def depth_maps() -> Iterator[tuple[str, bytes]]:
    """In place of the depth map."""
    yield "objects.npy", npy(np.array([[{"a": 1}]], object), allow_pickle=True)
    yield "terabyte.npy", npy_that_says((1_000_000, 1_000_000))
    yield "cut.npy", npy(np.ones((SIZE, SIZE), np.float32))[:500]
    yield "small.npy", npy(np.ones((SIZE // 3, SIZE), np.float32))
    yield "nan.npy", npy(np.full((SIZE, SIZE), np.nan, np.float32))
    yield "negative.npy", npy(np.full((SIZE, SIZE), -1, np.float32))
    yield "channels.npy", npy(np.ones((SIZE, SIZE, 4), np.float32))
    yield "words.npy", npy(np.full((SIZE, SIZE), "far"))
    yield "zero.png", saved(np.zeros((SIZE, SIZE), np.uint16))
    yield "colours.png", saved(np.zeros((SIZE, SIZE, 3), np.uint8))
    yield "text.png", b"no depth"
    yield "empty.tiff", b""
    yield "wide.pgm", b"P5\n9999999 9999999\n65535\n"


def masks() -> Iterator[tuple[str, bytes]]:
    """In place of the mask."""
    taxi = (EXAMPLES / "taxi.png").read_bytes()
    yield "cut.png", taxi[: len(taxi) // 2]
    yield "text.png", b"This is no mask.\n" * 50
    yield "empty.png", b""
    yield "huge.png", png_that_says(100_000, 100_000)
    yield "large.png", png_that_says(8_000, 5_001)
    yield "black.png", saved(np.zeros((SIZE, SIZE), np.uint8))
    yield "small.png", saved(np.full((SIZE // 3, SIZE), 255, np.uint8))
    yield "dot.png", saved(np.full((1, 1), 255, np.uint8))
    yield "ground.png", saved(off_the_object())
    yield "numbers.npy", npy(np.ones((SIZE, SIZE), np.uint8))


def off_the_object() -> np.ndarray:
    """White where the depth map of the taxi has nothing."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[:20, :20] = 255
    return mask


def cameras() -> Iterator[tuple[str, bytes]]:
    """In place of the camera of the image."""
    yield "nested.json", b"[" * 100_000
    yield "empty.json", b""
    yield "nothing.json", b"{}"
    yield "words.json", json.dumps({**LENS, "fx": "wide"}).encode()
    yield "nan.json", json.dumps({**LENS, "fx": float("nan")}).encode()
    yield "negative.json", json.dumps({**LENS, "fx": -245.0}).encode()
    yield "large.json", json.dumps({**LENS, "fx": 1e300}).encode()
    yield "short.json", json.dumps({"intrinsics": MATRIX[:2]}).encode()
    fisheye = {"fl_x": 245, "fl_y": 245, "cx": 111.5, "cy": 111.5, "w": 224, "h": 224}
    fisheye["camera_model"] = "OPENCV_FISHEYE"
    yield "fisheye.json", json.dumps(fisheye).encode()
    yield "bytes.yaml", b"\x00\xff\xfe: [" * 20
    yield "image.json", (EXAMPLES / "taxi.png").read_bytes()


def two_levels_of_alpha() -> np.ndarray:
    """Two objects of two kinds."""
    rgba = np.full((64, 64, 4), 90, np.uint8)
    rgba[..., 3] = 0
    rgba[5:25, 5:25, 3], rgba[40:60, 40:60, 3] = 130, 200
    return rgba


def saved(array: np.ndarray) -> bytes:
    """As a PNG."""
    file = io.BytesIO()
    Image.fromarray(array).save(file, "png")
    return file.getvalue()


def png_that_says(width: int, height: int) -> bytes:
    """A PNG with hardly any pixels whose header promises more."""

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 99)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def npy(array: np.ndarray, **options: bool) -> bytes:
    """As `numpy.save` writes it."""
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npy_that_says(shape: tuple[int, ...]) -> bytes:
    """A few bytes whose header promises more."""
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + b"\0" * 64
