"""Scores predictions of captures whose true shape is unknown by what the sensor saw.

The predicted mesh is rendered at the camera of the capture. Where it and the object
mask overlap, its depth is compared with the measured depth; and the two outlines are
compared. The hidden side of the object is not judged. Baselines are scored beside the
predictions: what a trained model has to beat.
"""

import json
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from rich.console import Console
from rich.table import Table

from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.evaluation import metrics
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.structures import Batch, HostMesh, Reconstruction

# A pixel belongs to the object where at least half of it is covered.
COVERED = 0.5
MILLIMETRES = 1000  # per metre
FILE_NAME = "depth_agreement.json"  # of a run


class Agreement(NamedTuple):
    """How well a mesh agrees with a capture.

    Attributes:
      depth_error: median absolute difference from the measured depth over the pixels
        that show both, metres of the frame; None if there is no such pixel.
      mask_iou: pixels of mesh and mask over pixels of mesh or mask.
      mask_covered: part of the mask that the mesh covers.
    """

    depth_error: float | None
    mask_iou: float
    mask_covered: float


def compare(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    depth: Float[np.ndarray, "H W"],
    mask: Float[np.ndarray, "H W"],
    intrinsics: Float[np.ndarray, "3 3"],
) -> Agreement:
    """Compares a mesh with what its camera saw.

    Args:
      vertices: camera frame, metres.
      faces: rows of `vertices`.
      depth: measured, metres along the optical axis, 0 = missing.
      mask: object coverage in [0, 1].
      intrinsics: pinhole matrix in pixels.
    """
    rendered = raycast.cast(vertices, faces, intrinsics, depth.shape).depth
    seen, wanted = rendered > 0, mask >= COVERED
    both = seen & wanted
    error = np.abs(rendered - depth)[both & (depth > 0)]
    return Agreement(
        depth_error=float(np.median(error)) if error.size else None,
        mask_iou=float(both.sum() / max((seen | wanted).sum(), 1)),
        mask_covered=float(both.sum() / max(wanted.sum(), 1)),
    )


def evaluate(
    extract: Callable[[Batch], list[Reconstruction]],
    batches: Iterable[Batch],
    *,
    categories: Sequence[str],
    baselines: Mapping[str, Callable[[Batch, int], HostMesh | None]],
) -> dict:
    """Scores the finest mesh of every prediction.

    Args:
      extract: one reconstruction per row, in the frame of the batch.
      batches: one pass over the split, numpy, with measured depth; rows of weight 0 are
        ignored.
      categories: names that `batch.category` indexes.
      baselines: scored beside the predictions, by name; captures for which one has no
        mesh are left out of its mean.

    Returns:
      `depth_agreement` and one of `baselines` by name, each with `samples` (in the
      order of the split) and `mean`, and `num_samples`. All numbers are plain, ready
      for JSON.

    Raises:
      FloatingPointError: a prediction that is not finite.
    """
    names, scores = [], []
    beside = {name: [] for name in baselines}
    for batch in batches:
        found = extract(batch)
        for row in np.flatnonzero(np.asarray(batch.weight) > 0):
            mesh = found[row].mesh
            metrics.check_finite(mesh.vertices)
            capture = batch.depth[row], batch.mask[row], batch.intrinsics[row]
            names.append(categories[int(batch.category[row])])
            scores.append(compare(mesh.vertices, mesh.faces, *capture))
            for name, make in baselines.items():
                other = make(batch, row)
                if other is not None:
                    agreement = compare(other.vertices, other.faces, *capture)
                    beside[name].append((names[-1], agreement))
    return {
        "depth_agreement": _summary(names, scores),
        "baselines": {
            name: _summary([row[0] for row in rows], [row[1] for row in rows])
            for name, rows in beside.items()
        },
        "num_samples": len(names),
    }


def write_scores(folder: str | pathlib.Path, run: dict) -> None:
    """Writes what `evaluate` returns to `folder` as `FILE_NAME`."""
    text = json.dumps(run, indent=2) + "\n"
    write_atomically(pathlib.Path(folder) / FILE_NAME, text.encode())


def print_table(run: dict, console: Console | None = None) -> None:
    """Prints the mean of every category and of all, with the baselines beside it."""
    table = Table(title=f"depth agreement, {run['num_samples']} captures")
    table.add_column("category", no_wrap=True)
    for heading in ("count", "depth error mm", "mask IoU %", "mask covered %"):
        table.add_column(heading, justify="right")
    own = run["depth_agreement"]
    for category in dict.fromkeys(row["category"] for row in own["samples"]):
        rows = [row for row in own["samples"] if row["category"] == category]
        table.add_row(category, *_cells(_mean(rows), len(rows)))
    table.add_section()
    count = run["num_samples"]
    table.add_row("all", *_cells(own["mean"], count))
    for name, scores in run["baselines"].items():
        cells = _cells(scores["mean"], len(scores["samples"]))
        table.add_row(name, *cells, style="dim")
    console = console or Console()
    console.print(table)
    console.print("Millimetres of an object whose box diagonal is 570.", soft_wrap=True)


def _summary(names, scores):
    rows = [
        {"category": name, **score._asdict()}
        for name, score in zip(names, scores, strict=True)
    ]
    return {"samples": rows, "mean": _mean(rows)}


def _mean(rows):
    """Mean of every score over the captures that have it."""
    means = {}
    for field in Agreement._fields:
        values = [row[field] for row in rows if row[field] is not None]
        means[field] = float(np.mean(values)) if values else None
    return means


def _cells(mean, count):
    factors = {"depth_error": MILLIMETRES, "mask_iou": 100, "mask_covered": 100}
    cells = [
        "-" if mean[field] is None else f"{mean[field] * factor:.1f}"
        for field, factor in factors.items()
    ]
    return [str(count), *cells]
