"""The page in a headless Chromium: upload, press, wait for the mesh, turn it.

    pip install -e '.[web,browser]'           # and a Chromium; none is downloaded
    python -m benchmarks.browser --out docs   # docs/app.png, docs/app_phone.png

The page is served by the program itself, in a process of its own whose temporary files
lie in one folder.
"""

import argparse
import contextlib
import io
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
EXAMPLES = REPOSITORY / "examples"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Chromium itself asks nobody for anything; images are drawn without a GPU.
FLAGS = (
    *("--no-sandbox", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--enable-unsafe-swiftshader",
)
DESK, PHONE = (1400, 1000), (400, 800)  # width and height of the window, pixels
IMAGES = {"app.png": DESK, "app_phone.png": PHONE}
PALETTE = 256  # colours of a saved image
START = 120  # seconds until the page answers; most of it is JAX
STOP = 30  # seconds until it has ended; it takes 3
PATIENCE = 180_000  # milliseconds for the first mesh, which compiles
SETTLED = 1_000  # milliseconds in which nothing changes once a mesh is drawn
LOOKS = 60
LAST_FIELD = 5  # for files: image, depth, mask, three of cameras
DRAG = 150  # pixels
EVIDENCE, STAGES = "#evidence img", "#stages input[type=range]"


class Seen(NamedTuple):
    """What the browser saw.

    Attributes:
      hosts: that the page asked for anything.
      before, after: the viewer as PNG, before and after the mesh was turned.
      evidence: the image of the object and its depth as PNG, as it is drawn.
      stages: the viewer as PNG at every stage of the slider, the first one first;
        nothing where there is no slider.
      page: the page as PNG, from top to bottom, after that.
      width: of the page, pixels; wider than the window if something sticks out.
      seconds: from the press of the button to the mesh.
    """

    hosts: set[str]
    before: bytes
    after: bytes
    evidence: bytes
    stages: list[bytes]
    page: bytes
    width: int
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=pathlib.Path, default=REPOSITORY / "docs")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, served(folder) as address:
        for name, size in IMAGES.items():
            seen = visit(address, size)
            save(seen.page, wanted.out / name)
            sys.stdout.write(f"{name}: {seen.seconds:.1f} s to the mesh\n")
    return 0


@contextlib.contextmanager
def served(folder: str | os.PathLike, *options: str) -> Iterator[str]:
    """The address of a page; ends with a TERM signal.

    Args:
      folder: for the temporary files of the server.
      *options: of `pixel2mesh-jax app`; the weights that ship without any.
    """
    port = free_port()
    command = [sys.executable, "-m", "pixel2mesh_jax.app", "--port", str(port)]
    command += options
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(REPOSITORY)}
    environment["PYTHONFAULTHANDLER"] = "1"
    environment.pop("GRADIO_TEMP_DIR", None)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for(process, port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=STOP)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # says on stderr where every thread is
            process.wait()
            raise


def free_port() -> int:
    """One of this machine that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(process: subprocess.Popen, port: int) -> None:
    """Returns when a server listens; raises RuntimeError if it never does."""
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        if listens("127.0.0.1", port):
            return
        time.sleep(0.2)
    raise RuntimeError(f"no page within {START} s; exit code {process.poll()}")


def listens(host: str, port: int) -> bool:
    """Whether somebody does."""
    with socket.socket() as asking:
        return asking.connect_ex((host, port)) == 0


def visit(address: str, size: tuple[int, int], name: str = "taxi") -> Seen:
    """Makes the mesh of an example, turns it and looks at its stages.

    Args:
      address: of the page.
      size: width and height of the window.
      name: of the example; its depth, mask and camera are uploaded as well.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        width, height = size
        page = browser.new_page(viewport={"width": width, "height": height})
        hosts = set()
        page.on("request", lambda asked: hosts.add(host_of(asked.url)))
        page.goto(address)
        fill_in(page, name)
        seconds, canvas = press(page)
        before, after = turn(page, canvas)
        evidence = page.locator(EVIDENCE).screenshot()
        stages = slide(page, canvas)
        page.evaluate("scrollTo(0, 0)")
        width = page.evaluate("document.documentElement.scrollWidth")
        whole = page.screenshot(full_page=True)
        browser.close()
    return Seen(hosts, before, after, evidence, stages, whole, width, seconds)


def host_of(url: str) -> str:
    """Of an address; the scheme for `data:` and `blob:`, which stay in the browser."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme if parts.scheme in ("data", "blob") else parts.hostname


def fill_in(page: Any, name: str) -> None:
    """Image, depth, mask and camera of an example, as a visitor uploads them."""
    page.get_by_role("button", name="Cameras from files").click()
    fields = page.locator("input[type=file]")
    fields.nth(LAST_FIELD).wait_for(state="attached")
    # A field that has got its file is no field any more: the last one first.
    for ending, index in (("_camera.json", 3), ("_mask.png", 2), ("_depth.png", 1)):
        path = EXAMPLES / f"{name}{ending}"
        if path.is_file():
            fields.nth(index).set_input_files(path)
            page.get_by_text(path.stem).first.wait_for()
    fields.first.set_input_files(EXAMPLES / f"{name}.png")
    page.get_by_role("button", name="Remove Image").wait_for()
    page.get_by_role("button", name="Cameras from files").click()


def press(page: Any) -> tuple[float, Any]:
    """Returns the seconds until the viewer is there, and the viewer."""
    start = time.monotonic()
    page.get_by_role("button", name="Make the mesh").click()
    canvas = page.locator("canvas").first
    canvas.wait_for(timeout=PATIENCE)
    return time.monotonic() - start, canvas


def turn(page: Any, canvas: Any) -> tuple[bytes, bytes]:
    """The viewer before and after the mesh was dragged to the side."""
    canvas.evaluate(
        "canvas => canvas.scrollIntoView({block: 'center', behavior: 'instant'})"
    )
    box = canvas.bounding_box()
    before = drawn(page, box)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + DRAG, y, steps=10)
    page.mouse.up()
    page.wait_for_timeout(SETTLED)
    return before, drawn(page, box)


def slide(page: Any, canvas: Any) -> list[bytes]:
    """The viewer at every stage, if there is a slider; leaves it at the last one."""
    slider = page.locator(STAGES)
    if not slider.count():
        return []
    most = int(slider.get_attribute("max"))
    images = []
    for key in ("Home", *["ArrowRight"] * (most - 1)):
        slider.press(key)
        page.wait_for_timeout(SETTLED)
        images.append(drawn(page, canvas.bounding_box()))
    return images


def drawn(page: Any, box: dict[str, float]) -> bytes:
    """A part of the window once it shows something that stands still."""
    image, last = page.screenshot(clip=box), None
    for _ in range(LOOKS):
        if image == last and not is_blank(image):
            return image
        page.wait_for_timeout(SETTLED)
        image, last = page.screenshot(clip=box), image
    raise RuntimeError(f"nothing that stands still after {LOOKS} looks")


def pixels(image: bytes) -> np.ndarray:
    """(H, W, 3) of a PNG, 0 to 255, signed."""
    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB")).astype(int)


def is_blank(image: bytes) -> bool:
    """Whether it has hardly any colours."""
    return len(np.unique(pixels(image).reshape(-1, 3), axis=0)) < 100


def save(screenshot: bytes, path: pathlib.Path) -> None:
    """As a PNG of few colours, which is small."""
    image = Image.open(io.BytesIO(screenshot)).convert("RGB")
    image.quantize(PALETTE, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    raise SystemExit(main())
