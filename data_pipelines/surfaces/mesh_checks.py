"""What is odd about a model, but no reason to leave it out: said in the report."""

import logging

import numpy as np
from jaxtyping import Float, Int

from data_pipelines.surfaces.patches import weld
from pixel2mesh_jax.io import meshes
from pixel2mesh_jax.io.meshes import Surface

# Diagonals of bounding boxes that occur, in units of the file: from a screw in
# kilometres to a building in micrometres, with room to spare.
USUAL_DIAGONALS = (1e-5, 1e5)
# Share of edges without exactly two faces above which a model is called a soup. The
# worst of 205 public models has 0.42, the median 0.01; separate triangles have 1.
SOUP = 0.5

logger = logging.getLogger(__name__)


def warn_of_defects(surface: Surface) -> None:
    """Logs a warning about a strange scale, and about a soup of triangles.

    Args:
      surface: as it was read, in the unit of the file.
    """
    low, high = meshes.bounding_box(surface)
    diagonal = float(np.linalg.norm(high - low))
    if not USUAL_DIAGONALS[0] <= diagonal <= USUAL_DIAGONALS[1]:
        logger.warning(
            "the diagonal of its bounding box is %.3g, which is no usual unit of "
            "length: scaled like any other object",
            diagonal,
        )
    share = irregular_edges(surface.vertices, surface.faces)
    if share > SOUP:
        logger.warning(
            "a soup of triangles: %.0f %% of its edges do not belong to exactly two "
            "faces, so what is outside and inside is a guess",
            100 * share,
        )


def irregular_edges(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> float:
    """Share of the edges that do not belong to exactly two faces, 0 if closed.

    Vertices are joined by position first; faces that repeat others do not count.
    """
    corners = np.sort(weld(vertices)[faces].astype(np.int64), axis=1)
    proper = (corners[:, 0] < corners[:, 1]) & (corners[:, 1] < corners[:, 2])
    distinct = np.unique(corners[proper], axis=0)
    start, end = distinct[:, [0, 1, 0]].ravel(), distinct[:, [1, 2, 2]].ravel()
    _, count = np.unique(start * len(vertices) + end, return_counts=True)
    return float(np.mean(count != 2)) if len(count) else 1.0
