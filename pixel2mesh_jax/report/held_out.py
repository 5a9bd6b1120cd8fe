"""Samples for the report: what a model predicts for views that it has not seen."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from pixel2mesh_jax.report.gallery import ReportSample
from pixel2mesh_jax.structures import Batch, Reconstruction


def report_samples(
    extract: Callable[[Batch], list[Reconstruction]],
    batches: Iterable[Batch],
    categories: Sequence[str],
    split: str,
) -> list[ReportSample]:
    """One sample per row of weight > 0, in order.

    Args:
      extract: one reconstruction per row.
      batches: numpy, with all true points.
      categories: names that `Batch.category` indexes.
      split: names the samples, "test 1" and so on.
    """
    samples = []
    for batch in batches:
        found = extract(batch)
        for row in np.flatnonzero(np.asarray(batch.weight) > 0):
            name = f"{split} {len(samples) + 1}"
            category = categories[batch.category[row]]
            samples.append(_sample(name, category, batch, found[row], row))
    return samples


def _sample(name, category, batch, found, row):
    return ReportSample(
        name=name,
        category=category,
        rgb=batch.rgb[row],
        depth=batch.depth[row],
        intrinsics=batch.intrinsics[row],
        stages=found.stages,
        true_points=batch.points[row],
        true_normals=batch.normals[row],
        true_colors=batch.colors[row],
    )
