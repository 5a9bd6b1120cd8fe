"""Sweeps a split, scores every prediction and averages per category.

Baselines are scored beside the predictions: what a trained model has to beat.
"""

import collections
import concurrent.futures
import functools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import jax
import numpy as np
import rich.progress
from rich.console import Console

from pixel2mesh_jax import processes
from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.evaluation import metrics, occupancy, score_tables
from pixel2mesh_jax.evaluation import protocols as named
from pixel2mesh_jax.structures import Batch, HostMesh, Reconstruction

# A mesh that costs no training, for a row of a batch; None where there is none.
Baseline = Callable[[Batch, int], HostMesh | None]


def evaluate(
    extract: Callable[[Batch], list[Reconstruction]],
    batches: Iterable[Batch],
    *,
    categories: Sequence[str],
    num_examples: int,
    baselines: Mapping[str, Baseline],
    protocols: Sequence[str] = ("pixel2mesh", "surface"),
    console: Console | None = None,
    watch: Callable[[Batch, list[Reconstruction]], None] | None = None,
) -> dict:
    """Scores the meshes of every view against all points of its sample.

    Several processes share the batches; each extracts and scores its own, all return
    the scores of all.

    Args:
      extract: one reconstruction per row, in the frame of `batch.points`.
      batches: one pass over the split, numpy; rows of weight 0 are ignored.
      categories: names that `batch.category` indexes.
      num_examples: rows of weight > 0 in all batches, for the progress bar.
      baselines: scored beside the predictions, by name.
      protocols: names in `protocols.PROTOCOLS`.
      console: where the progress bar goes; rich's own by default.
      watch: is shown the first batch with its reconstructions.

    Returns:
      `protocols`: protocol -> `score_tables.average`; `baselines`: name -> the same;
      `num_samples`; `remarks`: remark -> of how many samples (see `Reconstruction`);
      and `samples`: category and scores by protocol of each, in the
      order of the split. All numbers are plain, ready for JSON.

    Raises:
      InputError: unknown protocol.
      FloatingPointError: a prediction that is not finite.
    """
    protocols = named.parse(protocols)
    score = functools.partial(_score_sample, protocols, baselines)
    rows = processes.gather_rows(
        lambda: _score_share(extract, batches, score, watch, num_examples, console)
    )
    rows = [row for _, row in sorted(rows, key=lambda numbered: numbered[0])]
    names = [categories[row["category"]] for row in rows]
    average = functools.partial(_average, names, categories, protocols)
    return {
        "protocols": average([row["scores"] for row in rows]),
        "baselines": {
            name: average([row["baselines"][name] for row in rows])
            for name in baselines
        },
        "num_samples": len(rows),
        "remarks": dict(collections.Counter(x for row in rows for x in row["remarks"])),
        "samples": [
            {"category": name, "scores": row["scores"]}
            for name, row in zip(names, rows, strict=True)
        ],
    }


def write_metrics(folder: str | os.PathLike, run: dict) -> None:
    """Writes metrics.json, metrics.csv, metrics.md and samples.csv.

    Args:
      folder: of the run.
      run: what `evaluate` returns; with `dataset`, `split` and `limit` (0 = all) also
        published scores go into the tables.
    """
    means = {name: value for name, value in run.items() if name != "samples"}
    texts = {
        "metrics.json": json.dumps(means, indent=2) + "\n",
        "metrics.csv": score_tables.csv_text(run),
        "metrics.md": score_tables.markdown_text(run),
        "samples.csv": score_tables.samples_csv_text(run["samples"]),
    }
    for name, text in texts.items():
        write_atomically(pathlib.Path(folder) / name, text.encode())


def print_table(run: dict, console: Console | None = None) -> None:
    """Prints one table per protocol: a row per category, then the two means."""
    console = console or Console()
    for protocol in run["protocols"]:
        score_tables.print_whole(_table(run, protocol), console)
        for note in score_tables.notes(run, protocol):
            console.print(note, soft_wrap=True, highlight=False)


def _progress(console):
    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
        console=console,
    )


def _score_share(extract, batches, score, watch, num_examples, console):
    """(place, scores) of the examples in the batches of this process."""
    rows, index, count = [], jax.process_index(), jax.process_count()
    with (
        _progress(console) as progress,
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        task = progress.add_task("evaluating", total=num_examples // count)
        for number, batch in enumerate(batches):
            if number % count != index:
                continue
            found = extract(batch)
            if watch is not None and number == 0:
                watch(batch, found)
            real = np.flatnonzero(np.asarray(batch.weight) > 0)
            scored = pool.map(lambda i: score(batch, i, found[i]), real)  # noqa: B023
            for place, row in zip(real, scored, strict=True):
                rows.append(((number, int(place)), row))
                progress.advance(task)
    return rows


def _score_sample(protocols, baselines, batch, index, found: Reconstruction):
    """Category, scores of the prediction and of the baselines; all by protocol."""
    metrics.check_finite(found.mesh.vertices)
    if not len(found.mesh.faces):
        raise ValueError("A reconstruction has no faces; `extract` has to give some.")
    true = _truth(batch, index)
    return {
        "category": int(batch.category[index]),
        "remarks": found.remarks,
        "scores": _scores(found.mesh, true, protocols),
        "baselines": {
            name: _scores(make(batch, index), true, protocols)
            for name, make in baselines.items()
        },
    }


def _truth(batch, row):
    """What a batch says of one example."""

    def of(*fields):
        values = [getattr(batch, name) for name in fields]
        return [None if value is None else np.asarray(value[row]) for value in values]

    voxels, distances, placement = of("voxels", "distances", "placement")
    points, normals, colors = of("points", "normals", "colors")
    depth, intrinsics = of("depth", "intrinsics")
    known = {"colors": colors}
    if voxels is not None:
        known["solid"] = occupancy.of_voxels(voxels, intrinsics, batch.rgb.shape[1:3])
    if distances is not None:
        known["cells"] = occupancy.of_distances(distances, placement)
    if depth is not None and np.any(depth):
        known["view"] = depth, intrinsics
    return named.truth(points, normals, **known)


def _scores(mesh: HostMesh | None, true, protocols):
    """By protocol; empty where there is no mesh."""
    if mesh is None:
        return {name: {} for name in protocols}
    chosen = {name: named.PROTOCOLS[name] for name in protocols}
    return {
        name: protocol.score(
            protocol.represent(mesh.vertices, mesh.faces)._replace(colors=mesh.colors),
            true,
        )
        for name, protocol in chosen.items()
    }


def _average(names, categories, protocols, scores):
    return {
        protocol: score_tables.average(
            [(name, row[protocol]) for name, row in zip(names, scores, strict=True)],
            categories,
        )
        for protocol in protocols
    }


def _table(run, protocol):
    title = f"protocol {protocol}, {run['num_samples']} samples"
    head = ["category", *score_tables.headings(run, protocol)]
    table = score_tables.empty_table(title, head)
    rows = score_tables.rows_of(run, protocol)
    for number, row in enumerate(rows):
        first_mean = row.group in score_tables.MEANS and not (
            number and rows[number - 1].group in score_tables.MEANS
        )
        if first_mean:
            table.add_section()
        label = f"  {row.label}" if row.system else row.label
        style = "dim" if row.system else None
        table.add_row(label, *score_tables.cells(row, protocol), style=style)
    return table
