"""What the button of the page does."""

import pathlib
import zipfile

import numpy as np
import pytest
import trimesh
from PIL import Image

from pixel2mesh_jax import InputError, load
from pixel2mesh_jax.io import limits
from pixel2mesh_jax.web import job

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
LENS = "245, 245, 111.5, 111.5"
BOX = {"image": "gelatin_box.png", "depth": "gelatin_box_depth.png"}


@pytest.fixture(scope="module")
def shipped():
    return load()


FILES = ("image", "depth", "mask", "camera_file", "depth_camera", "depth_to_color")
TAXI = {"image": "taxi.png", "depth": "taxi_depth.png", "camera": LENS}


def press(model, folder, matting=None, **fields):
    """Presses the button; files are those of the examples, the taxi's by default."""
    filled = TAXI | fields
    for name in FILES:
        if filled.get(name):
            filled[name] = str(EXAMPLES / filled[name])
    return job.reconstruct(model, folder, job.Form(**filled), matting)


@pytest.mark.parametrize("file_format", job.FORMATS)
def test_the_button_makes_a_mesh(shipped, tmp_path, file_format):
    answer = press(shipped, tmp_path, file_format=file_format)
    assert answer.shown.endswith(".glb")
    assert answer.download.endswith(f".{file_format}")
    assert pathlib.Path(answer.download).stat().st_size > 10_000
    assert answer.facts["scale is metric"]
    assert answer.facts["watertight"]
    assert answer.facts["planes of symmetry"] > 0
    assert "remarks" not in answer.facts


def test_depth_may_be_missing(shipped, tmp_path):
    answer = press(shipped, tmp_path, depth=None, camera="")
    assert not answer.facts["scale is metric"]
    assert answer.image.shape == (224, 224, 3)  # no depth beside it


def test_cameras_may_be_files(shipped, tmp_path):
    """Depth of a camera 2 cm behind that of the image: the mesh is 2 cm nearer."""
    files = {"camera": "", "camera_file": "taxi_camera.json"}
    shown = press(shipped, tmp_path, **files).shown
    own = trimesh.load_mesh(shown)
    shift = tmp_path / "shift.json"
    shift.write_text("[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -0.02]]")
    files |= {"depth_camera": "taxi_camera.json", "depth_to_color": shift}
    shown = press(shipped, tmp_path, **files).shown
    moved = trimesh.load_mesh(shown)
    nearer = moved.bounds[1, 2] - own.bounds[1, 2]
    assert nearer == pytest.approx(0.02, abs=0.01)


def test_frames_and_textures(shipped, tmp_path):
    pytest.importorskip("xatlas")
    answer = press(shipped, tmp_path, frame="object", texture=True, file_format="obj")
    assert answer.facts["frame"].startswith("object")
    assert (
        trimesh.load_mesh(answer.shown).visual.material.baseColorTexture.size
        == (1024,) * 2
    )
    with zipfile.ZipFile(answer.download) as archive:
        assert archive.namelist() == ["mesh.obj", "mesh.mtl", "mesh_texture.png"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image": None}, "no image yet"),
        ({"image": "README.md"}, "README.md: not an image"),
        ({"depth": "README.md"}, "README.md"),
        ({"camera": "1,2"}, "expected four numbers fx, fy, cx, cy"),
        ({"camera": "/etc/passwd"}, "expected four numbers"),
        ({"depth_unit": "miles"}, "unknown depth unit 'miles'"),
        ({"file_format": "exe"}, "unknown format 'exe'; valid: obj"),
        ({"frame": "blender"}, "unknown frame 'blender'; valid: camera"),
        ({"texture": True, "file_format": "stl"}, "stl files hold no texture"),
        ({"depth_camera": "README.md"}, "README.md: not a JSON file"),
        ({"depth_to_color": "README.md"}, "--depth_intrinsics"),
        ({"mask": "README.md"}, "README.md: not an image"),
        ({"box": "1, 2 3"}, "box '1,2,3': expected left,top,right,bottom in pixels"),
        ({"box": "30,30,10,10"}, "expected left,top,right,bottom in pixels"),
        ({"label": "mug"}, "label 'mug': expected a whole number"),
        ({"label": "3"}, "needs a mask"),
        ({"mask": "gelatin_box_mask.png", "label": "3", **BOX}, "no pixel of label 3"),
        ({"remove_background": True}, "started without a network"),
    ],
)
def test_unusable_input_is_a_message(shipped, tmp_path, fields, message):
    with pytest.raises(InputError, match=message):
        press(shipped, tmp_path, **fields)


def test_images_of_40_megapixels_are_enough(shipped, tmp_path):
    """The command line takes 64; the header alone is read."""
    for name in ("image", "depth", "mask"):
        Image.new("1", (8000, 5001)).save(tmp_path / "large.png")
        with pytest.raises(InputError, match=r"8000x5001 pixels; .* at most 40 mill"):
            press(shipped, tmp_path, **{name: tmp_path / "large.png"})
    limits.check_pixels("large.png", 8000, 5001)


def test_the_mask_says_what_the_object_is(shipped, tmp_path):
    """The box of the examples stands on a table: depth alone finds it as well."""
    fields = {**BOX, "camera": "", "camera_file": "gelatin_box_camera.json"}
    masked = press(shipped, tmp_path, mask="gelatin_box_mask.png", **fields)
    found = press(shipped, tmp_path, **fields)
    assert "remarks" not in masked.facts
    (remark,) = found.facts["remarks"]
    assert remark.startswith("gelatin_box.png is not cut out: what stands on the plane")
    inside = [one.result.evidence.image[..., 3] > 127 for one in (masked, found)]
    overlap = np.logical_and(*inside).sum() / np.logical_or(*inside).sum()
    assert 0.8 < overlap < 1


def test_a_box_says_where_the_object_is(shipped, tmp_path):
    """The left half of the box of the examples."""
    fields = {**BOX, "camera": "", "camera_file": "gelatin_box_camera.json"}
    whole = press(shipped, tmp_path, **fields).result.evidence.image[..., 3] > 127
    rows, columns = np.nonzero(whole)
    left, middle, top, bottom = columns.min(), columns.mean(), rows.min(), rows.max()
    box = f"{left}, {top} {int(middle)}, {bottom}"
    half = press(shipped, tmp_path, box=box, **fields).result.evidence.image[..., 3]
    assert 0 < (half > 127).sum() < 0.8 * whole.sum()
    assert np.nonzero(half)[1].max() < int(middle) + 2


def test_a_network_removes_the_background(shipped, tmp_path):
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "photo.png")
    fields = {"image": tmp_path / "photo.png", "depth": None, "camera": ""}

    def middle(rgb):
        assert rgb.shape == (64, 64, 3)
        return np.pad(np.full((32, 32), 255, np.uint8), 16)

    answer = press(shipped, tmp_path, middle, remove_background=True, **fields)
    assert (answer.result.evidence.image[..., 3] > 127).sum() == 32 * 32
    whole = press(shipped, tmp_path, middle, **fields)
    assert "not cut out and has no white background" in whole.facts["remarks"][0]


def test_messages_name_no_folders_of_the_server():
    text = "/tmp/gradio/0f3a/mug.png: not an image; valid: m, mm"
    assert job.without_folders(text) == "mug.png: not an image; valid: m, mm"
