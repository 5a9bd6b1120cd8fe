"""Images, depth, masks and cameras of files to one upright view."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import cameras, captures, masks
from pixel2mesh_jax.io.in_memory import InMemory


def load_view(*sources, **options):
    return captures.load_capture(*sources, **options).view


@pytest.fixture
def files(tmp_path):
    """An image with depth and mask on disk, 12 rows and 16 columns."""
    mask = np.zeros((12, 16), np.uint8)
    mask[3:9, 4:12] = 255
    rgb = np.full((12, 16, 3), 90, np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(np.full((12, 16), 800, np.uint16)).save(tmp_path / "depth.png")
    return tmp_path


def test_view_with_everything(files):
    matrix = camera.pinhole(50, 8, 6)
    view = load_view(files / "a.png", files / "depth.png", matrix, files / "mask.png")
    assert (view.rgba[..., :3] == 90).all()
    inside = view.rgba[..., 3] == 255
    assert inside.sum() == 6 * 8
    assert_allclose(view.depth, np.where(inside, np.float32(0.8), 0))
    assert_allclose(view.intrinsics, matrix)


def test_default_camera_looks_at_the_middle(files):
    view = load_view(files / "a.png", mask_path=files / "mask.png")
    assert not view.depth.any()
    expected = camera.pinhole(camera.R2N2_FOCAL_PER_PIXEL * 16, 7.5, 5.5)
    assert_allclose(view.intrinsics, expected)


def test_sizes_must_agree(files):
    Image.fromarray(np.full((9, 9), 800, np.uint16)).save(files / "small.png")
    with pytest.raises(InputError, match=r"small\.png.* 16x12 pixels, .*got 9x9"):
        load_view(files / "a.png", files / "small.png")
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(files / "small_mask.png")
    with pytest.raises(InputError, match=r"small_mask\.png.* 16x12 pixels, .*got 9x9"):
        load_view(files / "a.png", mask_path=files / "small_mask.png")


def test_depth_beside_the_object_only(files):
    depth = np.zeros((12, 16), np.uint16)
    depth[0] = 700
    Image.fromarray(depth).save(files / "depth.png")
    with pytest.raises(InputError, match="no depth on the object"):
        load_view(files / "a.png", files / "depth.png", mask_path=files / "mask.png")


def test_depth_of_a_lower_resolution_is_enlarged_without_blending(files):
    """A phone's distances beside its colours: same shape, another size."""
    coarse = np.full((6, 8), 0.8, np.float32)
    coarse[:, 4:] = 1.2
    np.save(files / "depth.npy", coarse)
    view = load_view(files / "a.png", files / "depth.npy", mask_path=files / "mask.png")
    assert_allclose(np.unique(view.depth), [0, 0.8, 1.2])
    assert (view.depth[3:9, 4:8] == np.float32(0.8)).all()
    assert (view.depth[3:9, 8:12] == np.float32(1.2)).all()


def save_turned(files, tag=6):
    exif = Image.Exif()
    exif[0x0112] = tag
    with Image.open(files / "a.png") as image:
        image.save(files / "a.png", exif=exif)


def test_what_belongs_to_a_turned_image_is_turned_with_it(files, caplog):
    matrix = camera.pinhole(50, 3, 5)
    arguments = (files / "a.png", files / "depth.png", matrix, files / "mask.png")
    stored = load_view(*arguments)
    save_turned(files)
    capture = captures.load_capture(*arguments)
    assert capture.orientation == 6
    assert "turned upright" in caplog.text
    assert_allclose(capture.view.rgba, np.rot90(stored.rgba, -1))
    assert_allclose(capture.view.depth, np.rot90(stored.depth, -1))
    assert_allclose(capture.view.intrinsics, camera.pinhole(50, 11 - 5, 3))


def test_a_mask_that_was_made_upright_stays(files):
    save_turned(files)
    with Image.open(files / "mask.png") as mask:
        upright = np.rot90(np.asarray(mask), -1)
    Image.fromarray(upright).save(files / "mask.png")
    view = load_view(files / "a.png", mask_path=files / "mask.png")
    assert_allclose(view.rgba[..., 3], upright)


def test_the_unit_of_the_camera_file_counts_unless_it_makes_no_sense(files, caplog):
    names = (files / "a.png", files / "depth.png")
    tenth = cameras.Camera(camera.pinhole(20, 8, 6), depth_unit=1e-4)
    Image.fromarray(np.full((12, 16), 8000, np.uint16)).save(files / "depth.png")
    assert captures.load_capture(*names, tenth, files / "mask.png").unit == 1e-4
    Image.fromarray(np.full((12, 16), 800, np.uint16)).save(files / "depth.png")
    capture = captures.load_capture(*names, tenth, files / "mask.png")
    assert capture.unit == 1e-3
    assert capture.view.depth.max() == pytest.approx(0.8)
    assert "it is read in mm instead" in caplog.text
    assert captures.load_capture(*names, tenth, files / "mask.png", 1e-4).unit == 1e-4


def test_inverse_depth_becomes_an_estimate(files):
    ramp = np.tile(np.linspace(0, 65535, 16).round().astype(np.uint16), (12, 1))
    Image.fromarray(ramp).save(files / "depth.png")
    capture = captures.load_capture(
        files / "a.png", files / "depth.png", None, files / "mask.png", "inverse"
    )
    assert capture.unit is None
    assert not capture.view.depth.any()
    assert_allclose(capture.view.estimated[5, 4:12], np.linspace(0, 1, 8), atol=1e-3)
    assert capture.view.estimated[0].max() == 0


def test_specks_do_not_move_the_square(files, caplog):
    with Image.open(files / "mask.png") as mask:
        big = np.kron(np.asarray(mask), np.ones((10, 10), np.uint8))
    clean = masks.without_specks(big, "m")
    assert clean is big
    big[0, :2] = big[-1, -2:] = 255
    assert_allclose(masks.without_specks(big, "mask.png")[0], 0)
    assert "mask.png: 2 specks of together 4 pixels are left out" in caplog.text


@pytest.mark.parametrize("inverse", [False, True])
def test_a_ground_that_is_nearer_than_the_object_is_doubted(files, caplog, inverse):
    """An object on a table before a wall; the table reaches before the object."""
    rows = np.linspace(2.0, 0.7, 12)[:, None].repeat(16, axis=1)
    with Image.open(files / "mask.png") as mask:
        depth = np.where(np.asarray(mask) > 0, 0.8, np.maximum(rows, 0.85))
    np.save(files / "depth.npy", (1 / depth if inverse else depth).astype(np.float32))
    load_view(files / "a.png", files / "depth.npy", mask_path=files / "mask.png")
    assert ("is nearer than it" in caplog.text) == inverse


def table_scene(height=48, width=64):
    """Grey colours; depth of a tilted plane and of a block that stands on it."""
    lens = camera.pinhole(80, (width - 1) / 2, (height - 1) / 2)
    rows = np.arange(height)[:, None] - (height - 1) / 2
    plane = (0.5 / (0.7 + rows / 80 * 0.7)).astype(np.float32)  # y + z = const.
    depth = np.tile(plane, (1, width))
    depth[16:32, 24:40] = plane[31]  # upright, down to its foot
    rgb = np.full((height, width, 3), 90, np.uint8)
    return rgb, depth, lens


def test_what_stands_on_a_table_is_cut_out_by_its_depth(caplog):
    rgb, depth, lens = table_scene()
    image, distances = InMemory("image", rgb), InMemory("depth", depth)
    view = load_view(image, distances, lens)
    inside = np.zeros(depth.shape, bool)
    inside[16:32, 24:40] = True
    found = view.rgba[..., 3] > 0
    assert (found & inside).sum() / (found | inside).sum() > 0.8
    assert not view.depth[~found].any()
    assert "image is not cut out: what stands on the plane" in caplog.text
    again = captures.load_capture(image, distances, lens, box=(20, 10, 44, 34)).view
    assert_allclose(again.rgba, view.rgba)


def test_white_ground_comes_before_depth(caplog):
    rgb, depth, lens = table_scene()
    rgb[:] = 255
    rgb[20:30, 30:50] = 0
    view = load_view(InMemory("image", rgb), InMemory("depth", depth), lens)
    assert (view.rgba[..., 3] > 0).sum() == 200
    assert not caplog.text


def test_without_a_plane_the_whole_image_is_the_object(caplog):
    rgb, depth, lens = table_scene()
    depth[:] = np.random.default_rng(0).uniform(0.3, 3, depth.shape)
    view = load_view(InMemory("image", rgb), InMemory("depth", depth), lens)
    assert (view.rgba[..., 3] == 255).all()
    assert "the whole image is taken for the object" in caplog.text
