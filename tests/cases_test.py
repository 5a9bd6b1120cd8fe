"""Small inputs made after public bug reports: each is read as what it means.

The capture of a mug is stored in the ways of many programs; all of them are the same
view, or are refused or doubted by name.
"""

import numpy as np
import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import cameras, captures, exif, result_files, sources, views

pytestmark = pytest.mark.data
# Case -> options that its README asks for.
SAME_VIEW = {
    **dict.fromkeys(
        (
            *("camera-bom-crlf", "camera-bop", "camera-nerf", "camera-normalized"),
            *("camera-open3d", "camera-realsense", "camera-with-depth-scale"),
            *("depth-be-tiff", "depth-pgm-maxval", "depth-tiff", "holes-65535"),
            *("mask-jpg", "mask-label-3", "mask-labels-40-150-200", "mask-specks"),
            *("alpha-specks", "npy-nan", "lidar-low-res-depth", "upper-case"),
        ),
        None,
    ),
    **{"unit-tenth-mm": 1e-4, "unit-tum5000": 1 / 5000, "unit-kitti256": 1 / 256},
    "npy-float-mm": 1e-3,
}


def load(folder, depth_unit=None):
    [image] = [
        p for p in folder.iterdir() if p.name in ("mug.png", "mug.jpg", "mug.PNG")
    ]
    depth = [p for p in folder.iterdir() if p.stem == "depth"]
    [files] = sources.find_sources(image, depth[0] if depth else None)
    lens = files.camera and cameras.load_camera(files.camera, image)
    return captures.load_capture(image, files.depth, lens, files.mask, depth_unit)


@pytest.fixture
def clean(data_dir):
    stem = data_dir / "rgbd_captures" / "ycbv01_025_mug"
    return captures.load_capture(
        f"{stem}.png",
        f"{stem}_depth.png",
        cameras.load_camera(f"{stem}_camera.json"),
        f"{stem}_mask.png",
    ).view


def seen_depth(view):
    return view.depth[(view.depth > 0) & (view.rgba[..., 3] >= 128)]


@pytest.mark.parametrize("name", SAME_VIEW)
def test_the_same_view_however_it_is_stored(data_dir, clean, name):
    view = load(data_dir / "cases" / name, SAME_VIEW[name]).view
    np.testing.assert_allclose(view.intrinsics, clean.intrinsics, rtol=1e-3, atol=0.6)
    inside, expected = (v.rgba[..., 3] >= 128 for v in (view, clean))
    assert np.mean(inside == expected) > 0.999
    square, _ = views.canonicalize(view)
    clean_square, _ = views.canonicalize(clean)
    assert abs(len(square.rgba) - len(clean_square.rgba)) <= 3
    assert np.median(seen_depth(view)) == pytest.approx(
        np.median(seen_depth(clean)), abs=0.002
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("camera-bop", "is read in mm instead"),
        ("mask-labels-40-150-200", "labels (200 on 15770 pixels, 150 on 1600"),
        ("mask-specks", "2 specks of together 4 pixels"),
        ("alpha-specks", "2 specks of together 2 pixels"),
        ("alpha-nearly-opaque", "what stands on the plane of the scene"),
        ("alpha-rounded-corners", "what stands on the plane of the scene"),
        ("midas-inverse16", "--depth_unit inverse"),
        ("holes-65535", "1577 of 50176 values are 65535"),
        ("exif-square", "turned upright by its EXIF tag (6)"),
        ("exif-not-square", "turned upright by its EXIF tag (6)"),
    ],
)
def test_what_is_said(data_dir, caplog, name, words):
    load(data_dir / "cases" / name)
    assert words in caplog.text


def test_a_turned_image_keeps_its_colours_on_the_object(data_dir, clean):
    view = load(data_dir / "cases" / "exif-square").view
    rgba = exif.turn_image(view.rgba, 8)  # back to what the sensor stored
    inside = clean.rgba[..., 3] >= 128
    np.testing.assert_array_equal(rgba[..., 3] >= 128, inside)
    difference = np.abs(rgba.astype(int) - clean.rgba)[inside]
    assert difference.mean() < 10


def test_stages_that_would_overwrite_are_refused(data_dir, tmp_path):
    found = sources.find_sources(data_dir / "cases" / "stage-collision")
    with pytest.raises(InputError, match="mug_stage1"):
        result_files.check(found, tmp_path, "obj", True)
    result_files.check(found, tmp_path, "obj", False)


def test_files_of_phones_are_named(data_dir):
    folder = data_dir / "cases" / "heic-folder"
    unused = sources.unused_files(folder, sources.find_sources(folder))
    assert {"IMG_0001.HEIC", "IMG_0002.avif"} <= {path.name for path in unused}
