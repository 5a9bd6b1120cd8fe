"""The page: what its button does; and the server, where gradio is installed."""

import gc
import pathlib
import time
import zipfile

import pytest
import trimesh
from PIL import Image

from pixel2mesh_jax import InputError, app, load
from pixel2mesh_jax.io import limits

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
LENS = "245, 245, 111.5, 111.5"


@pytest.fixture(scope="module")
def shipped():
    return load()


def press(model, folder, image="taxi.png", depth="taxi_depth.png", **fields):
    image = None if image is None else str(EXAMPLES / image)
    depth = None if depth is None else str(EXAMPLES / depth)
    for name in ("camera_file", "depth_camera", "depth_to_color"):
        if name in fields:
            fields[name] = str(EXAMPLES / fields[name])
    filled = {"camera": LENS, "depth_unit": "", "file_format": "glb", **fields}
    return app.reconstruct(model, folder, image, depth, **filled)


@pytest.mark.parametrize("file_format", app.FORMATS)
def test_the_button_makes_a_mesh(shipped, tmp_path, file_format):
    shown, wanted, facts = press(shipped, tmp_path, file_format=file_format)
    assert shown.endswith(".glb")
    assert wanted.endswith(f".{file_format}")
    assert pathlib.Path(wanted).stat().st_size > 10_000
    assert facts["scale is metric"]
    assert facts["watertight"]


def test_depth_may_be_missing(shipped, tmp_path):
    *_, facts = press(shipped, tmp_path, depth=None, camera="")
    assert not facts["scale is metric"]


def test_cameras_may_be_files(shipped, tmp_path):
    """Depth of a camera 2 cm behind that of the image: the mesh is 2 cm nearer."""
    files = {"camera": "", "camera_file": "taxi_camera.json"}
    shown, *_ = press(shipped, tmp_path, **files)
    own = trimesh.load_mesh(shown)
    shift = tmp_path / "shift.json"
    shift.write_text("[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -0.02]]")
    files |= {"depth_camera": "taxi_camera.json", "depth_to_color": shift}
    shown, *_ = press(shipped, tmp_path, **files)
    moved = trimesh.load_mesh(shown)
    nearer = moved.bounds[1, 2] - own.bounds[1, 2]
    assert nearer == pytest.approx(0.02, abs=0.01)


def test_frames_and_textures(shipped, tmp_path):
    pytest.importorskip("xatlas")
    shown, wanted, facts = press(
        shipped, tmp_path, frame="object", texture=True, file_format="obj"
    )
    assert facts["frame"].startswith("object")
    assert trimesh.load_mesh(shown).visual.material.baseColorTexture.size == (1024,) * 2
    with zipfile.ZipFile(wanted) as archive:
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
    ],
)
def test_unusable_input_is_a_message(shipped, tmp_path, fields, message):
    with pytest.raises(InputError, match=message):
        press(shipped, tmp_path, **fields)


def test_images_of_40_megapixels_are_enough(shipped, tmp_path):
    """The command line takes 64; the header alone is read."""
    for fields in ({"image": "large.png"}, {"depth": "large.png"}):
        Image.new("1", (8000, 5001)).save(tmp_path / "large.png")
        paths = {k: str(tmp_path / name) for k, name in fields.items()}
        with pytest.raises(InputError, match=r"8000x5001 pixels; .* at most 40 mill"):
            press(shipped, tmp_path, **paths)
    limits.check_pixels("large.png", 8000, 5001)


def test_messages_name_no_folders_of_the_server():
    text = "/tmp/gradio/0f3a/mug.png: not an image; valid: m, mm"
    assert app.without_folders(text) == "mug.png: not an image; valid: m, mm"


def uploaded(name):
    """A file of the examples for the client of gradio."""
    from gradio_client import handle_file

    return name and handle_file(str(EXAMPLES / name))


@pytest.fixture
def client_of(monkeypatch, tmp_path):
    """Serves a page of a model beside the test; gives a client."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    gradio_client = pytest.importorskip("gradio_client")
    pytest.importorskip("gradio", reason="needs the extra web: gradio")
    pages = []

    def serve(model):
        pages.append(app.build(model))
        address = app.launch(pages[-1], prevent_thread_lock=True, quiet=True)
        return gradio_client.Client(address, verbose=False, download_files=False)

    yield serve
    for page in pages:
        page.close()
        page.server.thread.join(timeout=30)
    gc.collect()  # warns here of what gradio leaves open


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_one_job_at_a_time_and_a_queue(shipped, client_of, monkeypatch):
    """More jobs than the queue holds: each is done alone, or told that it is full."""
    running, most, done = 0, 0, 0

    def slowly(*_):
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        time.sleep(1)
        running, done = running - 1, done + 1
        raise InputError("expected nothing")

    monkeypatch.setattr(app, "reconstruct", slowly)
    monkeypatch.setattr(app, "MAX_WAITING", 2)
    client = client_of(shipped)
    fields = (None, None, "", "", "glb", None, None, None, "camera", False)
    jobs = [client.submit(*fields, api_name="/reconstruct") for _ in range(8)]
    texts = [str(job.exception(timeout=60)) for job in jobs]
    assert most == 1
    assert app.MAX_WAITING <= done < len(jobs)
    assert texts.count("expected nothing") == done
    assert sum("queue" in text.lower() for text in texts) == len(jobs) - done, texts


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_server_answers_its_client(shipped, client_of):
    """A mesh, and messages for bad files; needs the extra `web`."""
    client = client_of(shipped)
    from gradio_client import exceptions

    def ask(image, depth, lens=LENS, camera=None, frame="camera"):
        cameras = [uploaded(camera), None, None]
        fields = (uploaded(image), uploaded(depth), lens, "", "ply", *cameras, frame)
        return client.predict(*fields, False, api_name="/reconstruct")

    shown, wanted, facts = ask("taxi.png", "taxi_depth.png")
    assert shown["path"].endswith(".glb")
    assert wanted["path"].endswith(".ply")
    assert facts["watertight"]
    for image, depth in ((None, None), ("taxi.png", "README.md")):
        with pytest.raises(exceptions.AppError, match=r"expected|drop"):
            ask(image, depth)
    facts = ask("bench.png", "bench_depth.png", "", "bench_camera.json", "opencv")[2]
    assert facts["scale is metric"]
