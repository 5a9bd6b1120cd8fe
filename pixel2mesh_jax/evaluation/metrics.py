"""How near a predicted shape is to the true one; float64 on the host.

Shapes are compared through points, with normals if there are any, and solids through
places that lie inside or outside. What the points are, which metrics go together and
how they are printed is said in `protocols.py`. Lengths are in the unit of the points.
"""

from typing import NamedTuple

import igl
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

# The assignment takes cubic time: 0.06 s for 1024 points, 0.3 s for 2048 on one core.
MAX_EMD_POINTS = 2048


class Matches(NamedTuple):
    """Nearest neighbours between two point sets.

    Attributes:
      to_true: distance of every predicted point to the nearest true one.
      true_index: which one that is.
      to_predicted: distance of every true point to the nearest predicted one.
      predicted_index: which one that is.
    """

    to_true: Float[np.ndarray, " A"]
    true_index: Int[np.ndarray, " A"]
    to_predicted: Float[np.ndarray, " B"]
    predicted_index: Int[np.ndarray, " B"]

    def scaled(self, factor: float) -> "Matches":
        """The same of both shapes enlarged by `factor`."""
        return self._replace(
            to_true=self.to_true * factor, to_predicted=self.to_predicted * factor
        )


def check_finite(vertices: Float[np.ndarray, "V 3"]) -> None:
    """Raises FloatingPointError if a predicted vertex is not a number."""
    if not np.isfinite(vertices).all():
        raise FloatingPointError(
            "A predicted vertex is not finite; the model has diverged."
        )


def match(
    predicted: Float[np.ndarray, "A 3"] | cKDTree,
    true: Float[np.ndarray, "B 3"] | cKDTree,
) -> Matches:
    """Finds the nearest neighbours both ways, exactly; points or trees of them."""
    predicted, true = _tree(predicted), _tree(true)
    return Matches(*true.query(predicted.data), *predicted.query(true.data))


def chamfer_distance(
    predicted: Float[np.ndarray, "A 3"] | cKDTree,
    true: Float[np.ndarray, "B 3"] | cKDTree,
) -> float:
    """`chamfer` of two point sets."""
    return chamfer(match(predicted, true))


def chamfer(matches: Matches) -> float:
    """Mean squared distance to the nearest true point, plus the same in reverse."""
    return float(np.mean(matches.to_true**2) + np.mean(matches.to_predicted**2))


def f_score(matches: Matches, threshold: float | int) -> float:
    """Harmonic mean of precision and recall in [0, 1]; 0 if both are 0.

    A point is a hit if its *squared* distance to the other set is *at most* the
    threshold, as in the released TensorFlow Pixel2Mesh (`eval_testset.py`).
    noahcao/Pixel2Mesh counts only smaller ones.
    """
    return _f_score(
        matches.to_true**2 <= threshold, matches.to_predicted**2 <= threshold
    )


def f_score_below(matches: Matches, threshold: float | int) -> float:
    """The same, where a hit is a distance *below* the threshold, as in Mesh R-CNN."""
    return _f_score(matches.to_true < threshold, matches.to_predicted < threshold)


def _f_score(precise, recalled):
    precision, recall = float(np.mean(precise)), float(np.mean(recalled))
    total = precision + recall
    return 2 * precision * recall / total if total > 0 else 0.0


def normal_cosines(
    matches: Matches,
    predicted_normals: Float[np.ndarray, "A 3"],
    true_normals: Float[np.ndarray, "B 3"],
) -> tuple[Float[np.ndarray, " A"], Float[np.ndarray, " B"]]:
    """Cosine between the normal of every point and that of its nearest neighbour.

    From predicted to true points and back; normals of any length, 0 for a zero normal.
    """
    predicted, true = _unit(predicted_normals), _unit(true_normals)
    return (
        np.sum(predicted * true[matches.true_index], axis=1),
        np.sum(true * predicted[matches.predicted_index], axis=1),
    )


def normal_consistency(
    cosines: tuple[Float[np.ndarray, " A"], Float[np.ndarray, " B"]],
) -> float:
    """Mean of both mean cosines; says nothing if the sign of true normals is random."""
    return float(np.mean(cosines[0]) + np.mean(cosines[1])) / 2


def absolute_normal_consistency(
    cosines: tuple[Float[np.ndarray, " A"], Float[np.ndarray, " B"]],
) -> float:
    """Mean of both mean |cosines|; the sign of the normals does not matter."""
    return float(np.mean(np.abs(cosines[0])) + np.mean(np.abs(cosines[1]))) / 2


def earth_movers_distance(
    a: Float[np.ndarray, "N 3"], b: Float[np.ndarray, "M 3"]
) -> float:
    """Mean distance under the best one-to-one assignment of `a` to `b`, exactly.

    The released Pixel2Mesh prints another number: an approximate matching by an auction
    of all vertices with all true points, summed and multiplied by 0.01.

    Raises:
      ValueError: different numbers of points, or more than `MAX_EMD_POINTS`.
    """
    if len(a) != len(b) or len(a) > MAX_EMD_POINTS:
        raise ValueError(
            f"Expected two sets of equally many points, at most {MAX_EMD_POINTS}; "
            f"got {len(a)} and {len(b)}."
        )
    distances = cdist(a, b)
    return float(np.mean(distances[linear_sum_assignment(distances)]))


def is_inside(
    places: Float[np.ndarray, "Q 3"],
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
) -> Bool[np.ndarray, " Q"]:
    """Whether a closed surface winds around places, also where it overlaps itself.

    By the generalised winding number (Barill et al., *Fast Winding Numbers for Soups
    and Clouds*, SIGGRAPH 2018), of either sign: a mesh turned inside out has the same
    inside.
    """
    winding = igl.fast_winding_number(
        np.asarray(vertices, np.float64),
        np.asarray(faces, np.int64),
        np.asarray(places, np.float64),
    )
    return np.abs(winding) > 0.5


def intersection_over_union(
    predicted: Bool[np.ndarray, " Q"],
    true: Bool[np.ndarray, " Q"],
    volumes: Float[np.ndarray, " Q"] | None = None,
) -> float:
    """Volume inside of both over the volume inside of either; 1 if both are empty.

    Args:
      predicted: whether each place lies inside the prediction.
      true: the same for the truth.
      volumes: that the places stand for; equal if None.
    """
    volumes = np.ones(len(true)) if volumes is None else volumes
    union = float(np.sum(volumes[predicted | true]))
    return float(np.sum(volumes[predicted & true])) / union if union > 0 else 1.0


def _tree(points):
    return points if isinstance(points, cKDTree) else cKDTree(points)


def _unit(vectors):
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
