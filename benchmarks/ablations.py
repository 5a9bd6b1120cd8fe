"""Trains every row of the ablation tables with the same budget and writes the tables.

    python -m benchmarks.ablations --dataset mesh_folder --data_dir data --steps 400
    python -m benchmarks.ablations --table plus --dataset mesh_folder --data_dir data
    python -m benchmarks.ablations --only full --seeds 0 1 2 --settings image_size=64

A row is a name of `configs/ablation.py`, or with `--table plus` of `configs/plus.py`,
in colour and in colour and depth. Interrupt and repeat the command as you like: rows
that are done are not trained again. The tables go to the terminal and, with the
command, the hardware and the time, between the two markers of `docs/ablations.md` or
`docs/ablations_plus.md`. The runs stay in `--workdir`, ready for
`python -m pixel2mesh_jax.compare`.
"""

import argparse
import functools
import itertools
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import NamedTuple

import jax
import numpy as np
from rich.console import Console

from benchmarks import pages
from configs import ablation, plus
from pixel2mesh_jax import methods
from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.evaluation import protocols, score_tables
from pixel2mesh_jax.report import curves
from pixel2mesh_jax.training import checkpoints, run_folder, scalars
from pixel2mesh_jax.training import state as states

# Title -> names, of `configs/ablation.py`.
TABLES = {
    "Table 3 of the paper: one idea less": (
        "full",
        "no_residual",
        "no_laplacian",
        "no_unpooling",
        "no_normal",
        "no_edge",
        "no_move",
    ),
    "Figure 6 of the paper: number of blocks": (
        "blocks_1",
        "blocks_2",
        "full",
        "blocks_4",
    ),
    "From Pixel to Mesh: autoencoder": ("full", "autoencoder"),
}
CONVERGENCE = "Convergence: mean chamfer term in each part of the training"
NUM_PARTS = 4  # of a training
INPUTS = {"RGB": "", "RGB-D": ",rgbd"}
# Vertices against points, as in the paper, which favours meshes of many vertices; and
# points of the surface, which does not.
PAPER_COLUMNS = {"pixel2mesh": 3, "surface": 1}
PLUS_COLUMNS = {"surface": 2, "mesh_rcnn": 3, "hidden": 3, "visible": 2}
TEMPLATE = "undeformed template"  # the baseline, as evaluations name it
MEAN = "mean_over_samples"
SECONDS = "seconds.json"  # in the folder of a run: what its training took


class Study(NamedTuple):
    """Which rows there are, and what is printed of them.

    Attributes:
      module: of the configs, whose variants are the rows.
      tables: title -> rows.
      columns: protocol -> how many of its columns.
      choices: all rows that can be trained.
    """

    module: str
    tables: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, int]
    choices: tuple[str, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(itertools.chain(*self.tables.values())))

    def headings(self) -> dict[str, tuple[str, protocols.Column]]:
        """Heading -> protocol and column."""
        return {
            f"{column.heading}, {protocol}": (protocol, column)
            for protocol, count in self.columns.items()
            for column in protocols.PROTOCOLS[protocol].columns[:count]
        }


STEPS = tuple(plus.STEPS)
PAPER = Study("ablation", TABLES, PAPER_COLUMNS, tuple(ablation.CHANGES))
PLUS = Study(
    "plus", {"From released to plus: one change more": STEPS}, PLUS_COLUMNS, STEPS
)
STUDIES = {"paper": PAPER, "plus": PLUS}
PAGES = {"paper": "docs/ablations.md", "plus": "docs/ablations_plus.md"}


class Row(NamedTuple):
    """One trained and evaluated ablation.

    Attributes:
      name: of `configs/ablation.py`, without its inputs.
      inputs: key of `INPUTS`.
      scores: of the held-out samples, by protocol.
      spread: their standard deviations over several seeds; empty for one.
      template: scores of the undeformed template.
      parameters: of the model.
      seconds: that training took, compilation included; None if it was interrupted.
      convergence: mean chamfer term of the training in each of `NUM_PARTS` parts.
    """

    name: str
    inputs: str
    scores: dict
    spread: dict
    template: dict
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
    command = [
        *(sys.executable, "-m", "pixel2mesh_jax.main"),
        f"--config=configs/{study.module}.py:{name}{INPUTS[inputs]}",
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
    if (workdir / "metrics.json").is_file():
        return
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
    study: Study = PAPER,
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
        _means(found[0]["baselines"][TEMPLATE], study),
        count_parameters(run_folder.load_config(runs[0])),
        None if None in seconds else float(np.mean(seconds)),
        tuple(np.mean([convergence(run) for run in runs], axis=0)),
    )


def _means(scores, study):
    return {protocol: scores[protocol][MEAN] for protocol in study.columns}


def _over_seeds(reduce, scores):
    return jax.tree.map(lambda *values: float(reduce(values)), *scores)


def convergence(run: pathlib.Path) -> tuple[float, ...]:
    """Mean of the chamfer term over each part of a training."""
    _, values = curves.read_scalars(run / scalars.FILE_NAME)["loss/chamfer"]
    return tuple(part.mean() for part in np.array_split(values, NUM_PARTS))


def folder(workdir: pathlib.Path, name: str, inputs: str, seed: int) -> pathlib.Path:
    """Where the run of a row lives."""
    return workdir / f"{name}{INPUTS[inputs]}_seed{seed}".replace(",", "_")


def count_parameters(config) -> int:
    """Numbers that the training of a config changes."""
    method = methods.make(config)
    init = functools.partial(states.init_variables, method, seed=0)
    variables = jax.eval_shape(init, method.constants)
    return sum(leaf.size for leaf in jax.tree.leaves(variables.params))


def markdown(rows: Sequence[Row], study: Study = PAPER) -> str:
    """All tables of the rows that there are."""
    head = ("", "inputs", *study.headings(), "parameters", "seconds")
    parts = []
    for title, names in study.tables.items():
        shown = [row for name in names for row in rows if row.name == name]
        if not shown:
            continue
        lines = [
            [
                row.name,
                row.inputs,
                *_texts(row.scores, study, row.spread),
                f"{row.parameters:,}",
                "–" if row.seconds is None else f"{row.seconds:.0f}",
            ]
            for row in shown
        ]
        start = {row.name: row.template for row in shown}
        start = start.get("full", shown[0].template)
        lines.append([TEMPLATE, "", *_texts(start, study), "", ""])
        parts += [f"### {title}", score_tables.markdown_table(head, lines)]
    return "\n\n".join([*parts, f"### {CONVERGENCE}", _convergence_table(rows, study)])


def _convergence_table(rows, study):
    head = ("", "inputs", *(f"part {i + 1} of {NUM_PARTS}" for i in range(NUM_PARTS)))
    lines = [
        [row.name, row.inputs, *(f"{value:.1f}" for value in row.convergence)]
        for name in study.rows
        for row in rows
        if row.name == name
    ]
    return score_tables.markdown_table(head, lines)


def _texts(scores, study, spread=None):
    texts = []
    for protocol, column in study.headings().values():
        text = column.text(scores[protocol])
        if spread:
            text += f" ± {column.text(spread[protocol])}"
        texts.append(text)
    return texts


def circumstances(options: argparse.Namespace) -> str:
    """Command, budget, hardware and day, in one paragraph."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", "flax"))
    device = jax.devices()[0].device_kind
    machine = f"{os.cpu_count()} cores" if device == "cpu" else device
    held_out = f"the first {options.limit}" if options.limit else "all"
    flags = [f"--only {' '.join(options.only)}", f"--inputs {' '.join(options.inputs)}"]
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
        f"views of the test split of {options.dataset}; {runs}. "
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
    parser.add_argument("--inputs", nargs="+", default=[*INPUTS], choices=INPUTS)
    parser.add_argument(
        "--workdir", type=pathlib.Path, default=pathlib.Path("runs/ablations")
    )
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args(arguments)
    study = STUDIES[options.table]
    options.only = options.only or study.rows
    unknown = [name for name in options.only if name not in study.choices]
    if unknown:
        parser.error(f"--only {unknown[0]}: valid are {', '.join(study.choices)}")
    options.output = options.output or pathlib.Path(PAGES[options.table])
    return options


if __name__ == "__main__":
    sys.exit(main())
