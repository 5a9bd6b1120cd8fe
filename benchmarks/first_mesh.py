"""From `from pixel2mesh_jax import load` in a new process to the first mesh, and on.

    python -m benchmarks.first_mesh [--runs 5]

A fresh process each time, the weights that ship, the taxi of examples/, the compilation
cache of an earlier process. Prints a Markdown table of medians: seconds on the clock,
which other programs on the machine lengthen, and seconds of processor time, which they
do hardly; and the load of the machine meanwhile.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence

import numpy as np

from pixel2mesh_jax.command_line import Parser

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
GOALS = {"first mesh": 5.0, "second mesh": 0.15}  # seconds
# What a user would type, and clocks between the lines.
PROGRAM = """
import json, sys, time
clocks = []
def now():
    clocks.append((time.perf_counter(), time.process_time()))
now()
from pixel2mesh_jax import load
now()
model = load()
now()
files = [sys.argv[1] + ending for ending in (".png", "_depth.png", "_camera.json")]
model(*files).mesh
now()
model(*files).mesh
now()
print(json.dumps(clocks))
"""
PARTS = ("import", "load", "first call", "second mesh")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = Parser(
        prog="python -m benchmarks.first_mesh",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args(arguments).runs
    measure()  # fills the cache
    times = np.median([measure() for _ in range(runs)], axis=0)
    sys.stdout.write(table(times) + "\n")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    sys.stdout.write(f"load {load} on {os.cpu_count()} cores; {runs} runs\n")
    return 0


def measure() -> np.ndarray:
    """(4, 2): clock and processor seconds of every one of `PARTS`, in a new process."""
    command = [sys.executable, "-c", PROGRAM, str(EXAMPLES / "taxi")]
    environment = os.environ | {"PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    return np.diff(json.loads(done.stdout.splitlines()[-1]), axis=0)


def table(times: np.ndarray) -> str:
    """Markdown."""
    rows = dict(zip(PARTS, times, strict=True))
    rows["first mesh"] = times[:3].sum(axis=0)
    lines = ["| what | clock s | processor s | goal |", "| --- | --: | --: | --: |"]
    for name, (clock, processor) in rows.items():
        goal = GOALS.get(name, "")
        lines.append(f"| {name} | {clock:.2f} | {processor:.2f} | {goal} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
