"""The objective of Mesh R-CNN: points drawn from the predicted surface are compared.

Source: facebookresearch/meshrcnn, shapenet/modeling/heads/mesh_loss.py. Its
squared distances are in a frame where an object has unit diagonal, ours in one where
the diagonal is 0.57: the same mesh has 0.57^2 = 0.325 times the loss. Chamfer distance
and edge length shrink alike, so their balance is the published one.
"""

import functools
from typing import Any, NamedTuple

import jax
from jaxtyping import Float, Key

from pixel2mesh_jax.geometry import surface
from pixel2mesh_jax.geometry.nearest import nearest_index
from pixel2mesh_jax.losses import terms as losses
from pixel2mesh_jax.losses.stages import Terms, batch_mean
from pixel2mesh_jax.structures import Array, Batch, MeshTopology, Outputs


class MeshRCNNWeights(NamedTuple):
    """Weights of the losses; the defaults are the published ones of "pretty" meshes.

    Attributes:
      chamfer: both directions of the chamfer distance.
      edge: squared edge length; 0 for the "best" scores and worse meshes.
      normal: 1 - |cosine| of the normals of nearest points, both directions. Published
        as 0: it diverged early in training.
      num_samples: points drawn from every predicted mesh.
      graph_decay: L2 of the refinement.
      encoder_decay: L2 of the kernels of the image encoder.
      decay_all: `encoder_decay` also covers biases and batch normalisation.
    """

    chamfer: float = 1.0
    edge: float = 0.2
    normal: float = 0.0
    num_samples: int = 5000
    graph_decay: float = 0.0
    encoder_decay: float = 0.0
    decay_all: bool = False


def mesh_rcnn(
    outputs: Outputs, batch: Batch, weights: MeshRCNNWeights, keys: Key[Array, " B"]
) -> Terms:
    """Terms of Mesh R-CNN without its voxels: means over the stages and the batch.

    Args:
      outputs: meshes of all stages.
      batch: true points and normals.
      weights: of the terms.
      keys: of the points drawn, one per example; the same key draws the same points,
        whatever the other examples are.
    """
    total = {}
    for stage, mesh in enumerate(outputs.meshes):
        of_stage = jax.vmap(functools.partial(jax.random.fold_in, data=stage))(keys)
        terms = jax.vmap(functools.partial(_drawn_terms, mesh.topology, weights))
        found = terms(of_stage, mesh.vertices, batch.points, batch.normals)
        for name, per_sample in found.items():
            mean = batch_mean(per_sample, batch)
            total[name] = total.get(name, 0.0) + mean / len(outputs.meshes)
    return total


def _drawn_terms(topology, weights, key, vertices, points, normals):
    drawn = surface.sample_points(key, vertices, topology.faces, weights.num_samples)
    return surface_terms(vertices, topology, drawn, (points, normals), weights)


def surface_terms(
    vertices: Float[Array, "V 3"],
    topology: MeshTopology,
    predicted: tuple[Float[Array, "N 3"], Float[Array, "N 3"]],
    true: tuple[Float[Array, "M 3"], Float[Array, "M 3"]],
    weights: MeshRCNNWeights,
) -> Terms:
    """Weighted terms of one mesh.

    Args:
      vertices: positions, metres.
      topology: connectivity.
      predicted: points on the mesh, and its normals there.
      true: points on the true surface, and its normals there; their sign is arbitrary.
      weights: of the terms; a term of weight 0 is left out.
    """
    terms = point_terms(predicted, true, weights)
    if weights.edge:
        terms["edge"] = weights.edge * losses.edge_length(vertices, topology)
    return terms


def point_terms(
    predicted: tuple[Float[Array, "N 3"], Float[Array, "N 3"]],
    true: tuple[Float[Array, "M 3"], Float[Array, "M 3"]],
    weights: Any,
) -> Terms:
    """Those of the points alone: chamfer distance and normals.

    Args:
      predicted: as in `surface_terms`.
      true: as in `surface_terms`.
      weights: with the attributes `chamfer` and `normal`.
    """
    points, normals = predicted
    true_points, true_normals = true
    to_true = nearest_index(points, true_points)
    to_mesh = nearest_index(true_points, points)
    terms = {
        "chamfer": weights.chamfer
        * (
            losses.directed_chamfer(points, true_points, to_true)
            + losses.directed_chamfer(true_points, points, to_mesh)
        ),
        "normal": weights.normal
        * (
            losses.directed_normal(normals, true_normals, to_true)
            + losses.directed_normal(true_normals, normals, to_mesh)
        ),
    }
    return {name: term for name, term in terms.items() if getattr(weights, name)}
