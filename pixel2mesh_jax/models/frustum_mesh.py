"""Refinement by graph convolutions that starts from signed distances.

image -> U-Net over rays -> distances -> cubify -> to 0 [refine] [refine] [refine]
               |                                             |        |        |
               +-> features of the rays ---------------------+--------+--------+

The trunk is the network of `models/frustum_unet.py`, the stages are those of Mesh
R-CNN. They see where a vertex is in the view volume of the object and move it by shares
of the width of the volume, so all is independent of the unit of the depth map. No
gradient flows through the mesh to the distances, but through the features.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from pixel2mesh_jax.geometry import cubify, frustum
from pixel2mesh_jax.geometry.frustum import ViewVolume
from pixel2mesh_jax.models.frustum_unet import FrustumUNet
from pixel2mesh_jax.models.mesh_rcnn import PaddedRefinement
from pixel2mesh_jax.structures import Array, Batch, VoxelMeshOutputs

# Widths of the volume, at its near plane, that a vertex moves in a stage at most.
REACH = 0.1


class FrustumMesh(nn.Module):
    """Signed distances of the view volume, and the mesh of their inside, refined.

    Attributes:
      trunk: image to signed distances.
      head: moves the vertices.
      capacity: of the meshes.
      level: cells; inside is where the distances are less.
    """

    trunk: FrustumUNet
    head: PaddedRefinement
    capacity: cubify.Capacity
    level: float = 0.1

    def __call__(self, batch: Batch, constants: tuple, train: bool) -> VoxelMeshOutputs:
        """Distances, the mesh of the cells inside, and the mesh after each stage."""
        del constants
        found, features = self.trunk.with_features(batch, train)
        volume = frustum.unpack(found.placement)
        if not train:
            near = jnp.where(found.has_depth > 0, volume.near, found.near)
            volume = frustum.moved(volume, near)
        field = jnp.moveaxis(found.distances - self.level, -1, 1)
        mesh = jax.vmap(self._mesh_of)(field)
        start = self._start(field, mesh.vertices, volume)
        rays = (self.trunk.resolution,) * 2
        unit = (REACH * volume.size * volume.near)[:, None, None]

        def project(vertices):
            return self._ndc(vertices, volume)

        stages = self.head([features], mesh, start, project, rays, unit)
        return VoxelMeshOutputs(-field, mesh, (start, *stages), found)

    def _mesh_of(self, field):
        return cubify.cubify(jax.nn.sigmoid(-field), 0.5, self.capacity)

    def _start(self, field, lattice, volume: ViewVolume):
        """The corners of the cells, a step closer to the surface, in metres."""
        closer = lattice + jax.vmap(cubify.steps_to_zero)(field, lattice)
        index = jnp.roll(closer, -1, axis=-1)  # (row, column, layer)
        place = functools.partial(
            frustum.points_of_index,
            resolution=self.trunk.resolution,
            layers=self.trunk.layers,
        )
        return jax.lax.stop_gradient(place(index, volume))

    def _ndc(self, vertices: Float[Array, "B V 3"], volume: ViewVolume):
        """x to the right, y up, z away, each from -1 to 1 over the volume."""
        resolution, layers = self.trunk.resolution, self.trunk.layers
        index = frustum.index_of_points(vertices, volume, resolution, layers)
        counts = jnp.array([resolution, resolution, layers], jnp.float32)
        row, column, layer = jnp.moveaxis(
            (2 * index + 1) / counts[None, None] - 1, -1, 0
        )
        return jnp.stack([column, -row, layer], axis=-1)
