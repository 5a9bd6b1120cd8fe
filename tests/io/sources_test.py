import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import sources


def make(folder, *names):
    folder.mkdir(exist_ok=True, parents=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_a_folder_lists_images_with_their_companions(tmp_path):
    folder = make(
        tmp_path / "in",
        *("b.jpg", "a.png", "a_depth.png", "a_mask.png", "a_camera.json"),
        *("a_preview.png", "notes.txt", ".hidden.png", "b_depth.npy"),
    )
    assert sources.find_sources(folder) == [
        sources.Sources(
            folder / "a.png",
            folder / "a_depth.png",
            folder / "a_mask.png",
            folder / "a_camera.json",
        ),
        sources.Sources(folder / "b.jpg", folder / "b_depth.npy"),
    ]


def test_one_camera_may_serve_the_whole_folder(tmp_path):
    folder = make(tmp_path, "a.png", "a_camera.json", "b.png", "intrinsics.json")
    own, shared = sources.find_sources(folder)
    assert own.camera == folder / "a_camera.json"
    assert shared.camera == folder / "intrinsics.json"


@pytest.mark.parametrize(
    "name", ["a_depth.png", "a_depth.npy", "a_depth.exr", "a.png", "a.npy"]
)
def test_depth_in_a_folder_of_its_own(tmp_path, name):
    images, depths = make(tmp_path / "in", "a.png"), make(tmp_path / "depth", name)
    for source in (images, images / "a.png"):
        [found] = sources.find_sources(source, depths)
        assert found.depth == depths / name


@pytest.mark.parametrize(
    "names",
    [
        ("a.PNG", "a_depth.PNG", "a_mask.PNG", "a_camera.JSON"),
        ("a.jpg", "a_depth.tiff", "a_mask.jpg", "a_camera.yaml"),
        ("a.jpg", "a_depth.pgm", "a_mask.webp", "cameras.txt"),
    ],
)
def test_companions_of_any_suffix_and_case(tmp_path, names):
    folder = make(tmp_path, *names)
    [found] = sources.find_sources(folder)
    assert found == sources.Sources(*(folder / name for name in names))
    assert sources.unused_files(folder, [found]) == []


def test_files_that_belong_to_nothing(tmp_path):
    folder = make(tmp_path, "a.png", "b.HEIC", "a_mask.gif", "._a.png", "a_preview.png")
    unused = sources.unused_files(folder, sources.find_sources(folder))
    assert [path.name for path in unused] == ["a_mask.gif", "b.HEIC"]


def test_depth_file_of_one_image(tmp_path):
    folder = make(tmp_path, "a.png", "a_depth.png", "z.png")
    [found] = sources.find_sources(folder / "a.png", folder / "z.png")
    assert found.depth == folder / "z.png"


def test_what_cannot_be_matched(tmp_path):
    folder = make(tmp_path / "in", "a.png", "a.jpg", "d_depth.png")
    with pytest.raises(InputError, match="written to the same file: a"):
        sources.find_sources(folder)
    with pytest.raises(InputError, match="no images in this folder"):
        sources.find_sources(make(tmp_path / "empty", "a_mask.png"))
    with pytest.raises(InputError, match="no such file or folder"):
        sources.find_sources(tmp_path / "absent.png")
    with pytest.raises(InputError, match="of depth maps"):
        sources.find_sources(folder / "a.png", tmp_path / "absent")
    single = make(tmp_path / "single", "a.png")
    with pytest.raises(InputError, match="one depth map for the folder"):
        sources.find_sources(single, folder / "d_depth.png")
