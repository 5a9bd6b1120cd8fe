"""Several processes, on one host or on many, that work as one.

`join_processes` comes before anything else. Work on the host is done by each process
for itself, without any exchange; what came out, or what went wrong, is gathered at the
end.
"""

import json
import os
from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils

from pixel2mesh_jax.errors import InputError

# Where JAX does not know the launcher; it reads the address itself. The others are
# named after the arguments of `jax.distributed.initialize`, as Kubeflow sets them.
ADDRESS = "JAX_COORDINATOR_ADDRESS"  # host:port of process 0
PROCESS_COUNT = "JAX_NUM_PROCESSES"
PROCESS_ID = "JAX_PROCESS_ID"


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


def gather_rows(make_rows: Callable[[], list]) -> list:
    """The rows of all processes, in their order; all processes have to call it.

    An error of one process ends all of them, with its words.

    Args:
      make_rows: of this process; plain values that JSON can hold.

    Raises:
      RuntimeError: another process has failed.
    """
    if jax.process_count() == 1:
        return make_rows()
    rows, error = [], None
    try:
        rows = make_rows()
    except Exception as raised:  # told to the others before it goes on its way
        error = raised
    said = None if error is None else f"{type(error).__name__}: {error}"
    answers = _exchange({"rows": rows, "error": said})
    if error is not None:
        raise error
    for number, answer in enumerate(answers):
        if answer["error"] is not None:
            raise RuntimeError(f"Process {number} failed: {answer['error']}")
    return [row for answer in answers for row in answer["rows"]]


def _exchange(message: dict) -> list[dict]:
    """What every process says, as JSON in arrays of one length."""
    text = np.frombuffer(json.dumps(message).encode(), np.uint8)
    lengths = multihost_utils.process_allgather(np.asarray(len(text)))
    padded = np.zeros(int(np.max(lengths)), np.uint8)
    padded[: len(text)] = text
    answers = multihost_utils.process_allgather(padded)
    return [
        json.loads(answer[:length].tobytes())
        for answer, length in zip(answers, np.ravel(lengths), strict=True)
    ]


def _number(name):
    """A number of the environment, None if it is not there."""
    text = os.environ.get(name)
    if text is not None and not text.isdigit():
        raise InputError(f"{name} is {text!r}; expected a number.")
    return None if text is None else int(text)
