"""The objective of Pixel2Mesh2 (P. Heile, Indiana University)."""

import functools

import jax

from pixel2mesh_jax.losses import terms as losses
from pixel2mesh_jax.losses.stages import (
    FourLossWeights,
    Terms,
    both_chamfer,
    stage_weight,
    sum_over_stages,
)
from pixel2mesh_jax.structures import Batch, Mesh, Outputs


def pixel2mesh2(outputs: Outputs, batch: Batch, weights: FourLossWeights) -> Terms:
    """Terms of Pixel2Mesh2: summed over the stages, averaged over the batch.

    The normal term is the angle to the true normals, the Laplacian one the distance of
    the vertices from the middle of their neighbours.
    """
    return sum_over_stages(_smooth_terms, outputs, batch, weights)


def _smooth_terms(stage, mesh: Mesh, batch: Batch, weights: FourLossWeights):
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
