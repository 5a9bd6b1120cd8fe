"""The weights that ship with the package, with their scores.

pixel2mesh-jax models
"""

import argparse
import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from pixel2mesh_jax.command_line import Parser
from pixel2mesh_jax.weights import release

# Columns of scores and their keys in NAME.json: means over the test views.
SCORES = {
    "F(1e-4) %": "f_score_tau",
    "chamfer x1e3": "chamfer_x1e3",
    "without depth: F(1e-4) %": "f_score_tau_without_depth",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit code."""
    parser = Parser(
        prog="pixel2mesh-jax models",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    console = Console()
    console.print(table())
    console.print(f"How they were made: {release.FOLDER / 'README.md'}", soft_wrap=True)
    return 0


def table() -> Table:
    """One row for every file."""
    found = Table()
    for title in ("name", "inputs", "MB", *SCORES):
        found.add_column(title, justify="left" if title == "name" else "right")
    for name in release.released():
        path = release.path_of(name)
        inputs = " + ".join(release.load_settings(path)["inputs"])
        size = f"{path.stat().st_size / 1e6:.1f}"
        scores = load_scores(name)
        cells = (_number(scores.get(key)) for key in SCORES.values())
        found.add_row(name, inputs, size, *cells)
    return found


def load_scores(name: str) -> dict[str, float]:
    """Scores of released weights on the test views; empty where there are none."""
    path = release.path_of(name).with_suffix(".json")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _number(value):
    return "–" if value is None else f"{value:.2f}"
