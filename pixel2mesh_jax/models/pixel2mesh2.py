"""Pixel2Mesh2 (P. Heile): a lighter cascade on an icosphere.

image -> ResNet-18 -> map 1/16 -----+      map 1/32 -----+----------------+
                                    |                    |                |
icosphere 162 ----------> [pool, project, GCN] -> 642 [...] -> 2562 [...] -> mesh

Every stage sees one scale of the image through a linear projection and predicts by how
much its vertices move. Stages pass on vertices only, no hidden features.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.geometry import graph
from pixel2mesh_jax.models import cascade, perceptual
from pixel2mesh_jax.models.graph_layers import GraphConv, MeshGraph, block_stack
from pixel2mesh_jax.models.pixel2mesh import encode_image
from pixel2mesh_jax.structures import Array, Batch, Outputs, Template


class Pixel2Mesh2(nn.Module):
    """The network of Pixel2Mesh2, batched, and trained from end to end.

    Attributes:
      encoder: image to feature maps, one of `models/encoders.py`.
      inputs: which channels the encoder sees: "rgb", "depth" or both.
      depth_encoding: one of `geometry.depth.ENCODINGS`.
      color_encoding: one of `pixel2mesh.COLOR_ENCODINGS`.
      scales: index of the feature map that each stage sees, 0 = finest; the last entry
        also serves further stages.
      projected_features: channels of its linear projection; likewise.
      hidden_features: channels of the graph networks.
      num_blocks: residual blocks per stage.
      operator: graph convolution, one of `geometry.graph.OPERATORS`.
      sees_coordinates: whether a stage sees where its vertices are. The published code
        shows it image features only, which are alike on the front and on the back of
        the sphere.
      origin: of these coordinates, metres, camera frame.
      rematerialize: see `graph_layers.block_stack`.
      dtype: of the computation; parameters, positions and losses are float32.
    """

    encoder: nn.Module
    inputs: tuple[str, ...] = ("rgb",)
    depth_encoding: str = "disparity"
    color_encoding: str = "unit"
    scales: tuple[int, ...] = (2, 3, 3)
    projected_features: tuple[int, ...] = (128, 256, 256)
    hidden_features: int = 256
    num_blocks: int = 3
    operator: str = "gcn"
    sees_coordinates: bool = True
    origin: tuple[float, float, float] = (0.0, 0.0, -0.8)
    rematerialize: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, batch: Batch, template: Template, train: bool) -> Outputs:
        """Meshes of all stages, coarse to fine; a stage per level of the template."""
        image, maps = encode_image(self, batch, train)
        vertices, meshes = cascade.start(template, len(image)), []
        for stage, (coarse, fine) in enumerate(cascade.stages(template)):
            unpool = graph.unpooling(coarse, fine)
            rest = vertices if unpool is None else unpool(vertices)
            sample = perceptual.sampler(rest, batch.intrinsics, image.shape[1:3])
            features = sample(maps[_at(self.scales, stage)])
            nodes = self._project(features, rest, stage)
            deform = GraphDeformer(
                self.hidden_features,
                self.num_blocks,
                self.operator,
                self.dtype,
                self.rematerialize,
                name=f"stage{stage + 1}",
            )
            vertices = rest + deform(graph.mesh_graph(fine), nodes)
            meshes.append(cascade.stage_mesh(vertices, rest, fine))
        return Outputs(meshes=tuple(meshes))

    def _project(self, features, vertices, stage):
        """The projected features of a stage, and its coordinates."""
        projection = nn.Dense(
            _at(self.projected_features, stage),
            dtype=self.dtype,
            name=f"projection{stage + 1}",
        )
        nodes = projection(features.astype(self.dtype))
        if not self.sees_coordinates:
            return nodes
        coordinates = vertices - jnp.array(self.origin)[None, None]
        return jnp.concatenate([coordinates.astype(self.dtype), nodes], axis=-1)


class GraphDeformer(nn.Module):
    """Node features to offsets: a convolution, residual blocks, a convolution.

    The last one starts at zero, so an untrained network leaves the mesh alone: with
    random weights it throws the vertices metres away and turns the mesh inside out.

    Attributes:
      features: channels of all hidden layers.
      num_blocks: residual blocks of two convolutions each.
      operator: one of `geometry.graph.OPERATORS`.
      dtype: of the computation.
      rematerialize: see `graph_layers.block_stack`.
    """

    features: int
    num_blocks: int
    operator: str
    dtype: DTypeLike
    rematerialize: bool = False

    @nn.compact
    def __call__(
        self, level: MeshGraph, nodes: Float[Array, "V B C"]
    ) -> Float[Array, "V B 3"]:
        """Offsets in metres, float32."""
        conv = GraphConv(self.features, self.operator, self.dtype, name="conv_in")
        hidden = nn.relu(conv(level, nodes).nodes)
        stack = block_stack(AddedResBlock, self.num_blocks, self.rematerialize)
        hidden, _ = stack(self.operator, self.dtype, name="blocks")(hidden, level)
        zeros = nn.initializers.zeros
        out = GraphConv(3, self.operator, jnp.float32, zeros, name="conv_out")
        return out(level, hidden.astype(jnp.float32)).nodes


class AddedResBlock(nn.Module):
    """h -> relu(h + conv(relu(conv(h)))).

    Attributes:
      operator: one of `geometry.graph.OPERATORS`.
      dtype: of the computation.
    """

    operator: str
    dtype: DTypeLike

    @nn.compact
    def __call__(self, hidden: Float[Array, "V B C"], level: MeshGraph):
        features = hidden.shape[-1]
        conv1 = GraphConv(features, self.operator, self.dtype, name="conv1")
        conv2 = GraphConv(features, self.operator, self.dtype, name="conv2")
        y = conv2(level, nn.relu(conv1(level, hidden).nodes)).nodes
        return nn.relu(hidden + y), None


def _at(values, stage):
    """The entry of a stage; the last one also serves further stages."""
    return values[min(stage, len(values) - 1)]
