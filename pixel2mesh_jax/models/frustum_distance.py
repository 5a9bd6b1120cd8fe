"""How far away an object is, from its image alone.

All objects of the data have boxes of one diagonal, so an outline and what it is of say
how far away the object is. The head looks at the two coarsest levels of the U-Net:

    16 x 16, 160 --3x3, stride 2--> 96 --+
     8 x 8,  256 ------------------------+-> 3x3, 96 -> 3x3, 96 (+) -> mean, max
                                                                         |
                                     direction and angle of the object --+-> 128 -> 1

A vector for the whole image and one linear layer, as it was before, is wrong by 6.6 %
on 240 validation views, and by 5.5 % on those that it was trained on.
"""

import functools
from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.structures import Array

# Channels of the convolutions, of a group of their normalisation, and of the vector.
WIDTH, GROUP, HIDDEN = 96, 16, 128
# Metres at which an object of the typical angle (side of its square of rays at z = -1)
# begins, and log of the distance per log of the angle: least squares over 19,918
# training views.
TYPICAL_NEAR, TYPICAL_SIZE = 0.68, 0.5
PER_SIZE = -0.53
# Log of the distance that one unit of the last layer means.
RANGE = 0.3
# Tangents of directions are a tenth of what a network likes.
PER_TANGENT = 10.0


class DistanceHead(nn.Module):
    """Coarse maps of a U-Net -> metres to where the volume of an object begins.

    Attributes:
      dtype: of the convolutions.
    """

    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        coarse: Sequence[Float[Array, "B _ _ _"]],
        placement: Float[Array, "B 5"],
        dropout: float = 0.0,
    ) -> Float[Array, " B"]:
        """Distances.

        Args:
          coarse: the coarsest maps of the U-Net, each half as fine as the one before.
          placement: of the volumes, packed; direction and angle are used.
          dropout: share of the channels that are left out at random.
        """
        drop = functools.partial(nn.Dropout, dropout, deterministic=not dropout)
        maps = [drop(broadcast_dims=(1, 2))(part) for part in coarse]
        finer = [self._convolve(part, stride=2) for part in maps[:-1]]
        x = self._convolve(jnp.concatenate([*finer, maps[-1]], axis=-1))
        x = x + self._convolve(x)
        x, size = x.astype(jnp.float32), jnp.log(placement[:, 2] / TYPICAL_SIZE)
        direction = PER_TANGENT * placement[:, :2]
        place = [size[:, None], direction, jnp.abs(direction[:, :1])]
        x = jnp.concatenate([jnp.mean(x, (1, 2)), jnp.max(x, (1, 2)), *place], axis=-1)
        x = drop()(nn.silu(nn.Dense(HIDDEN)(drop()(x))))
        found = nn.Dense(1, kernel_init=nn.initializers.zeros)(x)[:, 0]
        return TYPICAL_NEAR * jnp.exp(RANGE * found + PER_SIZE * size)

    def _convolve(self, x, stride=1):
        x = nn.Conv(WIDTH, (3, 3), (stride, stride), dtype=self.dtype)(x)
        return nn.silu(nn.GroupNorm(WIDTH // GROUP, dtype=self.dtype)(x))
