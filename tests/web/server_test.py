"""The page as it is served, asked by gradio's client; where gradio is installed."""

import gc
import pathlib
import time

import numpy as np
import pytest
import trimesh
from PIL import Image

from pixel2mesh_jax import InputError, app, load
from pixel2mesh_jax.web import job, layout
from tests import networks, untrained_runs
from tests.training.loop_test import make_config

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def shipped():
    return load()


@pytest.fixture
def client_of(monkeypatch, tmp_path):
    """Serves a page of a model beside the test; gives a client."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    gradio_client = pytest.importorskip("gradio_client")
    pytest.importorskip("gradio", reason="needs the extra web: gradio")
    pages = []

    def serve(model, **options):
        pages.append(app.build(model, **options))
        address = app.launch(pages[-1], prevent_thread_lock=True, quiet=True)
        return gradio_client.Client(address, verbose=False, download_files=False)

    yield serve
    for page in pages:
        page.close()
        page.server.thread.join(timeout=30)
    gc.collect()  # warns here of what gradio leaves open


def ask(client, **fields):
    """The answer to a form; paths are files of the examples, or others."""
    from gradio_client import handle_file

    given = {
        name: handle_file(str(EXAMPLES / value))
        if isinstance(value, pathlib.Path)
        else value
        for name, value in fields.items()
    }
    return client.predict(**given, api_name="/reconstruct")


def path(name):
    return pathlib.Path(name)


TAXI = {"image": path("taxi.png"), "depth": path("taxi_depth.png")}
BOX = {
    "image": path("gelatin_box.png"),
    "depth": path("gelatin_box_depth.png"),
    "camera_file": path("gelatin_box_camera.json"),
}


def size_of(image):
    with Image.open(image["path"]) as image:
        return image.size


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

    monkeypatch.setattr(job, "reconstruct", slowly)
    monkeypatch.setattr(app, "MAX_WAITING", 2)
    client = client_of(shipped)
    jobs = [client.submit(image=None, api_name="/reconstruct") for _ in range(8)]
    texts = [str(job.exception(timeout=60)) for job in jobs]
    assert most == 1
    assert app.MAX_WAITING <= done < len(jobs)
    assert texts.count("expected nothing") == done
    assert sum("queue" in text.lower() for text in texts) == len(jobs) - done, texts


def test_the_server_answers_its_client(shipped, client_of):
    client = client_of(shipped)
    from gradio_client import exceptions

    lens = "245, 245, 111.5, 111.5"
    mesh, wanted, image, facts = ask(client, **TAXI, camera=lens, file_format="ply")
    assert mesh["path"].endswith(".glb")
    assert wanted["path"].endswith(".ply")
    assert size_of(image) == (224 + 4 + 224, 224)
    assert facts["watertight"]
    for fields in ({"image": None}, TAXI | {"depth": path("README.md")}):
        with pytest.raises(exceptions.AppError, match=r"expected|drop"):
            ask(client, **fields)
    camera = {"camera_file": path("bench_camera.json"), "frame": "opencv"}
    bench = {"image": path("bench.png"), "depth": path("bench_depth.png")}
    assert ask(client, **bench, **camera)[3]["scale is metric"]


def test_mask_label_and_box(shipped, client_of, tmp_path):
    """Which part is the object; a message for what is none."""
    client = client_of(shipped)
    from gradio_client import exceptions

    mask = path("gelatin_box_mask.png")
    assert "remarks" not in ask(client, **BOX, mask=mask)[3]
    with Image.open(EXAMPLES / mask) as image:
        half = np.where(np.asarray(image.convert("L")) > 127, 7, 0).astype(np.uint8)
    half[: len(half) // 2] //= 2
    Image.fromarray(half).save(tmp_path / "labels.png")
    labels = {"mask": tmp_path / "labels.png"}
    (remark,) = ask(client, **BOX, **labels)[3]["remarks"]
    assert "holds several labels" in remark
    assert "remarks" not in ask(client, **BOX, **labels, label="7")[3]
    for fields, message in (
        ({**labels, "label": "9"}, "no pixel of label 9"),
        ({"label": "7"}, "needs a mask"),
        ({"box": "1,2"}, "expected left,top,right,bottom"),
        ({"mask": path("README.md")}, "README.md: not an image"),
    ):
        with pytest.raises(exceptions.AppError, match=message):
            ask(client, **BOX, **fields)
    assert "remarks" in ask(client, **BOX, box="0,0,999,999")[3]


def test_a_network_removes_the_background(shipped, client_of, tmp_path):
    network = networks.write_network(tmp_path / "net.onnx", (320, 320))
    client = client_of(shipped, matting=f"onnx:u2net:{network}")
    photo = np.full((64, 64, 3), 60, np.uint8)
    photo[16:48, 16:48] = (200, 20, 200)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    fields = {"image": tmp_path / "photo.png"}
    assert "remarks" not in ask(client, **fields, remove_background=True)[3]
    assert "not cut out" in ask(client, **fields)[3]["remarks"][0]


def test_a_page_without_such_a_network_says_so(shipped, client_of):
    client = client_of(shipped)
    from gradio_client import exceptions

    with pytest.raises(exceptions.AppError, match="started without a network"):
        ask(client, **TAXI, remove_background=True)


def test_stages_are_shown_without_the_network(client_of, tmp_path, monkeypatch):
    """The functions behind button and slider, called as the page calls them."""
    config = make_config()
    untrained_runs.save(tmp_path / "run", config)
    model = load(tmp_path / "run")
    gradio = pytest.importorskip("gradio", reason="needs the extra web: gradio")
    run, show = app.actions(gradio, model, None)
    *_, result = run(str(EXAMPLES / "taxi.png"), str(EXAMPLES / "taxi_depth.png"))
    count = config.model.num_stages
    slider = layout.stage_slider(gradio, len(result.stages))
    assert (slider.visible, slider.value, slider.maximum) == (True, count, count)
    monkeypatch.setattr(job, "reconstruct", None)
    faces = [
        len(trimesh.load_mesh(show(result, number)).faces)
        for number in range(1, count + 1)
    ]
    assert faces == [len(mesh.faces) for mesh in result.stages]
    with pytest.raises(gradio.Error, match="no longer kept"):
        show(None, 1)


def test_there_is_no_slider_for_one_mesh():
    gradio = pytest.importorskip("gradio", reason="needs the extra web: gradio")
    assert not layout.stage_slider(gradio, 1).visible
