"""A page: drop an image and its depth, turn the mesh, download it.

    pixel2mesh-jax app [--model rgbd_sdf] [--host 127.0.0.1] [--port 7860]

Needs the extra `web` (gradio). Nothing is sent to another machine.
"""

import argparse
import os
import pathlib
import re
import signal
import tempfile
import zipfile
from collections.abc import Sequence
from typing import Any

from pixel2mesh_jax import model as models
from pixel2mesh_jax.command_line import Parser
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import limits, meshes, textured_meshes, units
from pixel2mesh_jax.weights import release

# Read when gradio is imported. Its history of runs offers to store them elsewhere.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_RUN_HISTORY"] = "False"

MAX_FILE = "20mb"
MAX_PIXELS = 40_000_000  # of an image or a depth map
MAX_WAITING = 20  # jobs in the queue
# Seconds after which files of a visitor are removed, and how often that is looked at.
FILE_AGE = 3600
FILE_CHECK = 600
FORMATS = meshes.FORMATS
# fx, fy, cx, cy of well-known sensors at their usual size.
PRESETS = {
    "from the image (assumed)": "",
    "RealSense D435, 640x480": "617,617,320,240",
    "Kinect v1, 640x480": "525,525,319.5,239.5",
    "Azure Kinect, 1280x720": "609,609,640,360",
}
CAMERA_FILES = (
    "Camera of the image (RealSense, ROS, Open3D, COLMAP, nerfstudio, BOP)",
    "Camera of the depth map, where it is another one",
    "Depth to colour: 4x4 matrix, or rotation and translation, as JSON",
)
FRAMES = {
    "camera": "as the image sees it, y up",
    "opencv": "y down, z forward",
    "object": "upright around the origin",
}
TEXTURE = 1024  # texels per side
INTRODUCTION = """# One image in, a mesh out
With depth the mesh is closed, coloured and in metres; without it, size and hidden side
are guesses. The object should be cut out; with depth, it may stand on a table."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the page; returns the exit code."""
    parser = Parser(
        prog="pixel2mesh-jax app",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default=release.DEFAULT, help="name or run")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for everybody")
    parser.add_argument("--port", type=int, default=7860)
    wanted = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # files are removed
    parent = os.environ.get("GRADIO_TEMP_DIR", tempfile.gettempdir())
    pathlib.Path(parent).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pixel2mesh_", dir=parent) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # uploads, meshes, examples
        try:
            page = build(models.load(wanted.model))
        except (InputError, ImportError) as error:
            parser.exit(2, f"error: {error}\n")
        launch(page, wanted.host, wanted.port)
    return 0


def launch(
    page: Any, host: str = "127.0.0.1", port: int | None = None, **options: Any
) -> str:
    """Serves a page until Ctrl-C, or beside the program if `prevent_thread_lock`.

    Args:
      page: see `build`.
      host: address to listen at; the default is reached from this machine only.
      port: of it; the first free one from 7860 if None.
      **options: of gradio's `launch`.

    Returns:
      The address of the page.
    """
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        max_file_size=MAX_FILE,
        **look(),
        **options,
    )
    return address


def look() -> dict[str, Any]:
    """Fonts of the machine: the defaults are fetched from elsewhere."""
    import gradio

    font = ["system-ui", "sans-serif"]
    theme = gradio.themes.Default(font=font, font_mono=["ui-monospace", "monospace"])
    return {"theme": theme}


def build(model: models.Model) -> Any:
    """The page (a gradio `Blocks`).

    Raises:
      InputError: gradio is not installed.
    """
    try:
        import gradio
    except ImportError:
        raise InputError(
            "The page needs gradio: pip install 'pixel2mesh-jax[web]'"
        ) from None

    folder = tempfile.TemporaryDirectory(prefix="pixel2mesh_")

    def run(*fields):
        for path in pathlib.Path(folder.name).iterdir():
            path.unlink()  # of the last job; gradio has its copies
        try:
            return reconstruct(model, pathlib.Path(folder.name), *fields)
        except InputError as error:
            text = without_folders(str(error))
            raise gradio.Error(text, duration=None, print_exception=False) from None

    with gradio.Blocks(
        title="pixel2mesh_jax",
        analytics_enabled=False,
        delete_cache=(FILE_CHECK, FILE_AGE),
    ) as page:
        gradio.Markdown(INTRODUCTION)
        with gradio.Row():
            with gradio.Column():
                inputs = _inputs(gradio)
                button = gradio.Button("Make the mesh", variant="primary")
            with gradio.Column():
                outputs = [
                    gradio.Model3D(label="Mesh: drag to turn", height=420),
                    gradio.File(label="Download"),
                    gradio.JSON(label="What is known of it"),
                ]
        button.click(run, inputs, outputs, api_name="reconstruct", concurrency_limit=1)
        fields = inputs[: len(EXAMPLE_FIELDS)]
        gradio.Examples(_examples(), fields, visible_columns=[0])
    return page.queue(max_size=MAX_WAITING)


def _as_uploaded(component):
    """The file itself: our reader says what is wrong with it.

    Gradio's own preprocessing also leaves an empty file behind for every one (6.31).
    """
    component.preprocess = lambda payload: None if payload is None else payload.path
    return component


def _inputs(gradio):
    image = _as_uploaded(
        gradio.Image(
            label="Image", type="filepath", image_mode=None, sources=["upload"]
        )
    )
    depth = _as_uploaded(gradio.File(label="Depth, optional: PNG in mm, TIFF, npy"))
    preset = gradio.Dropdown(list(PRESETS), label="Sensor", value=next(iter(PRESETS)))
    camera = gradio.Textbox(
        label="Camera: fx, fy, cx, cy in pixels", placeholder="617,617,320,240"
    )
    preset.change(PRESETS.get, preset, camera, api_visibility="private")
    unit = gradio.Dropdown(
        ["", *units.UNITS], label="Depth unit", value="", allow_custom_value=True
    )
    file_format = gradio.Radio(FORMATS, label="File", value="glb")
    with gradio.Accordion("Cameras from files", open=False):
        files = [_as_uploaded(gradio.File(label=label)) for label in CAMERA_FILES]
    with gradio.Accordion("Frame and texture", open=False):
        frame = gradio.Dropdown(
            [(f"{name}: {text}", name) for name, text in FRAMES.items()],
            label="Frame of the mesh",
            value="camera",
        )
        texture = gradio.Checkbox(
            label=f"Texture of {TEXTURE} texels from the image (glb, obj)"
        )
    return [image, depth, camera, unit, file_format, *files, frame, texture]


def reconstruct(
    model: models.Model,
    folder: pathlib.Path,
    image: str | None,
    depth: str | None,
    camera: str,
    depth_unit: str,
    file_format: str,
    camera_file: str | None = None,
    depth_camera: str | None = None,
    depth_to_color: str | None = None,
    frame: str = "camera",
    texture: bool = False,
) -> tuple[str, str, dict[str, Any]]:
    """What the button does.

    Args:
      model: to use.
      folder: for the meshes.
      image: file of the image.
      depth: file of its depth map.
      camera: four numbers; no path, which would be one of the server.
      depth_unit: name or metres per value; empty for the usual one.
      file_format: one of `FORMATS`.
      camera_file: of the image, in place of the four numbers.
      depth_camera: file of the camera of the depth map, if it is another one.
      depth_to_color: file of the transform between both.
      frame: one of `FRAMES`.
      texture: whether the image becomes the texture of the mesh.

    Returns:
      A glb to show, the file to download, and facts.

    Raises:
      InputError: unusable input.
    """
    if image is None:
        raise InputError("There is no image yet: drop one first.")
    if file_format not in FORMATS:
        raise InputError(f"unknown format {file_format!r}; valid: {', '.join(FORMATS)}")
    if texture:
        textured_meshes.check_format(file_format)
    with limits.at_most(MAX_PIXELS):
        result = model(
            image,
            depth or None,
            camera_file or lens(camera or ""),
            depth_unit=(depth_unit or "").strip() or None,
            depth_intrinsics=depth_camera or None,
            depth_to_color=depth_to_color or None,
            frame=frame,
            texture=TEXTURE if texture else 0,
        )
    shown = result.save(folder / "mesh.glb")
    wanted = _download(result, folder, file_format, texture)
    facts = {
        "frame": result.frame,
        "scale is metric": result.scale_is_metric,
        "size": units.format_length(result.size),
        "distance": units.format_length(result.distance),
        "triangles": len(result.mesh.faces),
        "watertight": result.is_watertight,
        "seconds": round(result.seconds, 2),
    }
    return str(shown), str(wanted), facts


def _download(result, folder, file_format, texture):
    """One file; an OBJ with a texture is three, in an archive."""
    path = result.save(folder / f"mesh.{file_format}")
    if not (texture and file_format == "obj"):
        return path
    archive = path.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for part in (path, *textured_meshes.beside(path)):
            file.write(part, part.name)
    return archive


def lens(text: str) -> tuple[float, ...] | None:
    """fx, fy, cx, cy of a text; None if it is empty.

    Raises:
      InputError: not four numbers.
    """
    if not text.strip():
        return None
    try:
        fx, fy, cx, cy = (float(word) for word in text.replace(",", " ").split())
    except ValueError:
        raise InputError(
            f"camera {text!r}: expected four numbers fx, fy, cx, cy in pixels"
        ) from None
    return fx, fy, cx, cy


def without_folders(text: str) -> str:
    """A message with the names of files alone."""
    return re.sub(r"(?:/[^/\s:]+)+/([^/\s:]+)", r"\1", text)


# Fields that examples fill, in the order of the page.
EXAMPLE_FIELDS = ("image", "depth", "camera", "unit", "file")


def _examples():
    """Images of the checkout, where there is one."""
    folder = pathlib.Path(__file__).resolve().parents[1] / "examples"
    camera = "245,245,111.5,111.5"  # of both
    return [
        [
            str(folder / f"{name}.png"),
            str(folder / f"{name}_depth.png"),
            camera,
            "",
            "glb",
        ]
        for name in ("taxi", "bench")
        if (folder / f"{name}.png").is_file()
    ]


if __name__ == "__main__":
    raise SystemExit(main())
