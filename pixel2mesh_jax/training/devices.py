"""Data parallelism: parameters on every device, batches split among them.

Several processes, on one host or on many, work as one: `join_processes` comes before
anything else, then each process holds its part of every batch.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from pixel2mesh_jax.errors import InputError

AXIS = "data"  # of the device mesh
# Where JAX does not know the launcher; it reads the address itself. The others are
# named after the arguments of `jax.distributed.initialize`, as Kubeflow sets them.
ADDRESS = "JAX_COORDINATOR_ADDRESS"  # host:port of process 0
PROCESS_COUNT = "JAX_NUM_PROCESSES"
PROCESS_ID = "JAX_PROCESS_ID"


class Shardings(NamedTuple):
    """Where arrays live.

    Attributes:
      replicated: a copy on every device; state and template.
      split: the first axis divided among the devices; batches.
    """

    replicated: NamedSharding
    split: NamedSharding


def join_processes() -> None:
    """Makes this process one of several; comes before anything touches a device.

    JAX recognises SLURM, Cloud TPU, GKE and Open MPI by itself. Elsewhere the
    environment has to say where process 0 listens, how many processes there are and
    which one this is.

    Raises:
      InputError: there is no cluster, or the processes did not find each other.
    """
    address = os.environ.get(ADDRESS)
    if address is not None and not address.rpartition(":")[2].isdigit():
        raise InputError(f"{ADDRESS} is {address!r}; expected host:port.")
    count, number = _number(PROCESS_COUNT), _number(PROCESS_ID)
    try:
        jax.distributed.initialize(num_processes=count, process_id=number)
    except (ValueError, RuntimeError) as error:
        cause = str(error).strip().splitlines()[0]
        raise InputError(
            f"The processes of distributed=true cannot be joined: {cause} Start them "
            f"with SLURM, on Cloud TPU or GKE, or set {ADDRESS}=host:port, "
            f"{PROCESS_COUNT} and {PROCESS_ID}."
        ) from error


def is_first_process() -> bool:
    """Whether this is the process that prints and writes; always, if it is alone."""
    return jax.process_index() == 0


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


def put_shared_batch(batch, shardings: Shardings):
    """Splits a batch that every process holds as a whole."""
    return jax.tree.map(
        lambda x: jax.make_array_from_callback(
            np.shape(x), shardings.split, np.asarray(x).__getitem__
        ),
        batch,
    )


def of_first_process(value: float) -> float:
    """The number that the first process gives; all processes have to call it."""
    return float(multihost_utils.broadcast_one_to_all(np.asarray(value)))


def _number(name):
    """A number of the environment, None if it is not there."""
    text = os.environ.get(name)
    if text is not None and not text.isdigit():
        raise InputError(f"{name} is {text!r}; expected a number.")
    return None if text is None else int(text)
