"""The objective of Mesh R-CNN with its voxels: occupancy, and points of the mesh.

When is a mesh worth refining? The published program trains the voxels alone for its
first 100 steps, and its loss was not finite with other recipes (meshrcnn issues 29, 51,
86): a mesh of noise is refined, and pulls at the image encoder. Here each example
decides: its mesh counts once its voxels overlap the true ones by `min_iou`. That is a
function of the example alone, so it needs no state, is the same on any number of
devices, and an example that goes astray later on is left out again.

Source: facebookresearch/meshrcnn, shapenet/modeling/heads/mesh_loss.py;
lengths as in `losses/mesh_rcnn.py`.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Key

from pixel2mesh_jax.geometry import surface
from pixel2mesh_jax.losses.mesh_rcnn import point_terms
from pixel2mesh_jax.losses.stages import Terms, batch_mean
from pixel2mesh_jax.structures import Array, Batch, PaddedMesh, VoxelMeshOutputs


class VoxelMeshWeights(NamedTuple):
    """Weights of the losses; the defaults are the published ones of "pretty" meshes.

    Attributes:
      voxel: cross entropy of the occupancy.
      chamfer: both directions of the chamfer distance.
      edge: squared edge length; 0 for the "best" scores and worse meshes.
      normal: 1 - |cosine| of the normals of nearest points, both directions. Published
        as 0: it diverged early in training.
      num_samples: points drawn from every predicted mesh.
      min_iou: overlap of the voxels from which on a mesh counts.
    """

    voxel: float = 1.0
    chamfer: float = 1.0
    edge: float = 0.2
    normal: float = 0.0
    num_samples: int = 5000
    min_iou: float = 0.2


def voxel_mesh(
    outputs: VoxelMeshOutputs,
    batch: Batch,
    weights: VoxelMeshWeights,
    keys: Key[Array, " B"],
    threshold: float,
) -> tuple[Terms, Terms]:
    """Weighted terms, and other numbers worth a curve; means over the batch.

    Args:
      outputs: voxels and meshes.
      batch: true voxels, points and normals.
      weights: of the terms.
      keys: of the points drawn, one per example.
      threshold: probability of occupied voxels.

    Returns:
      The terms; and the overlap of the voxels, the share of examples whose mesh counts
      and how many had to raise their threshold.
    """
    voxel = jax.vmap(cross_entropy)(outputs.logits, batch.voxels)
    terms, shown = mesh_terms(outputs, batch, batch.voxels, weights, keys, threshold)
    return {"voxel": weights.voxel * batch_mean(voxel, batch)} | terms, shown


def mesh_terms(
    outputs: VoxelMeshOutputs,
    batch: Batch,
    occupied: Bool[Array, "B D R R"],
    weights: Any,
    keys: Key[Array, " B"],
    threshold: float,
) -> tuple[Terms, Terms]:
    """Those of the refined meshes alone.

    Args:
      outputs: as in `voxel_mesh`.
      batch: true points and normals.
      occupied: the true voxels.
      weights: with the attributes of `VoxelMeshWeights`, without `voxel`.
      keys: as in `voxel_mesh`.
      threshold: as in `voxel_mesh`.
    """
    found = jax.nn.sigmoid(outputs.logits) >= threshold
    iou = jax.vmap(intersection_over_union)(found, occupied)
    counts = outputs.mesh.is_found * (iou >= weights.min_iou)
    raised = (outputs.mesh.num_rises > 0).astype(jnp.float32)
    shown = {"voxel_iou": iou, "meshes_counted": counts, "thresholds_raised": raised}
    return (
        _stages_terms(outputs, batch, weights, keys, counts),
        {name: batch_mean(value, batch) for name, value in shown.items()},
    )


def cross_entropy(
    logits: Float[Array, "D R R"], occupied: Bool[Array, "D R R"]
) -> Float[Array, ""]:
    """Mean binary cross entropy of the voxels."""
    return jnp.mean(jax.nn.softplus(jnp.where(occupied, -logits, logits)))


def intersection_over_union(
    a: Bool[Array, "D R R"], b: Bool[Array, "D R R"]
) -> Float[Array, ""]:
    """Of two sets of voxels; 0 where both are empty."""
    either = jnp.sum(a | b).astype(jnp.float32)
    return jnp.sum(a & b) / jnp.maximum(either, 1)


def edge_length(vertices: Float[Array, "V 3"], mesh: PaddedMesh) -> Float[Array, ""]:
    """Mean squared length of the edges, in square metres; 0 without any."""
    vertices = jnp.asarray(vertices)
    ends = vertices.at[mesh.neighbors].get(mode="clip")
    squared = jnp.sum((vertices[:, None] - ends) ** 2, axis=-1) * mesh.neighbor_mask
    return jnp.sum(squared) / jnp.maximum(jnp.sum(mesh.neighbor_mask), 1)


def _stages_terms(outputs, batch, weights, keys, counts):
    """Means over the refined stages; a mesh that does not count is 0 in them."""
    total, refined = {}, outputs.stages[1:]
    counted = (counts > 0)[:, None, None]
    for stage, vertices in enumerate(refined):
        # else a gradient that is not finite would come through a zero of `where` below
        vertices = jnp.where(counted, vertices, jax.lax.stop_gradient(vertices))
        of_stage = jax.vmap(functools.partial(jax.random.fold_in, data=stage))(keys)
        terms = jax.vmap(functools.partial(_stage_terms, weights))
        examples = outputs.mesh, vertices, batch.points, batch.normals
        for name, term in terms(of_stage, *examples).items():
            mean = batch_mean(jnp.where(counts > 0, term, 0), batch)
            total[name] = total.get(name, 0.0) + mean / len(refined)
    return total


def _stage_terms(weights, key, mesh, vertices, points, normals):
    drawn = surface.sample_points(key, vertices, mesh.faces, weights.num_samples)
    terms = point_terms(drawn, (points, normals), weights)
    if weights.edge:
        terms["edge"] = weights.edge * edge_length(vertices, mesh)
    return terms
