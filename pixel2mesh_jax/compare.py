"""Runs side by side: one table, and one page of renderings of the same held-out views.

    python -m pixel2mesh_jax.compare runs/a runs/b ... [--output comparison]
        [--data_dir data] [--views 6]

The runs have to be evaluated (`--mode eval`) on the same samples by a common protocol.
Writes comparison.html, comparison.csv and comparison.md.
"""

import argparse
import itertools
import json
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.text import Text

from pixel2mesh_jax import modes
from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.command_line import Parser
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import run_tables, score_tables
from pixel2mesh_jax.evaluation.run_tables import Run
from pixel2mesh_jax.report import comparison, held_out
from pixel2mesh_jax.report.gallery import ReportSample
from pixel2mesh_jax.training import run_folder

DEFAULT_VIEWS = 6
NAME = "comparison"  # of the files, without suffix


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, or 2 after one line about what is wrong."""
    wanted = _parse(arguments)
    try:
        compare(wanted.runs, wanted.output, wanted.data_dir, wanted.views, Console())
    except (InputError, FloatingPointError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return 0


def compare(
    workdirs: Sequence[pathlib.Path],
    output: pathlib.Path,
    data_dir: pathlib.Path | None,
    num_views: int,
    console: Console,
) -> None:
    """Prints the tables and writes the files; see the module.

    Args:
      workdirs: folders of the runs.
      output: folder of the files.
      data_dir: where the data set is; where each run had it if None.
      num_views: held-out views to render, evenly spread over the split; 0 for none.
      console: for the tables.

    Raises:
      InputError: a run without scores, or runs that cannot be compared.
    """
    runs = load_runs(workdirs)
    run_tables.check_comparable(runs)
    samples = [
        _samples(workdir, run, data_dir, num_views) if num_views else []
        for workdir, run in zip(workdirs, runs, strict=True)
    ]
    _check_same_views(runs, samples)
    for table in run_tables.tables(runs):
        score_tables.print_whole(_rich_table(table), console)
    command = " ".join(["python -m pixel2mesh_jax.compare", *map(str, workdirs)])
    comparison.write_comparison(output / f"{NAME}.html", runs, samples, command)
    texts = {"csv": run_tables.csv_text(runs), "md": run_tables.markdown_text(runs)}
    for suffix, text in texts.items():
        write_atomically(output / f"{NAME}.{suffix}", text.encode())
    written = output / f"{NAME}.html"
    console.print(f"Wrote {written}, .csv, .md", soft_wrap=True, highlight=False)


def load_runs(workdirs: Sequence[pathlib.Path]) -> list[Run]:
    """Scores and settings of evaluated runs, named by their folders.

    Raises:
      InputError: fewer than two runs, one twice, or one that is not evaluated.
    """
    folders = [pathlib.Path(workdir).resolve() for workdir in workdirs]
    if len(set(folders)) < 2 or len(set(folders)) < len(folders):
        raise InputError("Expected two or more different runs to compare.")
    configs = [run_folder.load_config(folder).to_dict() for folder in folders]
    metrics = [_read_metrics(folder) for folder in folders]
    return list(map(Run, _names(folders), metrics, configs))


def _parse(arguments):
    parser = Parser(
        prog="python -m pixel2mesh_jax.compare",
        description="Compares evaluated runs: a table and a page of renderings.",
    )
    parser.add_argument("runs", nargs="+", type=pathlib.Path, help="folders of runs")
    parser.add_argument(
        "--output", type=pathlib.Path, default=pathlib.Path(NAME), help="folder"
    )
    parser.add_argument(
        "--data_dir", type=pathlib.Path, help="of the data set, if it has moved"
    )
    parser.add_argument(
        "--views",
        type=_natural,
        default=DEFAULT_VIEWS,
        help=f"held-out views to render (default {DEFAULT_VIEWS}; 0 for none)",
    )
    return parser.parse_args(arguments)


def _natural(text):
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is negative")
    return number


def _names(folders):
    """The shortest ends of the paths that tell them apart."""
    for depth in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = ["/".join(folder.parts[-depth:]) for folder in folders]
        if len(set(names)) == len(names):
            break
    return names


def _read_metrics(folder):
    path = folder / "metrics.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist: evaluate the run with --mode eval.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise InputError(f"{path} is not JSON.") from None


def _samples(workdir, run, data_dir, num_views) -> list[ReportSample]:
    """What a run predicts for views that are evenly spread over the split."""
    trained = run_folder.load_run(workdir)
    config = trained.config
    if data_dir is not None:
        config.data_dir = str(data_dir)
    dataset = modes.open_dataset(config)
    split = run.metrics["split"]
    batches = dataset.evaluate(split, num_views)
    categories = dataset.info.categories
    names = (f"{split} {number}" for number in itertools.count(1))
    return held_out.report_samples(trained.extract, batches, categories, names)


def _check_same_views(runs, samples):
    for run, shown in zip(runs, samples, strict=True):
        for sample, first in zip(shown, samples[0], strict=True):
            if not np.array_equal(sample.true_points, first.true_points):
                raise InputError(
                    f"The data of {run.name} are not those of {runs[0].name}; "
                    "--data_dir says where to find the same for both."
                )


def _rich_table(table):
    shown = score_tables.empty_table(table.title, table.head)
    for row in table.rows:
        shown.add_row(*(Text(c.text, "bold" if c.best else "") for c in row))
    return shown


if __name__ == "__main__":
    sys.exit(main())
