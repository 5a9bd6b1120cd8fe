"""Trains every row of a table with the same budget and writes the table.

    python -m benchmarks.ablations --dataset mesh_folder --data_dir data --steps 400
    python -m benchmarks.ablations --table plus --dataset mesh_folder --data_dir data
    python -m benchmarks.ablations --only full --seeds 0 1 2 --settings image_size=64

`benchmarks/studies.py` has the tables and their rows: names of `configs/ablation.py`,
`configs/plus.py` (`--table plus`) or `configs/implicit.py` (`--table ladder`), or whole
configs (`--table families`, `--table budget`).
Interrupt and repeat the command as you like: rows that are done are not trained again.
The tables go to the terminal and, with the command, the hardware and the time, between
the two markers of a page of `docs/`, or of the page `--output`. The runs stay in
`--workdir`, ready for `python -m pixel2mesh_jax.compare`.
"""

import argparse
import csv
import functools
import itertools
import json
import os
import pathlib
import platform
import re
import shlex
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from importlib import metadata
from typing import NamedTuple

import jax
import numpy as np
from rich.console import Console

from benchmarks import pages, studies
from benchmarks.studies import STUDIES, Study
from pixel2mesh_jax import methods
from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.evaluation import score_tables
from pixel2mesh_jax.report import curves
from pixel2mesh_jax.training import checkpoints, run_folder, scalars
from pixel2mesh_jax.training import state as states

CONVERGENCE = "Convergence: mean of {} in each part of the training"
NUM_PARTS = 4  # of a training
MEAN = "mean_over_samples"
SECONDS = "seconds.json"  # in the folder of a run: what its training took
MISSING = "–"
FULL = "full"  # the row whose template stands for all, where there is one


class Row(NamedTuple):
    """One trained and evaluated row.

    Attributes:
      name: of the study.
      inputs: of the study too.
      scores: means over the held-out samples, by protocol.
      spread: standard deviations of the means over several seeds; empty for one.
      medians: over the samples, of the first seed; empty unless the study wants them.
      baselines: scores of what no network is needed for, by name.
      parameters: of the model.
      seconds: that training took, compilation included; None if it was interrupted.
      convergence: mean of a term of the training in each of `NUM_PARTS` parts.
    """

    name: str
    inputs: str
    scores: dict
    spread: dict
    medians: dict
    baselines: dict
    parameters: int
    seconds: float | None
    convergence: tuple[float, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    options = _parse(arguments)
    console = Console()
    wanted = [*itertools.product(options.only, options.inputs)]
    trainings = [*itertools.product(options.seeds, wanted)]
    for number, (seed, (name, inputs)) in enumerate(trainings, start=1):
        console.rule(f"{number} of {len(trainings)}: {name}, {inputs}, seed {seed}")
        train(name, inputs, seed, options)
    study = STUDIES[options.table]
    rows = [read(*row, options.seeds, options.workdir, study) for row in wanted]
    text = f"{markdown(rows, study)}\n\n{circumstances(options)}"
    console.print(text, soft_wrap=True, highlight=False, markup=False)
    pages.write_between_markers(options.output, text)
    return 0


def train(name: str, inputs: str, seed: int, options: argparse.Namespace) -> None:
    """Trains and evaluates one row in processes of their own, unless that is done."""
    workdir, study = folder(options.workdir, name, inputs, seed), STUDIES[options.table]
    if (workdir / "metrics.json").is_file():
        return
    command = [
        *(sys.executable, "-m", "pixel2mesh_jax.main"),
        f"--config={study.config(name, inputs)}",
        f"--workdir={workdir}",
        f"--config.dataset={options.dataset}",
        f"--config.num_steps={options.steps}",
        f"--config.seed={seed}",
        f"--config.eval.protocol={','.join(study.columns)}",
        f"--config.eval.limit={options.limit}",
        *(f"--config.{setting}" for setting in options.settings),
    ]
    train_on, test_on = (
        f"--config.data_dir={where}"
        for where in (options.data_dir, options.test_dir or options.data_dir)
    )
    interrupted = checkpoints.checkpoint_folder(workdir).exists()
    start = time.perf_counter()
    subprocess.run([*command, train_on, "--mode=train"], check=True)
    seconds = None if interrupted else time.perf_counter() - start
    write_atomically(workdir / SECONDS, json.dumps(seconds).encode())
    subprocess.run([*command, test_on, "--mode=eval"], check=True)


def read(
    name: str,
    inputs: str,
    seeds: Sequence[int],
    workdir: pathlib.Path,
    study: Study,
) -> Row:
    """The row of runs that were trained and evaluated, one per seed: their mean."""
    runs = [folder(workdir, name, inputs, seed) for seed in seeds]
    found = [json.loads((run / "metrics.json").read_text("utf-8")) for run in runs]
    scores = [_means(one["protocols"], study) for one in found]
    seconds = [json.loads((run / SECONDS).read_text("utf-8")) for run in runs]
    return Row(
        name,
        inputs,
        _over_seeds(np.mean, scores),
        _over_seeds(np.std, scores) if len(runs) > 1 else {},
        medians(runs[0]) if study.medians else {},
        {key: _means(value, study) for key, value in found[0]["baselines"].items()},
        count_parameters(run_folder.load_config(runs[0])),
        None if None in seconds else float(np.mean(seconds)),
        tuple(np.mean([convergence(run, study.term) for run in runs], axis=0)),
    )


def _means(scores, study):
    return {
        protocol: scores.get(protocol, {}).get(MEAN, {}) for protocol in study.columns
    }


def _over_seeds(reduce, scores):
    return jax.tree.map(lambda *values: float(reduce(values)), *scores)


def medians(run: pathlib.Path) -> dict[str, dict[str, float]]:
    """Of the scores of all samples of a run, by protocol."""
    values: dict = defaultdict(lambda: defaultdict(list))
    with (run / "samples.csv").open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            values[line["protocol"]][line["score"]].append(float(line["value"]))
    return {
        protocol: {score: float(np.median(found)) for score, found in scores.items()}
        for protocol, scores in values.items()
    }


def convergence(run: pathlib.Path, term: str) -> tuple[float, ...]:
    """Mean of a term over each part of a training."""
    _, values = curves.read_scalars(run / scalars.FILE_NAME)[term]
    return tuple(part.mean() for part in np.array_split(values, NUM_PARTS))


def folder(workdir: pathlib.Path, name: str, inputs: str, seed: int) -> pathlib.Path:
    """Where the run of a row lives."""
    depth = "_rgbd" if inputs == studies.RGBD else ""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower())
    return workdir / f"{plain}{depth}_seed{seed}"


def count_parameters(config) -> int:
    """Numbers that the training of a config changes."""
    method = methods.make(config)
    init = functools.partial(states.init_variables, method, seed=0)
    variables = jax.eval_shape(init, method.constants)
    return sum(leaf.size for leaf in jax.tree.leaves(variables.params))


def markdown(rows: Sequence[Row], study: Study) -> str:
    """All tables of the rows that there are."""
    head = ("", "inputs", *study.headings(), "parameters", "seconds")
    parts = []
    for title, names in study.tables.items():
        shown = [row for name in names for row in rows if row.name == name]
        if not shown:
            continue
        lines = [_line(row, study) for row in shown]
        of_row = {row.name: row.baselines for row in shown}
        for name, scores in of_row.get(FULL, shown[0].baselines).items():
            lines.append([name, "", *_texts(scores, study), "", ""])
        parts += [f"### {title}", score_tables.markdown_table(head, lines)]
    title = CONVERGENCE.format(f"`{study.term}`")
    return "\n\n".join([*parts, f"### {title}", _convergence_table(rows, study)])


def _line(row, study):
    """The cells of a row of a table."""
    return [
        row.name,
        row.inputs,
        *_texts(row.scores, study, row.spread, row.medians),
        f"{row.parameters:,}",
        MISSING if row.seconds is None else f"{row.seconds:.0f}",
    ]


def _convergence_table(rows, study):
    head = ("", "inputs", *(f"part {i + 1} of {NUM_PARTS}" for i in range(NUM_PARTS)))
    lines = [
        [row.name, row.inputs, *(f"{value:.3g}" for value in row.convergence)]
        for name in study.rows
        for row in rows
        if row.name == name
    ]
    return score_tables.markdown_table(head, lines)


def _texts(scores, study, spread=None, medians=None):
    """One cell per column: mean, ± spread over seeds, (median over samples)."""
    texts = []
    for protocol, column in study.headings().values():
        text = column.text(scores[protocol])
        if spread:
            text += f" ± {column.text(spread[protocol])}"
        if medians and column.score in medians.get(protocol, {}):
            text += f" ({column.text(medians[protocol])})"
        texts.append(text)
    return texts


def circumstances(options: argparse.Namespace) -> str:
    """Command, budget, hardware and day, in one paragraph."""
    study = STUDIES[options.table]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", "flax"))
    device = jax.devices()[0].device_kind
    machine = f"{os.cpu_count()} cores" if device == "cpu" else device
    held_out = f"{options.limit} evenly spaced" if options.limit else "all"
    flags = [f"--test_dir {options.test_dir.name}"] if options.test_dir else []
    flags.append(f"--only {shlex.join(options.only)}")
    if study.inputs != (studies.AS_NAMED,):
        flags.append(f"--inputs {' '.join(options.inputs)}")
    flags.append(f"--seeds {' '.join(map(str, options.seeds))}")
    if options.settings:
        flags.append(f"--settings {' '.join(options.settings)}")
    runs = (
        f"{len(options.seeds)} runs per row, ± their standard deviation"
        if len(options.seeds) > 1
        else "one run per row, so small differences are noise"
    )
    return (
        f"`python -m benchmarks.ablations --table {options.table} "
        f"--dataset {options.dataset} --data_dir "
        f"{options.data_dir.name} --steps {options.steps} --limit {options.limit} "
        f"{' '.join(flags)}`, "
        f"{time.strftime('%d %B %Y')}, {machine} ({platform.machine()}), "
        f"Python {platform.python_version()}, {versions}. Scores: mean over {held_out} "
        f"views of the test split of {options.dataset}"
        f"{' (in brackets: median)' if study.medians else ''}; {runs}. "
        "Seconds are those of training with its compilation."
    )


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablations", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--table", default="paper", choices=STUDIES)
    parser.add_argument("--dataset", default="procedural_shapes")
    parser.add_argument("--data_dir", type=pathlib.Path, default=pathlib.Path("data"))
    parser.add_argument(
        "--test_dir", type=pathlib.Path, help="of the test split, if it is elsewhere"
    )
    parser.add_argument("--steps", type=int, default=400, help="of every row")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--settings", nargs="+", default=[], metavar="NAME=VALUE", help="of the config"
    )
    parser.add_argument("--limit", type=int, default=0, help="test views; 0 for all")
    parser.add_argument("--only", nargs="+", metavar="ROW")
    parser.add_argument("--inputs", nargs="+", help="RGB, RGB-D; all by default")
    parser.add_argument(
        "--workdir", type=pathlib.Path, default=pathlib.Path("runs/ablations")
    )
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args(arguments)
    study = STUDIES[options.table]
    options.only = options.only or study.rows
    options.inputs = options.inputs or study.inputs
    for flag, valid in (("only", study.choices), ("inputs", study.inputs)):
        for name in getattr(options, flag):
            if name not in valid:
                parser.error(f"--{flag} {name}: valid are {', '.join(valid)}")
    options.output = options.output or pathlib.Path(study.page)
    return options


if __name__ == "__main__":
    sys.exit(main())
