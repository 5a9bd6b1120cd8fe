"""How well the side is reconstructed that the image does not show; on the host.

A point is seen if the depth of a pixel around its projection is its own depth, within
`SEEN`; every other point is hidden. Of the test views, 64 % of the true surface are.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from pixel2mesh_jax.evaluation.metrics import Matches
from pixel2mesh_jax.geometry import camera

# Metres between a point and the measured depth; what a slanted surface changes within
# a pixel, in Pixel2Mesh metres.
SEEN = 0.004
# Pixels around the projection of a point, as offsets along both axes.
AROUND = (-1, 0, 1)


class HiddenScores(NamedTuple):
    """Scores of the hidden surface, in [0, 1]; NaN where there is none.

    Attributes:
      recall: share of the hidden true points that a predicted one is near.
      precision: share of the hidden predicted points that a true one is near.
    """

    recall: float
    precision: float


def is_hidden(
    points: Float[np.ndarray, "N 3"],
    depth: Float[np.ndarray, "H W"],
    intrinsics: Float[np.ndarray, "3 3"],
) -> Bool[np.ndarray, " N"]:
    """Whether no ray of a view meets a point of a surface.

    Args:
      points: metres, camera frame.
      depth: metres along the optical axis, 0 = nothing there.
      intrinsics: pinhole matrix in pixels.
    """
    points = np.asarray(points, np.float64)
    column, row = np.round(camera.project(points, intrinsics)).astype(int).T
    height, width = depth.shape
    nearest = np.full(len(points), np.inf)
    for down in AROUND:
        for right in AROUND:
            i, j = row + down, column + right
            inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
            there = depth[np.clip(i, 0, height - 1), np.clip(j, 0, width - 1)]
            away = np.abs(there + points[:, 2])
            known = inside & (there > 0)
            nearest = np.where(known, np.minimum(nearest, away), nearest)
    return nearest > SEEN


def hidden_scores(
    matches: Matches,
    predicted_hidden: Bool[np.ndarray, " A"],
    true_hidden: Bool[np.ndarray, " B"],
    threshold: float,
) -> HiddenScores:
    """Recall and precision of hidden points, each against all points of the other side.

    Args:
      matches: of all predicted and all true points.
      predicted_hidden: which predicted points are hidden.
      true_hidden: which true points are.
      threshold: largest squared distance of a hit, as in `metrics.f_score`.
    """
    recalled = matches.to_predicted[true_hidden] ** 2 <= threshold
    precise = matches.to_true[predicted_hidden] ** 2 <= threshold
    return HiddenScores(_mean(recalled), _mean(precise))


def _mean(hits):
    return float(np.mean(hits)) if len(hits) else float("nan")
