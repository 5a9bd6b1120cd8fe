"""Which record stands where: order, shares and limits, computed and never searched.

The training data is one endless stream of examples: epoch after epoch, each a
permutation of all records seeded by (seed, epoch). Batch s holds the examples
[s * batch_size, (s + 1) * batch_size) of that stream, so batches cross epochs, no
example is dropped and a dataset may be smaller than a batch.
"""

import functools

import numpy as np
from jaxtyping import Int

_SEEDS = 2**64  # numpy takes no negative seeds


def record_of(number: int, count: int, seed: int) -> int:
    """Index of the record that is example `number` of the stream of `count` records."""
    epoch, place = divmod(number, count)
    return int(permutation(count, seed, epoch)[place])


@functools.lru_cache(maxsize=4)  # a batch may cross into the next epoch
def permutation(count: int, seed: int, epoch: int) -> Int[np.ndarray, " count"]:
    """The order of an epoch; all permutations are equally likely."""
    sequence = np.random.SeedSequence([seed % _SEEDS, epoch])
    return np.random.default_rng(sequence).permutation(np.arange(count, dtype=np.int32))


def spread(total: int, limit: int | None) -> Int[np.ndarray, " count"]:
    """Indices of `limit` of `total` records, evenly spread; of all if it is None."""
    count = total if limit is None else min(limit, total)
    return -(-np.arange(count, dtype=np.int64) * total // max(count, 1))


def share(
    indices: Int[np.ndarray, " count"], process_index: int, process_count: int
) -> Int[np.ndarray, " share"]:
    """The contiguous part of one process; the parts differ by one index at most."""
    return np.array_split(indices, process_count)[process_index]
