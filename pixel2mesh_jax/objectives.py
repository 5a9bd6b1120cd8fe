"""Objectives: outputs and batch in, named and weighted loss terms out.

One family of losses is a NamedTuple of weights and a function of (outputs, batch,
weights); `FAMILIES` lists them.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Key

from pixel2mesh_jax import losses
from pixel2mesh_jax.geometry import depth as depth_maps
from pixel2mesh_jax.geometry.nearest import nearest_index
from pixel2mesh_jax.mesh_rcnn_objective import MeshRCNNWeights, mesh_rcnn
from pixel2mesh_jax.structures import Array, Batch, Mesh, Outputs

Terms = dict[str, Float[Array, ""]]
Objective = Callable[[Outputs, Batch, Key[Array, ""]], Terms]
EVERY_STAGE = (1.0, 1.0, 1.0)


class Pixel2MeshWeights(NamedTuple):
    """Weights of the Pixel2Mesh losses; the defaults are those of the TensorFlow code.

    Source: nywang16/Pixel2Mesh p2m/losses.py and p2m/models.py (FACTS 1.2.5). Every
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
      image: reconstruction of the picture, see `reconstruction`; 0 without a decoder.
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


class PrintedWeights(NamedTuple):
    """Weights of the four losses of the paper; the defaults are its lambdas.

    Source: Pixel2Mesh (ECCV 2018), section 4. The `_stages` are as in
    `Pixel2MeshWeights`; the paper weighs all stages equally.

    Attributes:
      stages: factor of all terms of a stage.
      chamfer: both directions of the chamfer distance.
      edge: lambda_3, squared edge length.
      normal: lambda_1, squared inner product of edges and true normals.
      laplacian: lambda_2, change of the Laplacian coordinates.
      graph_decay: L2 of the graph network.
      encoder_decay: L2 of the kernels of the image encoder.
      decay_all: as in `Pixel2MeshWeights`.
    """

    stages: tuple[float, ...] = EVERY_STAGE
    chamfer: float = 1.0
    chamfer_stages: tuple[float, ...] = EVERY_STAGE
    edge: float = 0.1
    edge_stages: tuple[float, ...] = EVERY_STAGE
    normal: float = 1.6e-4
    normal_stages: tuple[float, ...] = EVERY_STAGE
    laplacian: float = 0.3
    laplacian_stages: tuple[float, ...] = EVERY_STAGE
    graph_decay: float = 1e-5
    encoder_decay: float = 1e-5
    decay_all: bool = True


class Pixel2Mesh2Weights(NamedTuple):
    """Weights of the four losses of Pixel2Mesh2, one factor per stage and loss.

    Attributes:
      stages: factor of all terms of a stage.
      chamfer: both directions of the chamfer distance.
      chamfer_stages: factor of `chamfer` per stage.
      edge: squared edge length.
      edge_stages: factor of `edge` per stage.
      normal: angle between the surface and the true normals.
      normal_stages: factor of `normal` per stage.
      laplacian: distance of the vertices from the middle of their neighbours.
      laplacian_stages: factor of `laplacian` per stage.
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


def pixel2mesh(outputs: Outputs, batch: Batch, weights: Pixel2MeshWeights) -> Terms:
    """Terms of Pixel2Mesh: summed over the stages, averaged over the batch."""
    return _sum_over_stages(_released_terms, outputs, batch, weights)


def pixel2mesh_printed(
    outputs: Outputs, batch: Batch, weights: PrintedWeights
) -> Terms:
    """Terms of Pixel2Mesh as the paper prints them: sums over points and edges."""
    return _sum_over_stages(_printed_terms, outputs, batch, weights)


def pixel2mesh2(outputs: Outputs, batch: Batch, weights: Pixel2Mesh2Weights) -> Terms:
    """Terms of Pixel2Mesh2: summed over the stages, averaged over the batch."""
    return _sum_over_stages(_smooth_terms, outputs, batch, weights)


def reconstruction(outputs: Outputs, batch: Batch, weights: Pixel2MeshWeights) -> Terms:
    """Cross entropy plus L1 of the reconstructed picture, and of its depth if any.

    Empty for a model without a decoder.
    """
    disparity = jax.vmap(depth_maps.disparity)
    terms = {}
    if outputs.image is not None:
        error = jax.vmap(losses.reconstruction)(outputs.image, batch.rgb)
        terms["image"] = weights.image * _batch_mean(error, batch)
    if outputs.depth is not None:
        true_depth = disparity(batch.depth, batch.mask)
        error = jax.vmap(losses.reconstruction)(outputs.depth, true_depth)
        terms["depth"] = weights.depth * _batch_mean(error, batch)
    return terms


def with_reconstruction(objective: Objective, weights: Any) -> Objective:
    """The same objective with the terms of `reconstruction`."""

    def both(outputs: Outputs, batch: Batch, key: Key[Array, ""]) -> Terms:
        found = objective(outputs, batch, key)
        return found | reconstruction(outputs, batch, weights)

    return both


def weight_decay(params: dict, weights: Any) -> Terms:
    """L2 of the graph network, and of the convolution kernels of the image networks.

    Args:
      params: of the model.
      weights: of any family, with `graph_decay`, `encoder_decay` and `decay_all`.
    """
    image, graph = {}, {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if not name.startswith(("encoder/", "decoder/")):
            graph[name] = leaf
        elif weights.decay_all or name.endswith("/kernel"):
            image[name] = leaf
    decay = weights.graph_decay * losses.squared_norm(graph)
    return {"decay": decay + weights.encoder_decay * losses.squared_norm(image)}


class Family(NamedTuple):
    """One set of losses.

    Attributes:
      weights: NamedTuple of the settings; what `config.loss` may hold.
      terms: weighted terms by name, of (outputs, batch, weights); of a random key too
        if it draws.
      draws: whether the terms draw random numbers.
    """

    weights: type
    terms: Callable[..., Terms]
    draws: bool = False


FAMILIES = {
    "pixel2mesh": Family(Pixel2MeshWeights, pixel2mesh),
    "pixel2mesh_printed": Family(PrintedWeights, pixel2mesh_printed),
    "pixel2mesh2": Family(Pixel2Mesh2Weights, pixel2mesh2),
    "mesh_rcnn": Family(MeshRCNNWeights, mesh_rcnn, draws=True),
}


def bind(family: Family, weights: Any) -> Objective:
    """The objective of a family with its weights."""

    def objective(outputs: Outputs, batch: Batch, key: Key[Array, ""]) -> Terms:
        random = (key,) if family.draws else ()
        return family.terms(outputs, batch, weights, *random)

    return objective


def _sum_over_stages(stage_terms, outputs, batch, weights):
    """Applies `stage_terms(stage, mesh, batch, weights)`, which gives terms (B,)."""
    total = {}
    for stage, mesh in enumerate(outputs.meshes):
        for name, per_sample in stage_terms(stage, mesh, batch, weights).items():
            total[name] = total.get(name, 0.0) + _batch_mean(per_sample, batch)
    return total


def _batch_mean(per_sample, batch):
    return jnp.sum(per_sample * batch.weight) / jnp.sum(batch.weight)


def _stage_weight(weights, name, stage):
    """Weight of a term in a stage."""
    factors, all_terms = getattr(weights, f"{name}_stages"), weights.stages
    own = getattr(weights, name) * factors[min(stage, len(factors) - 1)]
    return own * all_terms[min(stage, len(all_terms) - 1)]


def _released_terms(stage, mesh: Mesh, batch: Batch, weights: Pixel2MeshWeights):
    """Weighted terms of one stage, each of shape (B,)."""
    weight = functools.partial(_stage_weight, weights, stage=stage)

    def terms(vertices, rest, colors, points, normals, true_colors):
        covered, accurate, to_point = _chamfer(vertices, points)
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


def _printed_terms(stage, mesh: Mesh, batch: Batch, weights: PrintedWeights):
    """Weighted terms of one stage, each of shape (B,)."""
    weight = functools.partial(_stage_weight, weights, stage=stage)
    num_vertices = mesh.vertices.shape[1]
    num_points = batch.points.shape[1]
    num_pairs = 2 * len(mesh.topology.edges)

    def terms(vertices, rest, points, normals):
        covered, accurate, to_point = _chamfer(vertices, points)
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


def _smooth_terms(stage, mesh: Mesh, batch: Batch, weights: Pixel2Mesh2Weights):
    """Weighted terms of one stage, each of shape (B,)."""
    weight = functools.partial(_stage_weight, weights, stage=stage)

    def terms(vertices, points, normals):
        covered, accurate, to_point = _chamfer(vertices, points)
        return {
            "chamfer": weight("chamfer") * (covered + accurate),
            "edge": weight("edge") * losses.edge_length(vertices, mesh.topology),
            "normal": weight("normal")
            * losses.normal_angle(vertices, mesh.topology, normals[to_point]),
            "laplacian": weight("laplacian")
            * losses.smoothness(vertices, mesh.topology),
        }

    return jax.vmap(terms)(mesh.vertices, batch.points, batch.normals)


def _chamfer(vertices, points):
    """Mean squared distance in both directions, and the nearest point of a vertex."""
    to_point = nearest_index(vertices, points)
    to_vertex = nearest_index(points, vertices)
    covered = losses.directed_chamfer(points, vertices, to_vertex)
    accurate = losses.directed_chamfer(vertices, points, to_point)
    return covered, accurate, to_point
