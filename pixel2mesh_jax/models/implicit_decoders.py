"""From the features of a point to its signed distance and its colour.

The features enter at the first layer and once more in the middle, all layers are weight
normalised. Published are two networks, and what the report says of the first one:

name     layers  activation  distance    colour
report   2 + 3   ReLU        tanh        sigmoid, both of the last hidden features
code     2 + 3   SiLU        tanh        the same: the program of the report
head     3 + 3   SiLU        0.5 + tanh  0.5 + 0.6 tanh, of one more layer that sees the
                                         hidden features, the distance, the features

Source: seed 004, section 3.2; AlexSheldrick/MFPRN, `SimpleNetwork`, `DeepSDFDecoder`.
"""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.models.implicit_layers import NormedDense
from pixel2mesh_jax.structures import Array

Field = tuple[Float[Array, "B N"], Float[Array, "B N 3"] | None]


class Decoder(nn.Module):
    """The decoder of the report.

    Attributes:
      hidden: features of every layer.
      activation: after every layer but the heads.
      has_colors: whether there is a head for colours.
      dtype: of the computation; parameters and results are float32.
    """

    hidden: int = 512
    activation: Callable = nn.relu
    has_colors: bool = True
    dtype: DTypeLike = jnp.float32
    layers: tuple[int, int] = (2, 3)

    @nn.compact
    def __call__(self, features: Float[Array, "B N C"]) -> Field:
        """Signed distances in sides of the cube, and colours in [0, 1]."""
        x = self._hidden(features)
        distances = jnp.tanh(self._head(1, "distance")(x))[..., 0]
        if not self.has_colors:
            return distances, None
        return distances, nn.sigmoid(self._head(3, "color")(x))

    def _hidden(self, features):
        x, before = features, self.layers[0]
        for number in range(sum(self.layers)):
            if number == before:
                x = jnp.concatenate([x, features.astype(x.dtype)], axis=-1)
            layer = NormedDense(self.hidden, self.dtype, name=f"layer{number + 1}")
            x = self.activation(layer(x))
        return x

    def _head(self, count, name):
        layer = NormedDense(count, self.dtype, name=name)
        return lambda x: layer(x).astype(jnp.float32)


class HeadDecoder(Decoder):
    """The decoder of the last state of the public code."""

    activation: Callable = nn.silu
    layers: tuple[int, int] = (3, 3)

    @nn.compact
    def __call__(self, features: Float[Array, "B N C"]) -> Field:
        """Signed distances in sides of the cube, and colours."""
        x = self._hidden(features)
        distances = 0.5 + jnp.tanh(self._head(1, "distance")(x))
        if not self.has_colors:
            return distances[..., 0], None
        seen = [x, distances.astype(x.dtype), features.astype(x.dtype)]
        last = NormedDense(self.hidden, self.dtype, name="color_layer")
        y = self.activation(last(jnp.concatenate(seen, axis=-1)))
        return distances[..., 0], 0.5 + 0.6 * jnp.tanh(self._head(3, "color")(y))
