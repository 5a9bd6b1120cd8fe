"""Parts of a depth map: pixels that hang together without a jump in depth."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

# Neighbouring pixels belong together if their depths differ by less than this part, or
# by less than on a surface of this slope (tangent of 76 degrees) to the image.
JUMP = 0.01
STEEPEST = 4.0


def label(
    mask: Bool[np.ndarray, "H W"], depth: Float[np.ndarray, "H W"], focal: float
) -> Int[np.ndarray, "H W"]:
    """A number from 1 for every part of a mask, 0 outside.

    Args:
      mask: pixels that have depth.
      depth: along the optical axis, in any unit.
      focal: pixels.
    """
    jump = max(JUMP, STEEPEST / focal)
    numbers = np.arange(mask.size).reshape(mask.shape)
    links = []
    for first, second in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        near = np.minimum(depth[first], depth[second])
        joined = mask[first] & mask[second]
        joined &= np.abs(depth[first] - depth[second]) < jump * near
        links.append(np.stack([numbers[first][joined], numbers[second][joined]]))
    rows, columns = np.concatenate(links, axis=1)
    graph = sparse.coo_array(
        (np.ones(len(rows), bool), (rows, columns)), [mask.size] * 2
    )
    labels = sparse.csgraph.connected_components(graph, directed=False)[1]
    return np.where(mask, labels.reshape(mask.shape) + 1, 0)
