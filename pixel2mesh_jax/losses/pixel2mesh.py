"""The objective of Pixel2Mesh: as its program computes it, and as the paper prints it.

Both add up their terms over the stages and average over the batch.
"""

import functools
from typing import NamedTuple

import jax

from pixel2mesh_jax.losses import terms as losses
from pixel2mesh_jax.losses.stages import (
    EVERY_STAGE,
    FourLossWeights,
    Terms,
    both_chamfer,
    stage_weight,
    sum_over_stages,
)
from pixel2mesh_jax.structures import Batch, Mesh, Outputs


class Pixel2MeshWeights(NamedTuple):
    """Weights of the Pixel2Mesh losses; the defaults are those of the TensorFlow code.

    Source: nywang16/Pixel2Mesh p2m/losses.py and p2m/models.py. Every
    `_stages` is a factor per stage; one that is shorter than the cascade repeats its
    last value.

    Attributes:
      stages: factor of all terms of a stage.
      chamfer: both directions of the chamfer distance.
      chamfer_opposite: factor of the direction from the mesh to the true points.
      chamfer_stages: factor of `chamfer` per stage.
      edge: squared edge length.
      edge_stages: factor of `edge` per stage.
      normal: |cosine| between edges and true normals.
      normal_stages: factor of `normal` per stage.
      laplacian: change of the Laplacian coordinates.
      laplacian_stages: factor of `laplacian` per stage.
      move: squared displacement, from the second stage on.
      move_stages: factor of `move` per stage.
      color: vertex colours; 0 for a model without the colour head.
      image: reconstruction of the image, see `objectives.py`; 0 without a decoder.
      depth: reconstruction of the depth channel; 0 without a decoder.
      image_steps: training steps that include `image` and `depth`, from the first on.
      count_self_loops: means over edges count every vertex as an edge, as the released
        code does.
      graph_decay: L2 of the weights and biases of the graph convolutions.
      encoder_decay: L2 of the kernels of the image encoder and decoder.
      decay_all: `encoder_decay` also covers biases and batch normalisation, as weight
        decay in torch's Adam does.
    """

    stages: tuple[float, ...] = EVERY_STAGE
    chamfer: float = 3000.0
    chamfer_opposite: float = 0.55
    chamfer_stages: tuple[float, ...] = EVERY_STAGE
    edge: float = 300.0
    edge_stages: tuple[float, ...] = EVERY_STAGE
    normal: float = 0.5
    normal_stages: tuple[float, ...] = EVERY_STAGE
    laplacian: float = 1500.0
    laplacian_stages: tuple[float, ...] = (0.1, 1.0, 1.0)
    move: float = 100.0
    move_stages: tuple[float, ...] = EVERY_STAGE
    color: float = 0.0
    image: float = 0.0
    depth: float = 0.0
    image_steps: int = 0
    count_self_loops: bool = True
    graph_decay: float = 5e-6
    encoder_decay: float = 0.3 * 1e-5
    decay_all: bool = False


def pixel2mesh(outputs: Outputs, batch: Batch, weights: Pixel2MeshWeights) -> Terms:
    """Terms of the released program: means over points, edges and vertices."""
    return sum_over_stages(_released_terms, outputs, batch, weights)


def pixel2mesh_printed(
    outputs: Outputs, batch: Batch, weights: FourLossWeights
) -> Terms:
    """Terms as the paper prints them (ECCV 2018, section 4): sums, not means.

    Over points, edges and vertices. Its lambdas: normal 1.6e-4, squared inner product
    of edges and true normals; laplacian 0.3; edge 0.1; stages weigh the same.
    """
    return sum_over_stages(_printed_terms, outputs, batch, weights)


def _released_terms(stage, mesh: Mesh, batch: Batch, weights: Pixel2MeshWeights):
    """Weighted terms of one stage, each of shape (B,)."""
    weight = functools.partial(stage_weight, weights, stage=stage)

    def terms(vertices, rest, colors, points, normals, true_colors):
        covered, accurate, to_point = both_chamfer(vertices, points)
        loops = weights.count_self_loops
        found = {
            "chamfer": weight("chamfer")
            * (covered + weights.chamfer_opposite * accurate),
            "edge": weight("edge")
            * losses.edge_length(vertices, mesh.topology, count_self_loops=loops),
            "normal": weight("normal")
            * losses.normal(
                vertices, mesh.topology, normals[to_point], count_self_loops=loops
            ),
            "laplacian": weight("laplacian")
            * losses.laplacian(vertices, rest, mesh.topology),
        }
        if stage > 0:
            found["move"] = weight("move") * losses.move(vertices, rest)
        if colors is not None:
            found["color"] = weights.color * losses.color(colors, true_colors[to_point])
        return found

    return jax.vmap(terms)(
        mesh.vertices, mesh.rest, mesh.colors, batch.points, batch.normals, batch.colors
    )


def _printed_terms(stage, mesh: Mesh, batch: Batch, weights: FourLossWeights):
    """Weighted terms of one stage, each of shape (B,)."""
    weight = functools.partial(stage_weight, weights, stage=stage)
    num_vertices = mesh.vertices.shape[1]
    num_points = batch.points.shape[1]
    num_pairs = 2 * len(mesh.topology.edges)

    def terms(vertices, rest, points, normals):
        covered, accurate, to_point = both_chamfer(vertices, points)
        return {
            "chamfer": weight("chamfer")
            * (num_points * covered + num_vertices * accurate),
            "edge": weight("edge")
            * num_pairs
            * losses.edge_length(vertices, mesh.topology),
            "normal": weight("normal")
            * num_pairs
            * losses.squared_normal(vertices, mesh.topology, normals[to_point]),
            "laplacian": weight("laplacian")
            * num_vertices
            * losses.laplacian(vertices, rest, mesh.topology),
        }

    return jax.vmap(terms)(mesh.vertices, mesh.rest, batch.points, batch.normals)
