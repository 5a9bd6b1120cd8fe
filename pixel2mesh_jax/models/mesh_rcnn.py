"""Mesh R-CNN's ShapeNet model: voxels first, then the mesh of their surface, refined.

image -> ResNet-50 -> four maps --------------+----------------+----------------+
                         |                    |                |                |
                         +-> voxels 48^3 -> cubify -> mesh [refine] [refine] [refine]

The refinement is that of `models/refinement.py`, on a mesh of its own per example: its
stages are mapped over the examples, whose tables of neighbours have one size. No
gradient flows through the mesh to the voxels.

Source: Mesh R-CNN (Gkioxari et al., ICCV 2019); facebookresearch/meshrcnn, shapenet/.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.geometry import camera, cubify, graph, voxels
from pixel2mesh_jax.models import view_features
from pixel2mesh_jax.models.pixel2mesh import encode_image
from pixel2mesh_jax.models.refinement import Refinement, RefinementStage
from pixel2mesh_jax.structures import Array, Batch, PaddedMesh, VoxelMeshOutputs

# facebookresearch/meshrcnn, shapenet/modeling/heads/voxel_head.py.
CONV_INIT = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
LAST_INIT = nn.initializers.normal(0.001)


class MeshRCNN(nn.Module):
    """An image encoder, a voxel head and a refinement of the mesh of the voxels.

    Attributes:
      encoder: image to feature maps, one of `models/encoders.py`.
      voxel_head: last map to logits.
      head: moves the vertices.
      capacity: of the meshes.
      threshold: probability of occupied voxels.
      alignment: of the lattice, one of `cubify.ALIGNMENTS`.
      unit: metres of the length 1 that the stages see and move by. Published weights
        have objects of unit diagonal: `camera.P2M_SCALE`.
      inputs: which channels the encoder sees: "rgb", "depth" or both.
      depth_encoding: one of `geometry.depth.ENCODINGS`.
      color_encoding: one of `pixel2mesh.COLOR_ENCODINGS`.
      sees_view: whether a stage is told where its vertices are with respect to the
        outline and the depth map, `models/view_features.py`. Not published.
      dtype: of the encoder; parameters are float32.
    """

    encoder: nn.Module
    voxel_head: "VoxelHead"
    head: "PaddedRefinement"
    capacity: cubify.Capacity
    threshold: float = 0.2
    alignment: str = "center"
    unit: float = 1.0
    inputs: tuple[str, ...] = ("rgb", "depth")
    depth_encoding: str = "disparity"
    color_encoding: str = "imagenet"
    sees_view: bool = False
    dtype: DTypeLike = jnp.float32

    def __call__(self, batch: Batch, constants: tuple, train: bool) -> VoxelMeshOutputs:
        """Voxels, their mesh, and the mesh after each stage."""
        del constants
        image, maps = encode_image(self, batch, train)
        image_shape = image.shape[1:3]
        logits = self.voxel_head(maps[-1])
        mesh = self._mesh_of(logits)
        start = voxels.camera_from_voxel(
            mesh.vertices, batch.intrinsics, image_shape, self.voxel_head.resolution
        )

        def project(vertices):
            scaled = vertices / self.unit
            return camera.project_ndc(scaled, batch.intrinsics, image_shape)

        tell = self._teller(batch, mesh.faces) if self.sees_view else None
        stages = self.head(maps, mesh, start, project, image_shape, self.unit, tell)
        return VoxelMeshOutputs(logits, mesh, (start, *stages))

    def _teller(self, batch, faces):
        """A function from vertices (B, V, 3) to what they are told, (B, V, K)."""
        depth_map = batch.depth if "depth" in self.inputs else 0 * batch.mask
        view = view_features.make_view(depth_map, batch.mask, batch.intrinsics)

        def tell(vertices):
            seen = view_features.features(jnp.swapaxes(vertices, 0, 1), faces, view)
            return jnp.swapaxes(seen, 0, 1)

        return tell

    def _mesh_of(self, logits) -> PaddedMesh:
        def make(probabilities):
            return cubify.cubify(
                probabilities, self.threshold, self.capacity, self.alignment
            )

        return jax.vmap(make)(jax.nn.sigmoid(logits))


class VoxelHead(nn.Module):
    """Convolutions whose last channels are the layers of the view volume.

    Attributes:
      resolution: voxels per side, even.
      features: channels.
      num_convs: 3 x 3 convolutions at half the resolution.
      dtype: of the computation; parameters and logits are float32.
    """

    resolution: int = voxels.MESH_RCNN_RESOLUTION
    features: int = 256
    num_convs: int = 4
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, last_map: Float[Array, "B h w C"]) -> Float[Array, "B R R R"]:
        """Logits by (layer, row, column)."""
        batch, _, _, channels = last_map.shape
        half = self.resolution // 2
        shape = (batch, half, half, channels)
        x = jax.image.resize(last_map, shape, "bilinear", antialias=False)
        for index in range(self.num_convs):
            conv = nn.Conv(
                self.features,
                (3, 3),
                kernel_init=CONV_INIT,
                dtype=self.dtype,
                name=f"conv{index + 1}",
            )
            x = nn.relu(conv(x))
        deconv = nn.ConvTranspose(
            self.features,
            (2, 2),
            (2, 2),
            kernel_init=CONV_INIT,
            dtype=self.dtype,
            name="deconv",
        )
        last = nn.Conv(
            self.resolution,
            (1, 1),
            kernel_init=LAST_INIT,
            dtype=self.dtype,
            name="logits",
        )
        logits = last(nn.relu(deconv(x)))
        return jnp.moveaxis(logits.astype(jnp.float32), -1, 1)


class PaddedRefinement(Refinement):
    """Moves the vertices of meshes that differ in topology, in a few stages.

    Attributes: as in `Refinement`, and
      num_stages: 0 leaves the meshes alone.
    """

    num_stages: int = 3

    @nn.compact
    def __call__(
        self,
        maps: list[Float[Array, "B _ _ _"]],
        mesh: PaddedMesh,
        vertices: Float[Array, "B V 3"],
        project: Callable[[Float[Array, "B V 3"]], Float[Array, "B V 3"]],
        image_shape: tuple[int, int],
        unit: Float[Array, "B 1 1"] | float,
        tell: Callable[[Float[Array, "B V 3"]], Float[Array, "B V K"]] | None = None,
    ) -> list[Float[Array, "B V 3"]]:
        """Positions after each stage, metres, camera frame.

        Args:
          maps: feature maps of the image.
          mesh: connectivity; its own positions are not read.
          vertices: where the first stage starts, metres, camera frame.
          project: positions to device coordinates, see `camera.project_ndc`.
          image_shape: height and width in pixels of what the coordinates cover.
          unit: metres that an offset of 1 is.
          tell: what else is known of vertices at such positions.
        """
        levels = jax.vmap(graph.padded_graph)(mesh)
        # A stage takes (V, B, C) for B meshes of one topology; here each is alone.
        alone = [x[:, None] for x in maps]
        mapped = nn.vmap(
            RefinementStage,
            in_axes=(0, 0, 0, 0, None, 0),
            variable_axes={"params": None},
            split_rngs={"params": False},
        )
        hidden, found = None, []
        for number in range(1, self.num_stages + 1):
            ndc = project(vertices)[:, :, None]
            told = None if tell is None else tell(vertices)[:, :, None]
            refine = self.stage(number, mapped)
            offset, hidden = refine(levels, ndc, hidden, alone, image_shape, told)
            vertices = vertices + unit * offset[:, :, 0]
            found.append(vertices)
        return found
