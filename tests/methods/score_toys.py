"""Scores untrained toy methods, in one process or as one of several.

python -m tests.methods.score_toys [NUMBER OF THE PROCESS THAT FAILS]
"""

import json
import os
import sys

import jax
from rich.console import Console

from pixel2mesh_jax import methods, processes
from pixel2mesh_jax.evaluation import evaluate
from pixel2mesh_jax.training import state as states
from tests.methods.houses import BATCH, TOYS, batch_of, config_of

NUM_BATCHES = 3  # no multiple of two processes
FAILURE = "the disk of this process is full"


def score(name, failing):
    method = methods.make(config_of(name))
    variables = states.init_variables(method, method.constants, seed=0)
    call = states.Programs(method).bind(variables, method.constants)

    def extract(batch):
        if jax.process_index() == failing:
            raise OSError(FAILURE)
        return method.extract(call, batch)

    return evaluate.evaluate(
        extract,
        [batch_of(method, seed) for seed in range(NUM_BATCHES)],
        categories=("thing",),
        num_examples=NUM_BATCHES * BATCH,
        baselines={"again": lambda batch, row: method.extract(call, batch)[row].mesh},
        protocols=("pixel2mesh", "surface"),
        console=Console(quiet=True),
    )


if __name__ == "__main__":
    if processes.ADDRESS in os.environ:
        processes.join_processes()
    failing = int(sys.argv[1]) if len(sys.argv) > 1 else None
    print(json.dumps({name: score(name, failing) for name in TOYS}))  # noqa: T201
