"""Sweeps a split, scores every prediction and averages per category.

The undeformed template is scored beside the predictions, as the baseline that a trained
model has to beat.
"""

import concurrent.futures
import functools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import rich.progress
from jaxtyping import Float, Int
from rich.console import Console

from pixel2mesh_jax import protocols as named
from pixel2mesh_jax import score_tables
from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.structures import Batch, Outputs


def evaluate(
    predict: Callable[[Batch], Outputs],
    batches: Iterable[Batch],
    *,
    categories: Sequence[str],
    num_examples: int,
    template_vertices: Float[np.ndarray, "V 3"],
    template_faces: Int[np.ndarray, "F 3"],
    protocols: Sequence[str] = ("pixel2mesh", "surface"),
    console: Console | None = None,
) -> dict:
    """Scores the finest mesh of every prediction against all points of its sample.

    Args:
      predict: the model with its parameters; vertices in the frame of `batch.points`.
      batches: one pass over the split, numpy; rows of weight 0 are ignored.
      categories: names that `batch.category` indexes.
      num_examples: rows of weight > 0 in all batches, for the progress bar.
      template_vertices: undeformed template at its finest level, camera frame, metres.
      template_faces: its faces.
      protocols: names in `protocols.PROTOCOLS`.
      console: where the progress bar goes; rich's own by default.

    Returns:
      `protocols` and `baseline`, both protocol -> `score_tables.average`, and
      `num_samples`. All numbers are plain, ready for JSON.

    Raises:
      InputError: unknown protocol.
      FloatingPointError: a prediction that is not finite.
    """
    protocols = named.parse(protocols)
    baseline = _representations(protocols, template_vertices, template_faces)
    score = functools.partial(_score_sample, protocols, baseline)
    rows = []
    with (
        _progress(console) as progress,
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        task = progress.add_task("evaluating", total=num_examples)
        for batch in batches:
            samples = _real_samples(predict(batch), batch)
            for row in pool.map(score, *zip(*samples, strict=True)):
                rows.append(row)
                progress.advance(task)
    names = [categories[category] for category, _, _ in rows]
    return {
        "protocols": _average(names, [row[1] for row in rows], categories, protocols),
        "baseline": _average(names, [row[2] for row in rows], categories, protocols),
        "num_samples": len(rows),
    }


def write_metrics(folder: str | os.PathLike, run: dict) -> None:
    """Writes metrics.json, metrics.csv and metrics.md.

    Args:
      folder: of the run.
      run: what `evaluate` returns; with `dataset`, `split` and `limit` (0 = all) also
        published scores go into the tables.
    """
    texts = {
        "json": json.dumps(run, indent=2) + "\n",
        "csv": score_tables.csv_text(run),
        "md": score_tables.markdown_text(run),
    }
    for suffix, text in texts.items():
        write_atomically(pathlib.Path(folder) / f"metrics.{suffix}", text.encode())


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


def _representations(protocols, vertices, faces):
    """What stands for a mesh, by protocol."""
    return {
        name: named.PROTOCOLS[name].represent(vertices, faces) for name in protocols
    }


def _real_samples(outputs, batch):
    """(vertices, faces, truth, category) of the rows that are no filling."""
    mesh = outputs.meshes[-1]
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.topology.faces)
    return [
        (vertices[row], faces, _truth(batch, row), int(batch.category[row]))
        for row in np.flatnonzero(np.asarray(batch.weight) > 0)
    ]


def _truth(batch, row):
    solid = None
    if batch.voxels is not None:
        shape = batch.rgb.shape[1:3]
        solid = named.voxel_solid(batch.voxels[row], batch.intrinsics[row], shape)
    return named.truth(batch.points[row], batch.normals[row], solid)


def _score_sample(protocols, baseline, vertices, faces, true, category):
    """Category, scores of the prediction and of the template; both by protocol."""
    if not np.isfinite(vertices).all():
        raise FloatingPointError(
            "A predicted vertex is not finite; the model has diverged."
        )
    predicted = _representations(protocols, vertices, faces)
    return category, _scores(predicted, true), _scores(baseline, true)


def _scores(predicted, true):
    return {
        name: named.PROTOCOLS[name].score(representation, true)
        for name, representation in predicted.items()
    }


def _average(names, scores, categories, protocols):
    return {
        protocol: score_tables.average(
            [(name, row[protocol]) for name, row in zip(names, scores, strict=True)],
            categories,
        )
        for protocol in protocols
    }


def _table(run, protocol):
    title = f"protocol {protocol}, {run['num_samples']} samples"
    head = ["category", *score_tables.headings(protocol)]
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
