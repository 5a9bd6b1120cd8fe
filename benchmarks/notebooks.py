"""Runs the notebooks of colabs/ and keeps their small outputs.

    python -m benchmarks.notebooks [reconstruct ...]

A viewer that is turned with the mouse holds a library of half a megabyte: it is left
out of the saved notebook, images beside it stay. In the environment, `P2M_TINY=1`
makes a smoke test of them.
"""

import argparse
import os
import pathlib
import sys
import tempfile
from collections.abc import Sequence

import nbclient
import nbformat

from pixel2mesh_jax.command_line import Parser

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "colabs"
NAMES = ("train_on_shapes", "reconstruct", "web_and_api")
# Largest output that is saved, characters; an image of 150 kB in base64.
MOST = 200_000
ESCAPE = "\x1b["  # begins what moves the cursor: progress bars
TIMEOUT = 3600  # seconds a cell


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = Parser(
        prog="python -m benchmarks.notebooks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", default=NAMES, help=", ".join(NAMES))
    for name in parser.parse_args(arguments).names:
        path = FOLDER / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            where = pathlib.Path(
                folder, FOLDER.name
            )  # as in a checkout, which stays clean
            where.mkdir()
            where.with_name("examples").symlink_to(FOLDER.parent / "examples")
            execute(notebook, where)
        nbformat.write(with_small_outputs(notebook, f"{where}/"), path)
        sys.stdout.write(f"{path.name}: {path.stat().st_size / 1000:.0f} kB\n")
    return 0


def execute(
    notebook: nbformat.NotebookNode, folder: pathlib.Path, timeout: int = TIMEOUT
) -> None:
    """Runs all cells in a folder; imports come from this checkout."""
    path = os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])
    nbclient.NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    ).execute(env=os.environ | {"PYTHONPATH": path.rstrip(os.pathsep)})


def with_small_outputs(
    notebook: nbformat.NotebookNode, folder: str
) -> nbformat.NotebookNode:
    """The notebook without viewers, links, messages of programs and times.

    Args:
      notebook: was executed.
      folder: a path that is left out of what programs wrote.
    """
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            kept = [output for output in cell.outputs if _kept(output)]
            cell.outputs = [_small(output, folder) for output in kept]
    return notebook


def _kept(output):
    if output.output_type == "stream":
        return output.name == "stdout" and ESCAPE not in output.text
    html = output.get("data", {}).get("text/html", "")
    return "<iframe" not in html and "<a href=" not in html


def _small(output, folder):
    """The output, its image once; too large a one as text."""
    if output.output_type == "stream":
        output.text = output.text.replace(folder, "")
    output.get("data", {}).pop("image/jpeg", None)
    size = sum(len(str(value)) for value in output.get("data", {}).values())
    if size > MOST:
        output.data = {"text/plain": f"({size / 1e6:.1f} MB, not saved)"}
    return output


if __name__ == "__main__":
    raise SystemExit(main())
