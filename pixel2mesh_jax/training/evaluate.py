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
from rich.table import Table
from scipy.spatial import cKDTree

from pixel2mesh_jax import metrics
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.structures import Batch, Outputs

# Column headings of `metrics.printed`.
HEADINGS = ("chamfer x1e3", "F(1e-4) %", "F(2e-4) %")


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
      protocols: names in `metrics.PROTOCOLS`.
      console: where the progress bar goes; rich's own by default.

    Returns:
      `protocols` and `baseline`, both protocol -> `metrics.aggregate`, and
      `num_samples`. All numbers are plain, ready for JSON.

    Raises:
      InputError: unknown protocol.
      FloatingPointError: a prediction that is not finite.
    """
    _check_protocols(protocols)
    baseline = _trees(protocols, template_vertices, template_faces)
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
        "protocols": _aggregate(names, [row[1] for row in rows], categories, protocols),
        "baseline": _aggregate(names, [row[2] for row in rows], categories, protocols),
        "num_samples": len(rows),
    }


def write_metrics(path: str | os.PathLike, metrics_of_run: dict) -> None:
    """Writes JSON; a reader sees the old file or the new one, never a part of it."""
    path = pathlib.Path(path)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(metrics_of_run, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


def print_table(metrics_of_run: dict, console: Console | None = None) -> None:
    """Prints one table per protocol: a row per category, then the two means."""
    console = console or Console()
    for protocol, scores in metrics_of_run["protocols"].items():
        baseline = metrics_of_run["baseline"][protocol]
        console.print(_table(protocol, scores, baseline, metrics_of_run["num_samples"]))
        left_out = scores["categories_without_samples"]
        if left_out:
            console.print(f"Left out, no samples: {', '.join(left_out)}.")


def _check_protocols(protocols):
    unknown = [name for name in protocols if name not in metrics.PROTOCOLS]
    if unknown:
        raise InputError(
            f"Unknown protocol {unknown[0]!r}. "
            f"Known protocols: {', '.join(sorted(metrics.PROTOCOLS))}."
        )


def _progress(console):
    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
        console=console,
    )


def _trees(protocols, vertices, faces):
    """The points that stand for a mesh, by protocol."""
    return {
        name: cKDTree(metrics.PROTOCOLS[name](vertices, faces)) for name in protocols
    }


def _real_samples(outputs, batch):
    """(vertices, faces, points, category) of the rows that are no filling."""
    mesh = outputs.meshes[-1]
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.topology.faces)
    return [
        (vertices[row], faces, batch.points[row], int(batch.category[row]))
        for row in np.flatnonzero(np.asarray(batch.weight) > 0)
    ]


def _score_sample(protocols, baseline, vertices, faces, points, category):
    """Category, scores of the prediction and of the template; both by protocol."""
    if not np.isfinite(vertices).all():
        raise FloatingPointError(
            "A predicted vertex is not finite; the model has diverged."
        )
    true = cKDTree(np.asarray(points, np.float64))
    predicted = _trees(protocols, vertices, faces)
    return (
        category,
        {name: metrics.score(predicted[name], true) for name in protocols},
        {name: metrics.score(baseline[name], true) for name in protocols},
    )


def _aggregate(names, scores, categories, protocols):
    return {
        protocol: metrics.aggregate(
            [(name, row[protocol]) for name, row in zip(names, scores, strict=True)],
            categories,
        )
        for protocol in protocols
    }


def _table(protocol, scores, baseline, num_samples):
    table = Table(title=f"protocol {protocol}, {num_samples} samples")
    table.add_column("category", no_wrap=True)
    for heading in ("count", *HEADINGS):
        table.add_column(heading, justify="right")
    table.add_column("ellipsoid chamfer x1e3", justify="right")
    for name, row in scores["per_category"].items():
        table.add_row(name, *_cells(row, baseline["per_category"][name], row["count"]))
    table.add_section()
    counts = {
        "mean_over_categories": len(scores["per_category"]),
        "mean_over_samples": num_samples,
    }
    for key, label in metrics.MEANS.items():
        if scores[key]:
            table.add_row(label, *_cells(scores[key], baseline[key], counts[key]))
    return table


def _cells(scores, baseline, count):
    return [str(count), *metrics.printed(scores), f"{baseline['chamfer'] * 1e3:.3f}"]
