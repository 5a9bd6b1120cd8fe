"""Several ways to a mesh of the same views, and their mean scores as a table."""

import argparse
from collections.abc import Iterator, Mapping, Sequence

from data_pipelines import input_pipeline
from pixel2mesh_jax.command_line import Parser
from pixel2mesh_jax.evaluation import protocols, score_tables
from pixel2mesh_jax.evaluation.protocols import Scores, Truth
from pixel2mesh_jax.structures import Batch

SURFACE = protocols.PROTOCOLS["surface"]
COLUMNS = SURFACE.columns[:3]


def parser(program: str, description: str, split: str) -> Parser:
    """For a command that looks at some views of a split, by default of this one."""
    made = Parser(
        prog=f"python -m benchmarks.{program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--data_dir", required=True)
    made.add_argument("--dataset", default="mesh_folder")
    made.add_argument("--split", default=split)
    made.add_argument("--views", type=int, default=100)
    return made


def views(wanted: argparse.Namespace, image_size: int) -> Iterator[Batch]:
    """Single views of a split, evenly spaced."""
    return input_pipeline.eval_batches(
        wanted.dataset,
        wanted.data_dir,
        split=wanted.split,
        batch_size=1,
        image_size=image_size,
        limit=wanted.views,
    )


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
