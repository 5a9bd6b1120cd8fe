"""Several ways to a mesh of the same views, and their mean scores as a table."""

from collections.abc import Mapping, Sequence

from pixel2mesh_jax.evaluation import protocols, score_tables
from pixel2mesh_jax.evaluation.protocols import Scores, Truth

SURFACE = protocols.PROTOCOLS["surface"]
COLUMNS = SURFACE.columns[:3]


def score(mesh, truth: Truth) -> Scores:
    """Protocol `surface` of anything that has vertices and faces."""
    predicted = SURFACE.represent(mesh.vertices, mesh.faces)
    return SURFACE.score(predicted, truth)


def table(scores: Mapping[str, Sequence[Scores]]) -> str:
    """Mean scores of each way; all ways have seen the same views."""
    lines = []
    for name, found in scores.items():
        means = score_tables.mean_over_samples(found)
        lines.append([name, *(column.text(means) for column in COLUMNS)])
    count = len(next(iter(scores.values())))
    head = (f"{count} views", *(column.heading for column in COLUMNS))
    return score_tables.markdown_table(head, lines)
