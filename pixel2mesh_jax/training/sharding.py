"""Data parallelism: parameters on every device, batches split among them.

Each of several processes holds its part of every batch.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from pixel2mesh_jax.errors import InputError

AXIS = "data"  # of the device mesh


class Shardings(NamedTuple):
    """Where arrays live.

    Attributes:
      replicated: a copy on every device; state and template.
      split: the first axis divided among the devices; batches.
    """

    replicated: NamedSharding
    split: NamedSharding


def make_shardings(batch_size: int) -> Shardings:
    """Shardings over all devices of all processes.

    Raises:
      InputError: the devices cannot share the batch equally.
    """
    count = jax.device_count()
    if batch_size % count:
        raise InputError(
            f"batch_size {batch_size} cannot be split among {count} devices; "
            f"choose a multiple of {count}."
        )
    # Auto, not JAX's default Explicit: scatters (the gradient of gathers) would need
    # an output sharding each.
    mesh = jax.make_mesh((count,), (AXIS,), axis_types=(AxisType.Auto,))
    return Shardings(
        NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(AXIS))
    )


def by_device(function: Callable, shardings: Shardings) -> Callable:
    """Averages `function(same, batch, *same)` over the devices, each with its examples.

    The compiler, left alone, exchanges a gradient wherever it arises, for the scanned
    blocks of a network in every iteration. Here the sum over all devices comes once, at
    the end.
    """
    same, split = shardings.replicated.spec, shardings.split.spec

    def averaged(first, batch, *rest):
        return jax.lax.pmean(function(first, batch, *rest), AXIS)

    def spread(first, batch, *rest):
        return jax.shard_map(
            averaged,
            mesh=shardings.split.mesh,
            in_specs=(same, split, *(same for _ in rest)),
            out_specs=same,
            check_vma=False,  # it would sum the gradients inside the loops again
        )(first, batch, *rest)

    return spread


def put_batch(batch, shardings: Shardings):
    """Puts the part of a batch that this process holds on its devices."""
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(
            shardings.split, np.asarray(x)
        ),
        batch,
    )
