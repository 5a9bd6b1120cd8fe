"""Graph convolutions and the residual stack of Pixel2Mesh, on mesh graphs.

A graph is any `GraphsTuple` of jraph with weights for the operator, see
`geometry/graph.py`; its nodes are (V, B, C). The parameters do not depend on whether a
graph has a table, nor does the result.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.geometry import graph as graphs
from pixel2mesh_jax.models import perceptual
from pixel2mesh_jax.structures import Array

MEAN_DEGREE = 6  # of a large closed triangle mesh, by Euler's formula

MeshGraph = Any  # a jraph.GraphsTuple; jraph is known to geometry/graph.py only
Unpool = Callable[[Array], Array]


class GraphConv(nn.Module):
    """One graph convolution.

    `chebyshev` (released Pixel2Mesh):    Y = X W0 + T1 X W1 + b
    `sum` (the papers, Mesh R-CNN):       Y = X W0 + b0 + A (X W1 + b1)
    `gcn` (Kipf and Welling 2017):        Y = G X W1 + b, G the normalised adjacency

    The matrices T1, A and G are weights of the edges; graphs side by side in one
    (`jraph.batch`), with padding, are convolved each for itself.

    Attributes:
      features: output channels.
      operator: one of `geometry.graph.OPERATORS`.
      dtype: of the computation; parameters are float32.
      kernel_init: of both matrices; by default Glorot, scaled for `sum`,
        He for `gcn`.
    """

    features: int
    operator: str = "chebyshev"
    dtype: DTypeLike = jnp.float32
    kernel_init: Callable | None = None

    @nn.compact
    def __call__(
        self,
        graph: MeshGraph,
        nodes: Float[Array, "_ B C"] | perceptual.Parts,
        unpool: Unpool | None = None,
    ) -> MeshGraph:
        """Returns `graph` with the convolved node features.

        Neighbours are aggregated where there are fewer numbers: before the matrices
        are applied, or after them if these make a vertex narrower or `unpool` is given.

        Args:
          graph: connectivity of the level of the result.
          nodes: input features, on this level; or on the coarser one if `unpool` is
            given. Unpooling commutes with the two linear maps, which are therefore
            applied to the fewer coarse rows. Features in parts stand for their
            concatenation.
          unpool: carries node features from the coarser level to this one.
        """
        parts = nodes if isinstance(nodes, list) else [nodes.astype(self.dtype)]
        own, neighbor = self._kernels(perceptual.num_features(parts))
        narrow = len(neighbor) <= self.features
        if narrow and unpool is None and len(parts) == 1:
            mixed = graphs.convolve(graph, parts[0], own, neighbor, self.operator)
        else:
            multiply = functools.partial(perceptual.multiply, parts)
            mixed = graphs.convolve_products(
                graph, multiply, own, neighbor, self.operator, unpool
            )
        if self.operator == "sum":
            ones = jnp.ones((len(mixed), 1, 1), self.dtype)
            degree = graphs.aggregate(graph, ones, self.operator)
            mixed = mixed + degree * self._bias("neighbor_bias")
        return graph._replace(nodes=mixed + self._bias("bias"))

    def _kernels(self, num_features):
        """W0, None for `gcn`, and W1."""
        shape = (num_features, self.features)
        if self.operator == "gcn":
            init = self.kernel_init or nn.initializers.he_normal()
            return None, self.param("neighbor", init, shape).astype(self.dtype)
        glorot = nn.initializers.glorot_uniform()
        neighbor_init = _mean_of_neighbors if self.operator == "sum" else glorot
        own = self.param("own", self.kernel_init or glorot, shape)
        neighbor = self.param("neighbor", self.kernel_init or neighbor_init, shape)
        return own.astype(self.dtype), neighbor.astype(self.dtype)

    def _bias(self, name):
        bias = self.param(name, nn.initializers.zeros, (self.features,))
        return bias.astype(self.dtype)[None, None]


def _mean_of_neighbors(key, shape, dtype=jnp.float32):
    """Glorot over the mean degree: a sum over neighbours starts as their mean.

    Plain Glorot multiplies the signal by about the degree in every layer, which
    overflows float32 in the backward pass of the 43 layers.
    """
    return nn.initializers.glorot_uniform()(key, shape, dtype) / MEAN_DEGREE


class GraphResBlock(nn.Module):
    """h -> (h + relu(conv(relu(conv(h))))) / 2, without a ReLU after the mean.

    Attributes:
      operator: one of `geometry.graph.OPERATORS`.
      dtype: of the computation.
      residual: False leaves the shortcut out, h -> relu(conv(relu(conv(h)))).
    """

    operator: str
    dtype: DTypeLike
    residual: bool = True

    @nn.compact
    def __call__(self, hidden: Float[Array, "V B C"], graph: MeshGraph):
        features = hidden.shape[-1]
        conv1 = GraphConv(features, self.operator, self.dtype, name="conv1")
        conv2 = GraphConv(features, self.operator, self.dtype, name="conv2")
        y = nn.relu(conv1(graph, hidden).nodes)
        y = nn.relu(conv2(graph, y).nodes)
        return ((hidden + y) * 0.5 if self.residual else y), None


def block_stack(
    block: type[nn.Module], num_blocks: int, rematerialize: bool
) -> Callable[..., nn.Module]:
    """A module like `block` that is `num_blocks` of them, one after the other.

    The parameters of the blocks are stacked on a leading axis and the blocks run in a
    loop: one block is compiled instead of `num_blocks`, and XLA cannot recompute the
    gathers of earlier blocks inside later ones (on a 2-core CPU, 12 convolutions of
    64 channels at batch 4 fell from 75 to 13 ms).

    Args:
      block: maps (hidden, graph) to (hidden, None).
      num_blocks: how many.
      rematerialize: keep only what enters a block for the backward pass, and compute
        the rest again there: less memory, more time.
    """
    if rematerialize:
        # The loop keeps XLA from undoing it; no further barrier is needed.
        block = nn.remat(block, prevent_cse=False)
    return nn.scan(
        block,
        variable_axes={"params": 0},
        split_rngs={"params": True},
        in_axes=nn.broadcast,
        length=num_blocks,
    )


class GraphResNet(nn.Module):
    """G-ResNet: one convolution to `features` and a stack of residual blocks.

    Attributes:
      features: channels of all hidden layers.
      num_blocks: residual blocks of two convolutions each.
      operator: one of `geometry.graph.OPERATORS`.
      dtype: of the computation.
      residual: False leaves the shortcuts of the blocks out.
      rematerialize: see `block_stack`.
    """

    features: int
    num_blocks: int
    operator: str
    dtype: DTypeLike
    residual: bool = True
    rematerialize: bool = False

    @nn.compact
    def __call__(
        self,
        graph: MeshGraph,
        nodes: Float[Array, "_ B C"] | perceptual.Parts,
        unpool: Unpool | None,
    ) -> MeshGraph:
        """Returns `graph` with hidden features; arguments as in `GraphConv`."""
        conv = GraphConv(self.features, self.operator, self.dtype, name="conv_in")
        hidden = nn.relu(conv(graph, nodes, unpool).nodes)
        stack = block_stack(GraphResBlock, self.num_blocks, self.rematerialize)
        blocks = stack(self.operator, self.dtype, self.residual, name="blocks")
        hidden, _ = blocks(hidden, graph)
        return graph._replace(nodes=hidden)
