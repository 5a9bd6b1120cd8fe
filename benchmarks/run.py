"""Prints and writes the table of timings.

    python -m benchmarks.run [--only NAME ...] [--device cpu|gpu] [--output FILE.json]
        [--page docs/performance.md]

Every row is a ratio against a named alternative, measured in the same run after a check
that both compute the same. `--page` puts the table between the markers of a page.
"""

import argparse
import importlib
import json
import os
import pathlib
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import metadata

import jax
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import pages
from benchmarks.timing import Case, Timing, measure
from pixel2mesh_jax.evaluation import score_tables

# Name -> module of this package with `cases() -> Iterator[Case]`, in the order shown.
BENCHMARKS = (
    "aggregation",
    "nearest",
    "pooling",
    "voxel_meshes",
    "refinement",
    "compilation",
    "step",
    "plus_step",
    "render",
    "build",
    "stream",
    "scaling",
    "cold_start",
)
HEADINGS = (
    "what",
    "ours ms",
    "per s",
    "alternative",
    "ms",
    "ratio",
    "+-",
    "goal",
    "note",
)
PRINTED_WIDTH = 140  # columns, where there is no terminal
PACKAGES = ("jax", "jaxlib", "flax", "numpy", "tensorflow-cpu", "trimesh", "embreex")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    options = _parse(arguments)
    if options.device == "cpu":
        os.environ.setdefault("JAX_PLATFORMS", "cpu")  # of the programs it starts
        jax.config.update("jax_platforms", "cpu")
    else:  # leave memory to the alternatives
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    start = time.perf_counter()
    console = Console(width=None if sys.stdout.isatty() else PRINTED_WIDTH)
    rows = []
    names = options.only or BENCHMARKS
    for name in track(names, "Measuring", console=Console(stderr=True)):
        rows += [measure(case) for case in _cases(name)]
    console.print(_table(rows))
    machine = _machine()
    console.print(", ".join(f"{key} {value}" for key, value in machine.items()))
    if options.output:
        content = {"machine": machine, "rows": [row._asdict() for row in rows]}
        options.output.write_text(json.dumps(content, indent=2) + "\n")
    if options.page:
        seconds = time.perf_counter() - start
        pages.write_between_markers(
            options.page, _markdown(options, rows, machine, seconds)
        )
    return 0


def _cases(name: str) -> Iterator[Case]:
    yield from importlib.import_module(f"benchmarks.{name}").cases()


def _table(rows: Sequence[Timing]) -> Table:
    table = Table(*HEADINGS, title="lower is better in ms; ratio = alternative / ours")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: Timing) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.ours_ms:.3g}",
        f"{1000 / row.ours_ms:.3g} {row.unit}s",
        row.other_name,
        f"{row.other_ms:.3g}",
        f"{row.ratio:.2f}",
        f"{row.spread:.0%}",
        row.goal,
        row.note,
    )


def _markdown(options, rows, machine, seconds):
    only = f"--only {' '.join(options.only)} " if options.only else ""
    table = score_tables.markdown_table(HEADINGS, [_cells(row) for row in rows])
    circumstances = ", ".join(f"{name} {value}" for name, value in machine.items())
    return (
        f"{table}\n\n`python -m benchmarks.run {only}--device {options.device} --page "
        f"{options.page}`, {time.strftime('%d %B %Y')}, {seconds / 60:.1f} minutes "
        f"in all; {circumstances}."
    )


def _machine():
    """Where it was measured."""
    found = {"python": platform.python_version(), "cpu": _cpu()}
    found["cores"] = str(len(os.sched_getaffinity(0)))
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cpu():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return models[0] if models else platform.machine()


def _parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--output", type=pathlib.Path, metavar="FILE.json")
    parser.add_argument("--page", type=pathlib.Path, metavar="FILE.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
