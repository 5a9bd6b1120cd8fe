"""Pixel2Mesh: a cascade of graph networks deforms an ellipsoid, coarse to fine.

image -> encoder -> feature maps --------+-----------------+-----------------+
                                         |                 |                 |
ellipsoid 156 -> [pool, G-ResNet] -> unpool 618 -> [..] -> unpool 2466 -> [..] -> mesh
"""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.geometry import camera, depth, graph
from pixel2mesh_jax.models import cascade, perceptual, view_features
from pixel2mesh_jax.models.graph_layers import GraphConv, GraphResNet
from pixel2mesh_jax.structures import Array, Batch, Outputs, Template

PREDICTIONS = ("positions", "offsets")
CHANNELS = {"rgb": 3, "depth": 1}  # of the inputs
COORDINATES = ("every_stage", "first_stage")
PLACEMENTS = ("template", "view")
# Mean and standard deviation of ImageNet, RGB in [0, 1]; torchvision.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Pixel2Mesh(nn.Module):
    """RGB or RGB-D Pixel2Mesh.

    Attributes:
      encoder: image to feature maps, one of `models/encoders.py`.
      inputs: which channels the encoder sees: "rgb", "depth" or both.
      depth_encoding: one of `geometry.depth.ENCODINGS`.
      color_encoding: one of `COLOR_ENCODINGS`.
      hidden_features: channels of the graph networks.
      last_features: channels of one more convolution before the last one of the last
        stage (as released); 0 leaves it out (as printed: 14 in every stage).
      num_blocks: residual blocks per stage.
      residual: whether these have shortcuts.
      coordinates: which stages see the coordinates of their vertices, "every_stage"
        (as released) or the "first_stage" (as printed), which has no hidden features.
      operator: graph convolution, one of `geometry.graph.OPERATORS`.
      prediction: "positions" (as released: a stage predicts where the vertices are) or
        "offsets" (by how much they move).
      origin: of the coordinates that the network sees and predicts, metres, camera
        frame. The released TensorFlow code uses the camera, (0, 0, 0).
      pooling: of image features, one of `geometry.pooling.POOLINGS`.
      camera: focal length and both coordinates of the principal point, in pixels of the
        input image; None takes the camera of each sample.
      vertex_colors: whether every stage predicts three more numbers, sRGB colours.
      placement: "template" (as released: it stands where it stands) or "view": it is
        moved and scaled into the box of what is seen, `geometry/placement.py`, and
        `origin` is the middle of that.
      starts_still: whether the last layer of every stage starts at 0, so that an
        untrained network of offsets leaves the template where it is.
      sees_view: whether a stage is told where its vertices are with respect to the
        outline and the depth map, `models/view_features.py`.
      anchor: whether every stage predicts one more number, how far a vertex goes along
        its ray to the surface that the depth map shows, see `view_features.anchored`.
      decoder: feature maps to an image and its depth, for the autoencoder variants.
      rematerialize: see `graph_layers.block_stack`.
      dtype: of the computation; parameters, positions and losses are float32.
    """

    encoder: nn.Module
    inputs: tuple[str, ...] = ("rgb", "depth")
    depth_encoding: str = "disparity"
    color_encoding: str = "unit"
    hidden_features: int = 192
    last_features: int = 192
    num_blocks: int = 6
    residual: bool = True
    coordinates: str = "every_stage"
    operator: str = "chebyshev"
    prediction: str = "positions"
    origin: tuple[float, float, float] = (0.0, 0.0, -0.8)
    pooling: str = "half_pixel"
    camera: tuple[float, float] | None = None
    vertex_colors: bool = False
    placement: str = "template"
    starts_still: bool = False
    sees_view: bool = False
    anchor: bool = False
    decoder: nn.Module | None = None
    rematerialize: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, batch: Batch, template: Template, train: bool) -> Outputs:
        """Meshes of all stages, coarse to fine; a stage per level of the template."""
        image, maps = encode_image(self, batch, train)
        intrinsics = self._intrinsics(batch)
        depth_map = batch.depth if "depth" in self.inputs else 0 * batch.mask
        looked_at = depth_map, batch.mask, intrinsics
        asked = self.sees_view or self.anchor
        view = view_features.make_view(*looked_at) if asked else None
        origin, vertices = self._start(template, looked_at)
        hidden, meshes = None, []
        for stage, (coarse, fine) in enumerate(cascade.stages(template)):
            sample = perceptual.sampler(
                vertices, intrinsics, image.shape[1:3], self.pooling
            )
            seen = [perceptual.Unsampled(x, sample, len(vertices)) for x in maps]
            if self.sees_view:
                seen.append(view_features.features(vertices, coarse.faces, view))
            nodes = self._nodes(vertices - origin, seen, hidden)
            unpool = graph.unpooling(coarse, fine)
            rest = vertices if unpool is None else unpool(vertices)
            level = graph.mesh_graph(fine)
            name = f"stage{stage + 1}"
            hidden = GraphResNet(
                self.hidden_features,
                self.num_blocks,
                self.operator,
                self.dtype,
                self.residual,
                self.rematerialize,
                name=name,
            )(level, nodes, unpool).nodes
            last = stage == len(template.levels) - 1
            predicted = self._predict(level, hidden, last, name)
            base = origin if self.prediction == "positions" else rest
            vertices = base + predicted[..., :3]
            if self.anchor:
                vertices = view_features.anchored(vertices, predicted[..., -1], view)
            painted = jax.nn.sigmoid(predicted[..., 3:6])
            colors = painted if self.vertex_colors else None
            meshes.append(cascade.stage_mesh(vertices, rest, fine, colors))
        images = {} if self.decoder is None else self._decode(maps)
        return Outputs(meshes=tuple(meshes), **images)

    def _start(self, template, looked_at):
        """Where coordinates begin, (1, B or 1, 3), and the first vertices."""
        if self.placement == "view":
            return view_features.placed(template.vertices, *looked_at)
        origin = jnp.array(self.origin)[None, None]
        return origin, cascade.start(template, len(looked_at[0]))

    def _intrinsics(self, batch):
        if self.camera is None:
            return batch.intrinsics
        focal_length, center = self.camera
        fixed = camera.pinhole(focal_length, center, center)
        return jnp.broadcast_to(fixed, batch.intrinsics.shape)

    def _nodes(self, coordinates, seen, hidden):
        """Input of a stage; there are no hidden features before the first one."""
        parts = [coordinates.astype(self.dtype), *seen]
        if hidden is None:
            return parts
        if self.coordinates == "first_stage":
            parts = seen
        return [*parts, hidden]

    def _decode(self, maps):
        """The fields of `Outputs` that the decoder fills."""
        image = self.decoder(maps).astype(jnp.float32)
        channels = split_channels(image, self.inputs)
        fields = {"image": channels.get("rgb")}
        if "depth" in channels:
            fields["depth"] = channels["depth"][..., 0]
        return fields

    def _predict(self, level, hidden, last, name):
        """Positions or offsets, then colours and anchor if asked for: (V, B, 3 to 7).

        In float32.
        """
        if last and self.last_features > 0:
            conv = GraphConv(
                self.last_features, self.operator, self.dtype, name=f"{name}_last"
            )
            hidden = nn.relu(conv(level, hidden).nodes)
        conv = GraphConv(
            3 + 3 * self.vertex_colors + self.anchor,
            self.operator,
            jnp.float32,  # bfloat16 would snap the vertices to steps of 2 mm
            nn.initializers.zeros if self.starts_still else None,
            name=f"{name}_out",
        )
        return conv(level, hidden.astype(jnp.float32)).nodes


def imagenet_colors(rgb: Float[Array, "B H W 3"]) -> Float[Array, "B H W 3"]:
    """Colours in [0, 1] as networks that were trained on ImageNet expect them."""
    mean, std = np.float32(IMAGENET_MEAN), np.float32(IMAGENET_STD)
    return (rgb - mean[None, None, None]) / std[None, None, None]


def imagenet_colors_on_black(
    rgb: Float[Array, "B H W 3"], mask: Float[Array, "B H W"]
) -> Float[Array, "B H W 3"]:
    """The same with black instead of white behind the object, as Mesh R-CNN saw it."""
    return imagenet_colors(rgb - (1 - mask)[..., None])


# Of colour on white, and coverage.
COLOR_ENCODINGS = {
    "unit": lambda rgb, mask: rgb,
    "imagenet": lambda rgb, mask: imagenet_colors(rgb),
    "imagenet_black": imagenet_colors_on_black,
}


def encode_image(
    network: nn.Module, batch: Batch, train: bool
) -> tuple[Float[Array, "B H W C"], list[Float[Array, "B _ _ _"]]]:
    """What the encoder of a network sees, and its feature maps.

    Args:
      network: has `encoder`, `inputs`, `depth_encoding`, `color_encoding`, `dtype`.
      batch: with the inputs.
      train: whether batch normalisation averages over the batch.
    """
    image = network_input(
        batch, network.inputs, network.depth_encoding, network.color_encoding
    )
    return image, network.encoder(image.astype(network.dtype), train)


def network_input(
    batch: Batch,
    inputs: tuple[str, ...],
    depth_encoding: str,
    color_encoding: str = "unit",
) -> Float[Array, "B H W C"]:
    """Stacks the asked-for channels: 3 of encoded colour, 1 of encoded depth."""
    encode = jax.vmap(depth.ENCODINGS[depth_encoding])
    channels = {
        "rgb": lambda: COLOR_ENCODINGS[color_encoding](batch.rgb, batch.mask),
        "depth": lambda: encode(batch.depth, batch.mask)[..., None],
    }
    return jnp.concatenate([channels[name]() for name in inputs], axis=-1)


def split_channels(
    stacked: Float[Array, "B H W C"], inputs: tuple[str, ...]
) -> dict[str, Float[Array, "B H W _"]]:
    """The inverse of the stacking in `network_input`: channels by input."""
    ends = list(itertools.accumulate(CHANNELS[name] for name in inputs))
    starts = [0, *ends[:-1]]
    return {
        name: stacked[..., start:end]
        for name, start, end in zip(inputs, starts, ends, strict=True)
    }
