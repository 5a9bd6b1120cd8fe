"""Mesh R-CNN's refinement of a fixed sphere: what the RGB-D paper trained.

image -> ResNet-50 -> four maps -+------------------+------------------+
                                 |                  |                  |
sphere 162 ----------------> [refine] -> unpool 642 [refine] -> 2562 [refine] -> mesh

Published as `Pixel2MeshHead` of the ShapeNet model of Mesh R-CNN. Its metre
is a model of unit bounding-box diagonal; here the diagonal is 0.57, so the sphere, the
offsets (at most 1 metre per stage and axis) and the squared distances in the losses
differ from the published ones by that factor. Nothing in the network knows it.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.geometry import camera, graph, pooling
from pixel2mesh_jax.models import cascade, perceptual
from pixel2mesh_jax.models.graph_layers import GraphConv, MeshGraph
from pixel2mesh_jax.models.pixel2mesh import encode_image
from pixel2mesh_jax.structures import Array, Batch, Outputs, Template

# facebookresearch/meshrcnn: initialisation of all layers but the last, which is zero.
KERNEL_INIT = nn.initializers.normal(0.01)

# How the maps are sampled; `align_corners_zeros` is published.
POOLINGS = {
    "align_corners_zeros": pooling.align_corners_zeros,
    "half_pixel": pooling.half_pixel,
}


class MeshRefinement(nn.Module):
    """An image encoder and the refinement of a template by its features.

    Attributes:
      encoder: image to feature maps, one of `models/encoders.py`.
      head: moves the vertices.
      inputs: which channels the encoder sees: "rgb", "depth" or both.
      depth_encoding: one of `geometry.depth.ENCODINGS`.
      color_encoding: one of `pixel2mesh.COLOR_ENCODINGS`.
      dtype: of the encoder; parameters are float32.
    """

    encoder: nn.Module
    head: "RefinementHead"
    inputs: tuple[str, ...] = ("rgb", "depth")
    depth_encoding: str = "disparity"
    color_encoding: str = "unit"
    dtype: DTypeLike = jnp.float32

    def __call__(self, batch: Batch, template: Template, train: bool) -> Outputs:
        """Meshes after each stage, coarse to fine."""
        image, maps = encode_image(self, batch, train)
        return self.head(maps, template, batch.intrinsics, image.shape[1:3])


class Refinement(nn.Module):
    """What a stage of a few graph convolutions and a head of such stages share.

    Attributes:
      features: channels of the aligned image features and of all hidden layers.
      num_convs: graph convolutions per stage; with `residual`, blocks of two.
      residual: residual blocks, as the papers print it, instead of the plain
        convolutions that were released.
      pooling: one of `POOLINGS`; `align_corners_zeros` is published.
      dtype: of the computation; parameters, positions and offsets are float32.
    """

    features: int = 128
    num_convs: int = 3
    residual: bool = False
    pooling: str = "align_corners_zeros"
    dtype: DTypeLike = jnp.float32

    def stage(self, number: int, kind: Callable[..., nn.Module]) -> nn.Module:
        """The stage of a head with this number, from 1; `kind` makes it."""
        return kind(
            features=self.features,
            num_convs=self.num_convs,
            residual=self.residual,
            pooling=self.pooling,
            dtype=self.dtype,
            name=f"stage{number}",
        )


class RefinementHead(Refinement):
    """Deforms a template in stages.

    Attributes: as in `Refinement`.
    """

    @nn.compact
    def __call__(
        self,
        maps: list[Float[Array, "B _ _ _"]],
        template: Template,
        intrinsics: Float[Array, "B 3 3"],
        image_shape: tuple[int, int],
    ) -> Outputs:
        """Meshes after each stage, one stage per level of the template.

        Args:
          maps: feature maps of the image.
          template: where the first stage starts.
          intrinsics: pinhole matrix in pixels of the image.
          image_shape: its height and width in pixels.
        """
        vertices = cascade.start(template, len(intrinsics))
        hidden, meshes = None, []
        for number, (coarse, fine) in enumerate(cascade.stages(template), start=1):
            unpool = graph.unpooling(coarse, fine)
            if unpool is not None:
                vertices, hidden = unpool(vertices), unpool(hidden)
            refine = self.stage(number, RefinementStage)
            ndc = project(vertices, intrinsics, image_shape)
            level = graph.mesh_graph(fine)
            offset, hidden = refine(level, ndc, hidden, maps, image_shape)
            meshes.append(cascade.stage_mesh(vertices + offset, vertices, fine))
            vertices = vertices + offset
        return Outputs(meshes=tuple(meshes))


class RefinementStage(Refinement):
    """Moves every vertex by what the image and its neighbours say.

    Attributes: as in `Refinement`.
    """

    @nn.compact
    def __call__(
        self,
        level: MeshGraph,
        ndc: Float[Array, "V B 3"],
        hidden: Float[Array, "V B C"] | None,
        maps: list[Float[Array, "B _ _ _"]],
        image_shape: tuple[int, int],
        told: Float[Array, "V B K"] | None = None,
    ) -> tuple[Float[Array, "V B 3"], Float[Array, "V B {self.features}"]]:
        """Offsets in metres, inside (-1, 1), and the hidden features.

        Args:
          level: connectivity.
          ndc: where the vertices project, see `camera.project_ndc`; they stay there
            for the whole stage.
          hidden: features of the previous stage on this level, if there was one.
          maps: feature maps of the image.
          image_shape: height and width of the image in pixels.
          told: what else is known of the vertices where they project.
        """
        align = VertexAlignment(self.features, self.pooling, self.dtype, name="align")
        seen = align(maps, ndc, image_shape)
        known = ndc if told is None else jnp.concatenate([ndc, told], axis=-1)
        position = known.astype(self.dtype)
        previous = [] if hidden is None else [hidden]
        if self.residual:
            nodes = jnp.concatenate([seen, position, *previous], axis=-1)
            offset, hidden = self._residual_blocks(level, nodes)
        else:
            nodes = jnp.concatenate([nn.relu(seen), position, *previous], axis=-1)
            offset, hidden = self._plain_convolutions(level, nodes, position)
        return jnp.tanh(offset.astype(jnp.float32)), hidden

    def _plain_convolutions(self, level, nodes, position):
        for index in range(self.num_convs):
            conv = self._conv(self.features, name=f"conv{index + 1}")
            hidden = nn.relu(conv(level, nodes).nodes)
            nodes = jnp.concatenate([hidden, position], axis=-1)
        zeros = nn.initializers.zeros
        offset = nn.Dense(3, kernel_init=zeros, dtype=self.dtype, name="offset")
        return offset(nodes), hidden

    def _residual_blocks(self, level, hidden):
        for index in range(self.num_convs):
            name = f"block{index + 1}"
            shortcut = hidden
            if hidden.shape[-1] != self.features:
                linear = functools.partial(nn.Dense, kernel_init=KERNEL_INIT)
                shortcut = linear(
                    self.features, dtype=self.dtype, name=f"{name}_shortcut"
                )(hidden)
            for half in (1, 2):
                conv = self._conv(self.features, name=f"{name}_conv{half}")
                hidden = conv(level, nn.relu(hidden)).nodes
            hidden = hidden + shortcut
        last = self._conv(3, name="offset", kernel_init=nn.initializers.zeros)
        return last(level, hidden).nodes, hidden

    def _conv(self, features, name, kernel_init: Callable = KERNEL_INIT):
        return GraphConv(
            features, "sum", self.dtype, kernel_init=kernel_init, name=name
        )


class VertexAlignment(nn.Module):
    """A linear layer on all feature maps, sampled where the vertices project.

    Each map is multiplied before or after it is sampled, see `perceptual.py`: for 2562
    vertices all maps of a ResNet-50 at 137 pixels before, 128 channels to sample
    instead of 3840.

    Attributes:
      features: output channels.
      pooling: one of `POOLINGS`.
      dtype: of the computation.
    """

    features: int
    pooling: str
    dtype: DTypeLike

    @nn.compact
    def __call__(
        self,
        maps: list[Float[Array, "B _ _ _"]],
        ndc: Float[Array, "V B 3"],
        image_shape: tuple[int, int],
    ) -> Float[Array, "V B {self.features}"]:
        to_pixels = functools.partial(camera.pixels_from_ndc, image_shape=image_shape)
        pixels = jax.vmap(to_pixels, in_axes=1)(ndc)
        sample = perceptual.pixel_sampler(pixels, image_shape, POOLINGS[self.pooling])
        parts = [perceptual.Unsampled(x, sample, len(ndc)) for x in maps]
        shape = (perceptual.num_features(parts), self.features)
        kernel = self.param("kernel", KERNEL_INIT, shape).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return perceptual.multiply(parts, kernel) + bias.astype(self.dtype)[None, None]


def project(
    vertices: Float[Array, "V B 3"],
    intrinsics: Float[Array, "B 3 3"],
    image_shape: tuple[int, int],
) -> Float[Array, "V B 3"]:
    """Device coordinates of every vertex in the camera of its sample."""
    ndc = functools.partial(camera.project_ndc, image_shape=image_shape)
    return jax.vmap(ndc, in_axes=(1, 0), out_axes=1)(vertices, intrinsics)
