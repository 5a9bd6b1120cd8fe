"""Objectives: outputs and batch in, named and weighted loss terms out."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from pixel2mesh_jax import losses
from pixel2mesh_jax.geometry.nearest import nearest_index
from pixel2mesh_jax.structures import Array, Batch, Mesh, Outputs


class Pixel2MeshWeights(NamedTuple):
    """Weights of the Pixel2Mesh losses; the defaults are those of the TensorFlow code.

    Source: nywang16/Pixel2Mesh p2m/losses.py and p2m/models.py (FACTS 1.2.5).

    Attributes:
      chamfer: both directions of the chamfer distance.
      chamfer_opposite: factor of the direction from the mesh to the true points.
      edge: squared edge length.
      normal: |cosine| between edges and true normals.
      laplacian: change of the Laplacian coordinates.
      laplacian_stages: factor of `laplacian` per stage.
      move: squared displacement, from the second stage on.
      color: vertex colours; 0 for a model without the colour head.
      count_self_loops: means over edges count every vertex as an edge, as the released
        code does.
      graph_decay: L2 of the weights and biases of the graph convolutions.
      encoder_decay: L2 of the kernels of the image encoder.
    """

    chamfer: float = 3000.0
    chamfer_opposite: float = 0.55
    edge: float = 300.0
    normal: float = 0.5
    laplacian: float = 1500.0
    laplacian_stages: tuple[float, ...] = (0.1, 1.0, 1.0)
    move: float = 100.0
    color: float = 0.0
    count_self_loops: bool = True
    graph_decay: float = 5e-6
    encoder_decay: float = 0.3 * 1e-5


def pixel2mesh(
    outputs: Outputs, batch: Batch, weights: Pixel2MeshWeights
) -> dict[str, Float[Array, ""]]:
    """Terms of Pixel2Mesh: summed over the stages, averaged over the batch."""
    total = {}
    for stage, mesh in enumerate(outputs.meshes):
        for name, per_sample in _stage_terms(stage, mesh, batch, weights).items():
            mean = jnp.sum(per_sample * batch.weight) / jnp.sum(batch.weight)
            total[name] = total.get(name, 0.0) + mean
    return total


def weight_decay(
    params: dict, weights: Pixel2MeshWeights
) -> dict[str, Float[Array, ""]]:
    """L2 of the graph network, and of the convolution kernels of the encoder."""
    encoder, graph = {}, {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if not name.startswith("encoder/"):
            graph[name] = leaf
        elif name.endswith("/kernel"):
            encoder[name] = leaf
    decay = weights.graph_decay * losses.squared_norm(graph)
    return {"decay": decay + weights.encoder_decay * losses.squared_norm(encoder)}


def _stage_terms(stage, mesh: Mesh, batch: Batch, weights: Pixel2MeshWeights):
    """Weighted terms of one stage, each of shape (B,)."""

    def terms(vertices, rest, colors, points, normals, true_colors):
        to_point = nearest_index(vertices, points)
        to_vertex = nearest_index(points, vertices)
        covered = losses.directed_chamfer(points, vertices, to_vertex)
        accurate = losses.directed_chamfer(vertices, points, to_point)
        loops = weights.count_self_loops
        laplacian = weights.laplacian * weights.laplacian_stages[stage]
        found = {
            "chamfer": weights.chamfer
            * (covered + weights.chamfer_opposite * accurate),
            "edge": weights.edge
            * losses.edge_length(vertices, mesh.topology, count_self_loops=loops),
            "normal": weights.normal
            * losses.normal(
                vertices, mesh.topology, normals[to_point], count_self_loops=loops
            ),
            "laplacian": laplacian * losses.laplacian(vertices, rest, mesh.topology),
        }
        if stage > 0:
            found["move"] = weights.move * losses.move(vertices, rest)
        if colors is not None:
            found["color"] = weights.color * losses.color(colors, true_colors[to_point])
        return found

    return jax.vmap(terms)(
        mesh.vertices, mesh.rest, mesh.colors, batch.points, batch.normals, batch.colors
    )
