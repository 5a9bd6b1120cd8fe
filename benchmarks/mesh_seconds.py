"""How long a mesh takes: seconds from a view to it, run by run, on the same views.

    python -m benchmarks.mesh_seconds RUN [RUN ...] --data_dir data --views 20

The first view of each run, which compiles the network, does not count. Medians:
seconds on the clock, which other programs on the machine lengthen, and seconds of
processor time, of all cores together.
"""

import pathlib
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks import ways
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import score_tables
from pixel2mesh_jax.structures import Batch
from pixel2mesh_jax.training import run_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = ways.parser("mesh_seconds", __doc__, "test")
    parser.add_argument("runs", type=pathlib.Path, nargs="+", metavar="RUN")
    wanted = parser.parse_args(arguments)
    if wanted.views < 2:
        parser.error(f"--views is {wanted.views}; expected 2 or more, the first warms")
    lines = []
    try:
        for path in wanted.runs:
            run = run_folder.load_run(path)
            views = ways.views(wanted, run.config.image_size)
            clock, processor = seconds(run, views)
            lines.append([path.name, f"{clock:.3f}", f"{processor:.3f}"])
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    head = (f"{wanted.views - 1} views", "clock s", "processor s")
    sys.stdout.write(score_tables.markdown_table(head, lines) + "\n")
    return 0


def seconds(run: run_folder.Run, views: Iterator[Batch]) -> np.ndarray:
    """(2,); medians over all views but the first, by clock and by processor."""
    run.extract(next(views))
    times = []
    for view in views:
        start = np.array([time.perf_counter(), time.process_time()])
        run.extract(view)
        times.append([time.perf_counter(), time.process_time()] - start)
    return np.median(times, axis=0)


if __name__ == "__main__":
    sys.exit(main())
