"""Samples for the report: what a model predicts for views that it has not seen."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from pixel2mesh_jax.evaluation.protocols import PROTOCOLS
from pixel2mesh_jax.report.gallery import ReportSample
from pixel2mesh_jax.structures import Batch, Reconstruction


def telling(samples: Sequence[Mapping], count: int) -> dict[int, str]:
    """Views evenly taken from the best to the worst, by the first protocol's headline.

    Args:
      samples: of `evaluate.evaluate`, in its order.
      count: how many; all, if there are fewer.

    Returns:
      Number of the view -> its name with its rank, in the order of the ranks.
    """
    if not samples:
        return {}
    protocol = next(iter(samples[0]["scores"]))
    headline = PROTOCOLS[protocol].columns[0]
    sign = -1 if headline.higher_is_better else 1
    scores = [s["scores"][protocol].get(headline.score, np.nan) for s in samples]
    order = np.argsort(sign * np.array(scores, float), kind="stable")
    parts = np.linspace(0, 1, min(count, len(samples)))
    ranks = np.unique(np.round(parts * (len(samples) - 1)).astype(int))
    return {
        int(order[rank]): f"view {order[rank] + 1}, rank {rank + 1} of {len(samples)}"
        for rank in ranks
    }


def report_samples(
    extract: Callable[[Batch], list[Reconstruction]],
    batches: Iterable[Batch],
    categories: Sequence[str],
    names: Iterable[str],
) -> list[ReportSample]:
    """One sample per row of weight > 0, in order.

    Args:
      extract: one reconstruction per row.
      batches: numpy, with all true points.
      categories: names that `Batch.category` indexes.
      names: of the samples, at least as many.
    """
    samples, names = [], iter(names)
    for batch in batches:
        found = extract(batch)
        for row in np.flatnonzero(np.asarray(batch.weight) > 0):
            category = categories[batch.category[row]]
            samples.append(_sample(next(names), category, batch, found[row], row))
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
