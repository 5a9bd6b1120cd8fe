"""How near a predicted shape is to the true one; float64 on the host.

Distances are squared, in square metres of the frame where an object has a bounding-box
diagonal of 0.57; printed chamfer distances are customarily multiplied by 1000.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from pixel2mesh_jax.geometry import surface

Points = Float[np.ndarray, "N 3"]
Scores = dict[str, float]

# Largest squared distance (square metres) of a hit: "tau" and "2 tau" of the Pixel2Mesh
# paper, `eval_testset.py` of the released code; 1 cm and 1.41 cm.
F_SCORE_THRESHOLDS = {"f_score_1e-4": 1e-4, "f_score_2e-4": 2e-4}
# Score, and the factor and decimals that are customary in print.
PRINTED = (("chamfer", 1e3, 3), ("f_score_1e-4", 1e2, 2), ("f_score_2e-4", 1e2, 2))
# Keys of `aggregate` that hold means, and what to call them.
MEANS = {
    "mean_over_categories": "mean over categories",
    "mean_over_samples": "mean over samples",
}
# Of the `surface` protocol; as many as Mesh R-CNN draws.
NUM_SURFACE_SAMPLES = 10_000
SURFACE_SEED = 0


def nearest_squared_distances(
    a: Float[np.ndarray, "A 3"], b: Float[np.ndarray, "B 3"] | cKDTree
) -> Float[np.ndarray, " A"]:
    """Squared distance of every point of `a` to the nearest of `b` (or its tree)."""
    tree = b if isinstance(b, cKDTree) else cKDTree(b)
    return tree.query(a)[0] ** 2


def chamfer_distance(
    predicted: Float[np.ndarray, "A 3"], true: Float[np.ndarray, "B 3"]
) -> float:
    """Mean squared distance to the nearest true point, plus the same in reverse."""
    return _chamfer(*_both_ways(cKDTree(predicted), cKDTree(true)))


def f_score(
    predicted: Float[np.ndarray, "A 3"],
    true: Float[np.ndarray, "B 3"],
    threshold: float,
) -> float:
    """Harmonic mean of precision and recall in [0, 1]; 0 if both are 0.

    A point is a hit if its squared distance to the other set is at most `threshold`, as
    in the released TensorFlow code; noahcao/Pixel2Mesh counts only smaller ones.
    """
    return _f_score(*_both_ways(cKDTree(predicted), cKDTree(true)), threshold)


def score(predicted: cKDTree, true: cKDTree) -> Scores:
    """`chamfer` and all `F_SCORE_THRESHOLDS` of two point sets, given as trees."""
    distances = _both_ways(predicted, true)
    f_scores = {
        name: _f_score(*distances, threshold)
        for name, threshold in F_SCORE_THRESHOLDS.items()
    }
    return {"chamfer": _chamfer(*distances), **f_scores}


def _both_ways(predicted, true):
    return (
        nearest_squared_distances(predicted.data, true),
        nearest_squared_distances(true.data, predicted),
    )


def _chamfer(to_true, to_predicted):
    return float(np.mean(to_true) + np.mean(to_predicted))


def _f_score(to_true, to_predicted, threshold):
    precision = float(np.mean(to_true <= threshold))
    recall = float(np.mean(to_predicted <= threshold))
    total = precision + recall
    return 2 * precision * recall / total if total > 0 else 0.0


def _surface_points(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Points:
    points, _ = _sample(jax.random.key(SURFACE_SEED), vertices, faces)
    return np.asarray(points, np.float64)


_sample = jax.jit(
    functools.partial(surface.sample_points, num_points=NUM_SURFACE_SAMPLES)
)


def _vertex_points(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Points:
    del faces
    return np.asarray(vertices, np.float64)


# What stands for the predicted mesh when it is compared with all true points.
PROTOCOLS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "pixel2mesh": _vertex_points,  # as released; rewards well-spread vertices
    "surface": _surface_points,  # as the papers say; the same seed for every mesh
}


def aggregate(
    rows: Sequence[tuple[str, Scores]], categories: Sequence[str] = ()
) -> dict:
    """Averages the scores of many samples.

    Args:
      rows: category and scores of every sample.
      categories: all names of the data set, in the order wanted. Others that occur in
        `rows` follow, sorted.

    Returns:
      `per_category` (category -> `count` and mean scores), `mean_over_categories`,
      `mean_over_samples`, and `categories_without_samples`, the names left out.
      noahcao/Pixel2Mesh counts these as 0 in its mean over categories.
    """
    rows_of = {}
    for category, scores in rows:
        rows_of.setdefault(category, []).append(scores)
    names = [*categories, *sorted(set(rows_of).difference(categories))]
    means = {
        name: mean_over_samples(rows_of[name]) for name in names if name in rows_of
    }
    return {
        "per_category": {
            name: {"count": len(rows_of[name]), **scores}
            for name, scores in means.items()
        },
        "mean_over_categories": mean_over_categories(means),
        "mean_over_samples": mean_over_samples([scores for _, scores in rows]),
        "categories_without_samples": [name for name in names if name not in rows_of],
    }


def printed(scores: Mapping[str, float | int]) -> list[str]:
    """The numbers of a table row, in the order of `PRINTED`."""
    return [
        f"{scores[name] * factor:.{decimals}f}" for name, factor, decimals in PRINTED
    ]


def mean_over_samples(rows: Sequence[Scores]) -> Scores:
    """Every sample counts the same; empty without samples."""
    return {
        name: float(np.mean([row[name] for row in rows]))
        for name in (rows[0] if rows else ())
    }


def mean_over_categories(per_category: Mapping[str, Scores]) -> Scores:
    """Every category that has samples counts the same."""
    return mean_over_samples(list(per_category.values()))
