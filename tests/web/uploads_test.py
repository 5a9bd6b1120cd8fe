"""Malformed files at the page as it is served: a message or a mesh, and nothing left.

One server, in a process of its own that has a folder for temporary files of its own.
"""

import pathlib
import urllib.error
import urllib.parse
import urllib.request

import pytest

from benchmarks import browser
from tests import malformed_uploads

pytestmark = pytest.mark.slow
TAXI = {
    "image": "taxi.png",
    "depth": "taxi_depth.png",
    "camera_file": "taxi_camera.json",
}
UPLOADS = [*malformed_uploads.all_of_them()]
ALL_IN_ALL = 30
# What is odd, but enough for a mesh.
USED = ("two_objects.png",)


@pytest.fixture(scope="module")
def gradio_client():
    pytest.importorskip("gradio", reason="needs the extra web: gradio")
    return pytest.importorskip("gradio_client")


@pytest.fixture(scope="module")
def server_files(tmp_path_factory):
    """Where the server has its temporary files; empty once it has ended."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def address(gradio_client, server_files):
    with browser.served(server_files) as found:
        yield found
    assert [*server_files.iterdir()] == []


@pytest.fixture(scope="module")
def ask(gradio_client, address, tmp_path_factory):
    """Presses the button with these files; the taxi's for those that are missing."""
    own = tmp_path_factory.mktemp("client")
    client = gradio_client.Client(address, verbose=False, download_files=own)

    def press(**paths: pathlib.Path):
        files = {k: browser.EXAMPLES / name for k, name in TAXI.items()} | paths
        given = {k: gradio_client.handle_file(str(files[k])) for k in files}
        return client.predict(**given, file_format="ply", api_name="/reconstruct")

    return press


def message_of(ask, gradio_client, **paths):
    """What the page says; None if there is a mesh."""
    try:
        shown, wanted, _, facts = ask(**paths)
    except gradio_client.exceptions.AppError as error:
        return str(error)
    assert (shown[-4:], wanted[-4:]) == (".glb", ".ply")
    assert facts["triangles"] > 0
    return None


def test_there_are_thirty_of_them():
    assert len({(field, name) for field, name, _ in UPLOADS}) == len(UPLOADS)
    assert len(UPLOADS) >= ALL_IN_ALL


@pytest.mark.parametrize(
    ("field", "name", "content"),
    UPLOADS,
    ids=[f"{field}-{name}" for field, name, _ in UPLOADS],
)
def test_a_malformed_file_is_a_message(
    ask, gradio_client, tmp_path, field, name, content
):
    (tmp_path / name).write_bytes(content)
    paths = {field: tmp_path / name}
    if field == "depth_to_color":
        paths["depth_camera"] = browser.EXAMPLES / TAXI["camera_file"]
    text = message_of(ask, gradio_client, **paths)
    if text is None:
        assert name in USED
        return
    assert name in text or "expected" in text
    assert "Traceback" not in text
    assert "Error" not in text
    assert "could not convert" not in text
    assert ", line " not in text
    assert "/" not in text.replace(name, "")


def upload(address, size):
    """Sends a file to the server as a browser does, past the check in the client."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.npy"\r\n'
    body = head + b"Content-Type: image/png\r\n\r\n" + b"\0" * size + b"\r\n--x--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    request = urllib.request.Request(f"{address}gradio_api/upload", body, kind)
    with urllib.request.urlopen(request) as answer:
        return answer.status


def test_more_than_20_megabytes_are_refused(address, server_files):
    assert upload(address, 19_000_000) == 200
    before = {*server_files.rglob("*")}
    with pytest.raises(urllib.error.HTTPError, match="413"):
        upload(address, 21_000_000)
    assert {*server_files.rglob("*")} == before


def test_afterwards_the_server_makes_the_mesh_of_the_taxi(ask, gradio_client):
    facts = ask()[3]
    assert facts["watertight"]
    assert facts["scale is metric"]


def test_an_upload_is_kept_once(ask, server_files):
    """Nothing is left of a job but what the page shows: its files, each once."""
    ask()
    before = {*server_files.rglob("*")}
    ask()
    assert {path.name for path in {*server_files.rglob("*")} - before} <= {"mesh.glb"}
    sizes = [path.stat().st_size for path in server_files.rglob("*") if path.is_file()]
    assert sum(size == 0 for size in sizes) <= sum(not c for *_, c in UPLOADS)


def test_others_cannot_reach_it(address):
    """127.0.0.2 is this machine as well, and answers for a server of all addresses."""
    port = urllib.parse.urlsplit(address).port
    assert browser.listens("127.0.0.1", port)
    assert not browser.listens("127.0.0.2", port)
