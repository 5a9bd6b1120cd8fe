"""Pixel2Mesh: a cascade of graph networks deforms an ellipsoid, coarse to fine.

image -> encoder -> feature maps --------+-----------------+-----------------+
                                         |                 |                 |
ellipsoid 156 -> [pool, G-ResNet] -> unpool 618 -> [..] -> unpool 2466 -> [..] -> mesh
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.geometry import camera, depth, graph, interpolate
from pixel2mesh_jax.models.graph_layers import GraphConv, GraphResNet
from pixel2mesh_jax.structures import Array, Batch, Mesh, Outputs, Template

PREDICTIONS = ("positions", "offsets")


class Pixel2Mesh(nn.Module):
    """RGB or RGB-D Pixel2Mesh.

    Attributes:
      encoder: image to feature maps, one of `models/encoders.py`.
      inputs: which channels the encoder sees: "rgb", "depth" or both.
      depth_encoding: one of `geometry.depth.ENCODINGS`.
      hidden_features: channels of the graph networks.
      last_features: channels before the last convolution of the last stage.
      num_blocks: residual blocks per stage.
      operator: graph convolution, one of `geometry.graph.OPERATORS`.
      prediction: "positions" (as released: a stage predicts where the vertices are) or
        "offsets" (by how much they move).
      origin: of the coordinates that the network sees and predicts, metres, camera
        frame. The released TensorFlow code uses the camera, (0, 0, 0).
      vertex_colors: whether every stage predicts three more numbers, sRGB colours.
      dtype: of the computation; parameters, positions and losses are float32.
    """

    encoder: nn.Module
    inputs: tuple[str, ...] = ("rgb", "depth")
    depth_encoding: str = "disparity"
    hidden_features: int = 192
    last_features: int = 192
    num_blocks: int = 6
    operator: str = "chebyshev"
    prediction: str = "positions"
    origin: tuple[float, float, float] = (0.0, 0.0, -0.8)
    vertex_colors: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, batch: Batch, template: Template, train: bool) -> Outputs:
        """Meshes of the three stages, coarse to fine."""
        image = network_input(batch, self.inputs, self.depth_encoding)
        maps = self.encoder(image.astype(self.dtype), train)
        origin = jnp.array(self.origin)[None, None]
        start = jnp.asarray(template.vertices)[:, None]
        vertices = jnp.broadcast_to(start, (len(start), len(image), 3))
        hidden, unpool, meshes = None, None, []
        for stage, topology in enumerate(template.levels):
            features = pool_features(maps, vertices, batch.intrinsics, image.shape[1:3])
            parts = [vertices - origin, features, *([] if stage == 0 else [hidden])]
            nodes = jnp.concatenate([x.astype(self.dtype) for x in parts], axis=-1)
            rest = vertices if unpool is None else unpool(vertices)
            level = graph.mesh_graph(topology)
            name = f"stage{stage + 1}"
            hidden = GraphResNet(
                self.hidden_features,
                self.num_blocks,
                self.operator,
                self.dtype,
                name=name,
            )(level, nodes, unpool).nodes
            last = stage == len(template.levels) - 1
            predicted = self._predict(level, hidden, last, name)
            base = origin if self.prediction == "positions" else rest
            vertices = base + predicted[..., :3]
            meshes.append(_mesh(vertices, rest, predicted[..., 3:], topology))
            unpool = lambda x, level=topology: graph.unpool(x, level)  # noqa: E731
        return Outputs(meshes=tuple(meshes))

    def _predict(self, level, hidden, last, name):
        """Positions or offsets, and colours if asked for: (V, B, 3 or 6) float32."""
        if last:
            conv = GraphConv(
                self.last_features, self.operator, self.dtype, name=f"{name}_last"
            )
            hidden = nn.relu(conv(level, hidden).nodes)
        conv = GraphConv(
            6 if self.vertex_colors else 3,
            self.operator,
            self.dtype,
            name=f"{name}_out",
        )
        return conv(level, hidden).nodes.astype(jnp.float32)


def network_input(
    batch: Batch, inputs: tuple[str, ...], depth_encoding: str
) -> Float[Array, "B H W C"]:
    """Stacks the asked-for channels: 3 of colour in [0, 1], 1 of encoded depth."""
    encode = jax.vmap(depth.ENCODINGS[depth_encoding])
    channels = {
        "rgb": lambda: batch.rgb,
        "depth": lambda: encode(batch.depth, batch.mask)[..., None],
    }
    return jnp.concatenate([channels[name]() for name in inputs], axis=-1)


def pool_features(
    maps: list[Float[Array, "B _ _ _"]],
    vertices: Float[Array, "V B 3"],
    intrinsics: Float[Array, "B 3 3"],
    image_shape: tuple[int, int],
) -> Float[Array, "V B C"]:
    """Perceptual feature pooling: all maps sampled where the vertices project."""

    def pool(points, matrix, *sample_maps):
        uv = camera.project(points, matrix)
        return jnp.concatenate(
            [
                interpolate.sample_bilinear(
                    x, interpolate.half_pixel(uv, image_shape, x.shape[:2])
                )
                for x in sample_maps
            ],
            axis=-1,
        )

    in_axes = (1, 0, *(0 for _ in maps))
    return jax.vmap(pool, in_axes, out_axes=1)(vertices, intrinsics, *maps)


def _mesh(vertices, rest, colors, topology):
    batch_first = lambda x: jnp.moveaxis(x, 0, 1)  # noqa: E731
    colors = jax.nn.sigmoid(batch_first(colors)) if colors.shape[-1] else None
    return Mesh(batch_first(vertices), batch_first(rest), topology, colors)
