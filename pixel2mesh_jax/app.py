"""A page: drop an image and its depth, turn the mesh, download it.

    pixel2mesh-jax app [--model rgbd_sdf|RUN] [--matting rembg|onnx:FILE]
                       [--mirrors N] [--host 127.0.0.1] [--port 7860]

Needs the extra `web` (gradio). Nothing is sent to another machine.
"""

import argparse
import inspect
import os
import pathlib
import signal
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from pixel2mesh_jax import model as models
from pixel2mesh_jax.command_line import Parser
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import matting as mattings
from pixel2mesh_jax.io.matting import Matting
from pixel2mesh_jax.web import job, layout
from pixel2mesh_jax.weights import release

# Read when gradio is imported. Its history of runs offers to store them elsewhere.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_RUN_HISTORY"] = "False"

MAX_FILE = "20mb"
MAX_WAITING = 20  # jobs in the queue
# Seconds after which files of a visitor are removed, and how often that is looked at.
FILE_AGE = 3600
FILE_CHECK = 600


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
    parser.add_argument(
        "--matting",
        default=mattings.NONE,
        help="offer to remove backgrounds: rembg (downloads its weights at first use) "
        "or onnx:FILE",
    )
    parser.add_argument(
        "--mirrors",
        type=int,
        help="planes of symmetry at most that complete what is hidden, 0 for none",
    )
    wanted = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # files are removed
    parent = os.environ.get("GRADIO_TEMP_DIR", tempfile.gettempdir())
    pathlib.Path(parent).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pixel2mesh_", dir=parent) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # uploads, meshes, examples
        try:
            page = build(models.load(wanted.model, wanted.mirrors), wanted.matting)
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


def build(model: models.Model, matting: str = mattings.NONE) -> Any:
    """The page (a gradio `Blocks`).

    Args:
      model: to use.
      matting: what removes backgrounds, see `io/matting.py`.

    Raises:
      InputError: gradio is not installed, or `matting` cannot be loaded.
    """
    try:
        import gradio
    except ImportError:
        raise InputError(
            "The page needs gradio: pip install 'pixel2mesh-jax[web]'"
        ) from None

    run, show = actions(gradio, model, mattings.load_matting(matting))
    background = None if matting == mattings.NONE else job.without_folders(matting)
    with gradio.Blocks(
        title="pixel2mesh_jax",
        analytics_enabled=False,
        delete_cache=(FILE_CHECK, FILE_AGE),
    ) as page:
        gradio.Markdown(layout.INTRODUCTION)
        with gradio.Row():
            with gradio.Column():
                form = layout.inputs(gradio, background)
                button = gradio.Button("Make the mesh", variant="primary")
            with gradio.Column():
                seen = layout.outputs(gradio, FILE_AGE)
        button.click(
            run,
            list(form),
            [seen.mesh, seen.download, seen.image, seen.facts, seen.result],
            api_name="reconstruct",
            concurrency_limit=1,
        ).success(
            lambda result: layout.stage_slider(gradio, len(result.stages)),
            seen.result,
            seen.stages,
            api_visibility="private",
        )
        seen.stages.input(
            show,
            [seen.result, seen.stages],
            seen.mesh,
            api_visibility="private",
            concurrency_limit=1,
            trigger_mode="always_last",
        )
        layout.examples(gradio, form)
    return page.queue(max_size=MAX_WAITING)


def actions(
    gradio: Any, model: models.Model, matting: Matting | None
) -> tuple[Callable[..., tuple], Callable[[models.Result, int], str]]:
    """What the button does: fields -> `Answer`; and the slider: result, stage -> glb.

    Each has a folder for its files. They raise gradio's `Error` for unusable input.
    """
    folders = [tempfile.TemporaryDirectory(prefix="pixel2mesh_") for _ in range(2)]

    def emptied(number):
        folder = pathlib.Path(folders[number].name)
        for path in folder.iterdir():
            path.unlink()  # of the last job; gradio has its copies
        return folder

    def run(*fields):
        try:
            return job.reconstruct(model, emptied(0), job.Form(*fields), matting)
        except InputError as error:
            text = job.without_folders(str(error))
            raise gradio.Error(text, duration=None, print_exception=False) from None

    def show(result, stage):
        if result is None:
            text = "The meshes of the stages are no longer kept: make the mesh again."
            raise gradio.Error(text, print_exception=False)
        return str(result.save(emptied(1) / "stage.glb", int(stage)))

    run.__signature__ = inspect.signature(job.Form)  # names and defaults of the API
    return run, show


if __name__ == "__main__":
    raise SystemExit(main())
