"""What `benchmarks.ablations` can train: rows by name, their configs, their columns."""

import itertools
from collections.abc import Callable, Mapping
from typing import NamedTuple

from configs import plus
from pixel2mesh_jax.evaluation import protocols

RGB, RGBD = "RGB", "RGB-D"
# Where a row says by itself what it is given.
AS_NAMED = "as named"


class Study(NamedTuple):
    """Which rows there are, and what is printed of them.

    Attributes:
      tables: title -> rows.
      config: from a row and its inputs to the value of `--config`.
      inputs: what a row can be given; the first part of the choices of `--inputs`.
      columns: protocol -> how many of its columns.
      term: of the training, whose course is printed.
      page: of `docs/`, where the tables go.
      others: rows that can be trained and are in no table.
      medians: whether those over the samples are printed too.
    """

    tables: Mapping[str, tuple[str, ...]]
    config: Callable[[str, str], str]
    inputs: tuple[str, ...]
    columns: Mapping[str, int]
    term: str
    page: str
    others: tuple[str, ...] = ()
    medians: bool = False

    @property
    def rows(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(itertools.chain(*self.tables.values())))

    @property
    def choices(self) -> tuple[str, ...]:
        """All rows that can be trained."""
        return (*self.rows, *self.others)

    def headings(self) -> dict[str, tuple[str, protocols.Column]]:
        """Heading -> protocol and column."""
        return {
            f"{column.heading}, {protocol}": (protocol, column)
            for protocol, count in self.columns.items()
            for column in protocols.PROTOCOLS[protocol].columns[:count]
        }


def _changes_in(module):
    """Rows that are variants of one module, in colour or with `rgbd` in both."""

    def config(row, inputs):
        return f"configs/{module}.py:{row}{',rgbd' if inputs == RGBD else ''}"

    return config


def _implicit(row, inputs):
    """`depth_projected+cosine` is `implicit.py:depth_projected,cosine,tiny`."""
    del inputs
    return f"configs/implicit.py:{row.replace('+', ',')},tiny"


def _tiny(row, inputs):
    """`rgb_mesh_rcnn:best` is `rgb_mesh_rcnn.py:best,tiny`."""
    del inputs
    module, _, variant = row.partition(":")
    return f"configs/{module}.py:{variant + ',' if variant else ''}tiny"


# Title -> names, of `configs/ablation.py`.
PAPER_TABLES = {
    "Table 3 of the paper: one idea less": (
        "full",
        "no_residual",
        "no_laplacian",
        "no_unpooling",
        "no_normal",
        "no_edge",
        "no_move",
    ),
    "Figure 6 of the paper: number of blocks": (
        "blocks_1",
        "blocks_2",
        "full",
        "blocks_4",
    ),
    "From Pixel to Mesh: autoencoder": ("full", "autoencoder"),
}
# Of `configs/implicit.py`; "+" between variants.
LADDER_TABLES = {
    "Tables 1 and 3 of the report: a ladder of information": (
        "2d_only",
        "voxels_occupancy",
        "depth_projected_no_color",
        "depth_projected",
        "gt_occupancy",
        "gt_sdf",
    ),
    "Table 2 of the report: completion of point clouds": (
        "sparse_cloud",
        "cloud",
        "cloud+no_image",
    ),
    "Its two lessons: one cycle, and Fourier features": (
        "depth_projected",
        "depth_projected+cosine",
        "depth_projected+raw",
    ),
}
# Modules of `configs/`, with a variant.
FAMILY_TABLES = {
    "Table 1 of Depth-Aware Pixel2Mesh: does depth help?": (
        "rgb",
        "rgbd",
        "rgb_mesh_rcnn:best",
        "rgbd_mesh_rcnn:best",
        "rgb_mesh_rcnn:pretty",
        "rgbd_mesh_rcnn:pretty",
        "rgbd_mesh_rcnn:told",
    ),
    "Marching cubes, or graph convolutions on the same distances": (
        "rgbd_sdf",
        "rgbd_sdf_refined",
    ),
}
BUDGET_TABLES = {
    "The same views as often": (
        "rgb",
        "rgb_sdf",
        "rgbd",
        "rgbd_plus",
        "rgbd_sdf",
    ),
}
STUDIES = {
    # Vertices against points, as in the paper, which favours meshes of many vertices;
    # and points of the surface, which does not.
    "paper": Study(
        tables=PAPER_TABLES,
        config=_changes_in("ablation"),
        inputs=(RGB, RGBD),
        columns={"pixel2mesh": 3, "surface": 1},
        term="loss/chamfer",
        page="docs/ablations.md",
        others=("blocks_3",),
    ),
    "plus": Study(
        tables={"From released to plus: one change more": tuple(plus.STEPS)},
        config=_changes_in("plus"),
        inputs=(RGB, RGBD),
        columns={"surface": 2, "mesh_rcnn": 3, "hidden": 3, "visible": 2},
        term="loss/chamfer",
        page="docs/ablations_plus.md",
    ),
    "ladder": Study(
        tables=LADDER_TABLES,
        config=_implicit,
        inputs=(AS_NAMED,),
        columns={"surface": 2, "volume": 1, "occupancy": 4},
        term="loss/distance",
        page="docs/ladder.md",
        medians=True,
    ),
    "families": Study(
        tables=FAMILY_TABLES,
        config=_tiny,
        inputs=(AS_NAMED,),
        columns={"surface": 3, "mesh_rcnn": 3, "hidden": 3},
        term="loss",
        page="docs/mesh_rcnn.md",
    ),
    "budget": Study(
        tables=BUDGET_TABLES,
        config=_tiny,
        inputs=(AS_NAMED,),
        columns={"surface": 3, "hidden": 3, "mesh_rcnn": 2, "volume": 1},
        term="loss",
        page="docs/budget.md",
    ),
}
