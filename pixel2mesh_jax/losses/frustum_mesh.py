"""The objective of signed distances and of the mesh that is refined from them."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Key

from pixel2mesh_jax.losses.frustum import FrustumWeights, frustum_terms
from pixel2mesh_jax.losses.stages import Terms
from pixel2mesh_jax.losses.voxel_mesh import mesh_terms
from pixel2mesh_jax.structures import Array, Batch, VoxelMeshOutputs


class FrustumMeshWeights(NamedTuple):
    """Weights of `FrustumWeights`, and of the mesh.

    Attributes:
      distance: see `FrustumWeights`.
      sign: see there.
      overlap: see there.
      far_color: see there.
      front: see there.
      near: see there.
      chamfer: see `voxel_mesh.VoxelMeshWeights`. The squared distance of a good mesh is
        a thousandth of the other terms.
      edge: see there.
      normal: see there.
      num_samples: see there.
      min_iou: see there.
    """

    distance: float = FrustumWeights().distance
    sign: float = FrustumWeights().sign
    overlap: float = FrustumWeights().overlap
    far_color: float = FrustumWeights().far_color
    front: float = FrustumWeights().front
    near: float = FrustumWeights().near
    chamfer: float = 100.0
    edge: float = 10.0
    normal: float = 0.0
    num_samples: int = 1000
    min_iou: float = 0.2


def frustum_mesh(
    outputs: VoxelMeshOutputs,
    batch: Batch,
    weights: FrustumMeshWeights,
    keys: Key[Array, " B"],
) -> tuple[Terms, Terms]:
    """Weighted terms, and what `voxel_mesh.mesh_terms` shows; means over the batch."""
    inside = jnp.moveaxis(batch.distances < 0, -1, 1)
    terms, shown = mesh_terms(outputs, batch, inside, weights, keys, threshold=0.5)
    of_volume = FrustumWeights(*(getattr(weights, x) for x in FrustumWeights._fields))
    return frustum_terms(outputs.volume, batch, of_volume) | terms, shown
