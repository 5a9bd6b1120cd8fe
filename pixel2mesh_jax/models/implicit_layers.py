"""Layers of implicit models: Fourier features and weight normalisation."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.structures import Array

# The collection of what is saved with a network and not learned.
SAVED = "batch_stats"
KERNEL_INIT = nn.initializers.he_normal()


class FourierFeatures(nn.Module):
    """gamma(p) = [sin(2 pi B p), cos(2 pi B p)] with a fixed random matrix B.

    B belongs to the network as much as what it has learned: with another one a
    checkpoint decodes noise, as it does in the public code, which draws it anew. It is
    kept in the collection of statistics, so it is saved, averaged over devices to the
    same values, and never learned.

    Source: seed 004, equation 1; Tancik et al., *Fourier Features Let Networks Learn
    High Frequency Functions in Low Dimensional Domains*, NeurIPS 2020.

    Attributes:
      count: rows of B; 0 returns the coordinates as they are.
      sigma: standard deviation of the entries of B.
    """

    count: int = 256
    sigma: float = 0.8

    @nn.compact
    def __call__(self, positions: Float[Array, "B N 3"]) -> Float[Array, "B N C"]:
        """Two features per row of B: all sines, then all cosines."""
        if not self.count:
            return positions

        def draw():
            key = self.make_rng("params")
            return self.sigma * jax.random.normal(key, (3, self.count))

        matrix = self.variable(SAVED, "matrix", draw).value
        angles = 2 * math.pi * jnp.matmul(positions, matrix, precision="highest")
        return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


class NormedDense(nn.Module):
    """A dense layer with weight normalisation: g v / |v| per output.

    Source: Salimans and Kingma, *Weight Normalization*, NeurIPS 2016.

    Attributes:
      features: outputs.
      dtype: of the computation; parameters are float32.
    """

    features: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*batch C"]) -> Float[Array, "*batch K"]:
        """The products with the normalised kernel, and the bias."""
        kernel, bias = _normed(self, (x.shape[-1], self.features))
        return x.astype(self.dtype) @ kernel + _like(bias, x.ndim)


class NormedConv3D(nn.Module):
    """A 3 x 3 x 3 convolution with weight normalisation, 0 outside.

    Done in two dimensions, with three neighbouring planes as the channels of one: on a
    CPU this is three to twelve times faster than XLA's convolution in three.

    Attributes:
      features: outputs.
      dtype: of the computation; parameters are float32.
    """

    features: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, grid: Float[Array, "B X Y Z C"]) -> Float[Array, "B X Y Z K"]:
        """Of the same size."""
        channels = grid.shape[-1]
        kernel, bias = _normed(self, (3, 3, 3, channels, self.features))
        planes = jnp.pad(grid.astype(self.dtype), ((0, 0), (1, 1), *((0, 0),) * 3))
        batch, depth, *plane = grid.shape[:-1]
        three = [planes[:, i : i + depth] for i in range(3)]
        stack = jnp.concatenate(three, axis=-1).reshape(-1, *plane, 3 * channels)
        found = jax.lax.conv_general_dilated(
            stack,
            jnp.moveaxis(kernel, 0, 2).reshape(3, 3, 3 * channels, -1),
            window_strides=(1, 1),
            padding="SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        found = found.reshape(batch, depth, *plane, self.features)
        return found + _like(bias, grid.ndim)


def _normed(layer, shape):
    """The kernel of unit columns times their scale, and the bias."""
    kernel = layer.param("kernel", KERNEL_INIT, shape)
    axes = tuple(range(len(shape) - 1))
    scale = layer.param("scale", lambda key: jnp.sqrt(jnp.sum(kernel**2, axis=axes)))
    bias = layer.param("bias", nn.initializers.zeros, shape[-1:])
    length = jnp.sqrt(jnp.sum(kernel**2, axis=axes, keepdims=True))
    normed = kernel * (_like(scale, len(shape)) / length)
    return normed.astype(layer.dtype), bias.astype(layer.dtype)


def _like(vector, rank):
    """A vector of features with leading axes of length 1."""
    return vector.reshape((1,) * (rank - 1) + vector.shape)
