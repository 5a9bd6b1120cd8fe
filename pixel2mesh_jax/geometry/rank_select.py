"""Rank and select: numbers of the true places of a mask, and the places of numbers.

The rows of the mask (its last axis) are packed into words of 32 bits, whose counts are
added up; what remains happens inside of words, by counting bits. `jax.numpy.nonzero`
scatters every place instead, which takes ten times as long on a CPU.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Int, UInt32

from pixel2mesh_jax.structures import Array

WORD = 32  # bits


def rank(mask: Bool[Array, " *shape"]) -> Int[Array, " *shape"]:
    """How many places are true before each place, in the order of the flat array."""
    words, counts = _packed(mask)
    before = jnp.cumsum(counts) - counts
    lower = (jnp.uint32(1) << _lanes()) - jnp.uint32(1)
    within = _count(words[:, None] & lower[None])
    rows = (before[:, None] + within).reshape(*mask.shape[:-1], -1)
    return rows[..., : mask.shape[-1]]


def select(
    masks: Sequence[Bool[Array, " *shape"]], size: int
) -> tuple[Int[Array, " {size}"], Int[Array, " {size}"], Bool[Array, " {size}"]]:
    """The first true places of masks that stand one behind the other.

    Args:
      masks: of one shape.
      size: of the results, static.

    Returns:
      The number of the mask, the flat place in it, and whether there are so many true
      places; where not, mask and place are 0.
    """
    packed = [_packed(mask) for mask in masks]
    words, counts = (jnp.concatenate(parts) for parts in zip(*packed, strict=True))
    ends = jnp.cumsum(counts)
    number = jnp.arange(size, dtype=jnp.int32)
    exists = number < ends[-1]
    word = jnp.searchsorted(ends, number, side="right").astype(jnp.int32)
    word = jnp.where(exists, word, 0)
    bit = _bit(words[word], number - (ends[word] - counts[word]))
    width = masks[0].shape[-1]
    mask, word = jnp.divmod(word, len(packed[0][0]))
    row, word = jnp.divmod(word, -(-width // WORD))
    place = row * width + word * WORD + bit
    return mask, jnp.where(exists, place, 0), exists


def _packed(mask) -> tuple[UInt32[Array, " W"], Int[Array, " W"]]:
    """Words of all rows, the first place in the lowest bit, and their counts."""
    space = [(0, 0)] * (mask.ndim - 1) + [(0, -mask.shape[-1] % WORD)]
    bits = jnp.pad(mask, space).reshape(-1, WORD).astype(jnp.uint32)
    bits = bits << _lanes()[None]
    words = jnp.sum(bits, axis=1, dtype=jnp.uint32)
    return words, _count(words)


def _bit(word, number):
    """Place of the set bit of that number, from 0, by halving the word."""
    place = jnp.zeros_like(number)
    for half in (16, 8, 4, 2, 1):
        low = _count(word & jnp.uint32((1 << half) - 1))
        above = number >= low
        number = jnp.where(above, number - low, number)
        word = jnp.where(above, word >> half, word)
        place = jnp.where(above, place + half, place)
    return place


def _count(words):
    return jax.lax.population_count(words).astype(jnp.int32)


def _lanes():
    return jnp.arange(WORD, dtype=jnp.uint32)
