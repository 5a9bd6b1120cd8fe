"""Objects that take the process along that builds them, importable by workers."""

import os
import signal
import time

from data_pipelines.building.options import Item, Options
from pixel2mesh_jax.structures import Example


def make_examples(item: Item, options: Options) -> list[Example]:
    """Does what the object's details say: "segfault", "kill", "slow", or nothing."""
    del options
    if item.details == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item.details == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if item.details == "slow":
        time.sleep(0.3)
    return []


def items(**details: str) -> list[Item]:
    """Objects by name."""
    return [
        Item("train", "chair", name, details=what) for name, what in details.items()
    ]
