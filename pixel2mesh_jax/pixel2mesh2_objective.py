"""The objective of Pixel2Mesh2 (paper 001)."""

import functools
from typing import NamedTuple

import jax

from pixel2mesh_jax import losses
from pixel2mesh_jax.stage_terms import (
    EVERY_STAGE,
    Terms,
    both_chamfer,
    stage_weight,
    sum_over_stages,
)
from pixel2mesh_jax.structures import Batch, Mesh, Outputs


class Pixel2Mesh2Weights(NamedTuple):
    """Weights of the four losses; the `_stages` are as in `Pixel2MeshWeights`.

    Attributes:
      stages: factor of all terms of a stage.
      chamfer: both directions of the chamfer distance.
      edge: squared edge length.
      normal: angle between the surface and the true normals.
      laplacian: distance of the vertices from the middle of their neighbours.
      graph_decay: L2 of the graph networks and projections.
      encoder_decay: L2 of the kernels of the image encoder.
      decay_all: as in `Pixel2MeshWeights`.
    """

    stages: tuple[float, ...] = EVERY_STAGE
    chamfer: float = 3000.0
    chamfer_stages: tuple[float, ...] = EVERY_STAGE
    edge: float = 300.0
    edge_stages: tuple[float, ...] = EVERY_STAGE
    normal: float = 0.5
    normal_stages: tuple[float, ...] = EVERY_STAGE
    laplacian: float = 300.0
    laplacian_stages: tuple[float, ...] = EVERY_STAGE
    graph_decay: float = 0.0
    encoder_decay: float = 0.0
    decay_all: bool = False


def pixel2mesh2(outputs: Outputs, batch: Batch, weights: Pixel2Mesh2Weights) -> Terms:
    """Terms of Pixel2Mesh2: summed over the stages, averaged over the batch."""
    return sum_over_stages(_smooth_terms, outputs, batch, weights)


def _smooth_terms(stage, mesh: Mesh, batch: Batch, weights: Pixel2Mesh2Weights):
    """Weighted terms of one stage, each of shape (B,)."""
    weight = functools.partial(stage_weight, weights, stage=stage)

    def terms(vertices, points, normals):
        covered, accurate, to_point = both_chamfer(vertices, points)
        return {
            "chamfer": weight("chamfer") * (covered + accurate),
            "edge": weight("edge") * losses.edge_length(vertices, mesh.topology),
            "normal": weight("normal")
            * losses.normal_angle(vertices, mesh.topology, normals[to_point]),
            "laplacian": weight("laplacian")
            * losses.smoothness(vertices, mesh.topology),
        }

    return jax.vmap(terms)(mesh.vertices, batch.points, batch.normals)
