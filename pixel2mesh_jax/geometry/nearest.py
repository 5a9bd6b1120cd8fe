"""Nearest neighbours without an N x M array.

The points of `b` stream past all points of `a`; only the best distance and its index
are kept, elementwise over `a`. Against `argmin` over the full distance matrix this was
20 times faster on a 2-core CPU (batch 4, 2466 x 3000: 3.3 ms instead of 69 ms) and it
needs no temporary larger than `a`. Differences are formed directly: the expanded form
|a|^2 + |b|^2 - 2ab picks wrong neighbours in float32 (ARCHITECTURE decision 10).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from pixel2mesh_jax.structures import Array

# Points of `b` per loop iteration, unrolled into one fused kernel.
BLOCK = 32


def nearest_index(a: Float[Array, "N D"], b: Float[Array, "M D"]) -> Int[Array, " N"]:
    """Row of `b` that is nearest to each row of `a`; the first of equals.

    The choice is not differentiable: gather with the index and compute the distance
    again to get the gradient of a chamfer distance.
    """
    a, b = jax.lax.stop_gradient((jnp.asarray(a), jnp.asarray(b)))
    block = min(BLOCK, len(b))
    missing = -len(b) % block
    blocks = jnp.pad(b, ((0, missing), (0, 0)), constant_values=jnp.inf)
    blocks = blocks.reshape(-1, block, b.shape[1])
    columns = tuple(a.T)

    def visit(i, best):
        for k in range(block):
            distance = _squared_distance(columns, blocks[i, k])
            closer = distance < best[0]
            best = (
                jnp.where(closer, distance, best[0]),
                jnp.where(closer, i * block + k, best[1]),
            )
        return best

    nothing = jnp.full(len(a), jnp.inf, a.dtype), jnp.zeros(len(a), jnp.int32)
    return jax.lax.fori_loop(0, len(blocks), visit, nothing)[1]


def _squared_distance(columns, point):
    return sum((column - x) ** 2 for column, x in zip(columns, point, strict=True))
