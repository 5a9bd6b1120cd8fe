"""Neighbour aggregation on the finest mesh, forward and backward.

Floor: 2466 x 192 x 4 bytes read and written once is 3.8 MB per mesh and pass.
"""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
from jax.experimental import sparse

from benchmarks.programs import check_equal, compile_program, with_gradient
from benchmarks.timing import Case
from pixel2mesh_jax.geometry import graph, templates

CHANNELS = 192
BATCH_SIZES = (1, 4, 32)
OPERATOR = "chebyshev"
GOAL = 10  # against jraph.GraphNetwork, at the batch size of the goal
GOAL_BATCH = 4
NETWORK = "jraph.GraphNetwork"  # by segment_sum


def cases() -> Iterator[Case]:
    """Padded gather with a custom gradient against three other ways."""
    level = jax.tree.map(jnp.asarray, templates.ellipsoid().levels[-1])
    mesh = graph.mesh_graph(level)
    dense = _dense(mesh)
    for batch in BATCH_SIZES:
        shape = (len(dense), batch, CHANNELS)
        nodes, cotangent = jax.random.normal(jax.random.key(0), (2, *shape))
        ours = _program(lambda x: graph.aggregate(mesh, x, OPERATOR), nodes, cotangent)
        for name, function in _alternatives(mesh, dense).items():
            other = _program(function, nodes, cotangent)
            yield Case(
                f"aggregate 2466 x {CHANNELS}, batch {batch}",
                ours.run,
                other.run,
                name,
                check_equal(ours.run, other.run),
                goal=GOAL if (name, batch) == (NETWORK, GOAL_BATCH) else None,
            )


def _program(function, nodes, cotangent):
    return compile_program(with_gradient(function), cotangent, nodes)


def _alternatives(mesh, dense) -> dict[str, Callable]:
    rows = sparse.BCSR.fromdense(dense)
    flat = lambda x: x.reshape(len(x), -1)  # noqa: E731
    return {
        NETWORK: lambda x: graph.aggregate_by_network(mesh, x, OPERATOR),
        "BCSR": lambda x: (rows @ flat(x)).reshape(x.shape),
        "dense matrix": lambda x: (dense @ flat(x)).reshape(x.shape),
    }


def _dense(mesh):
    count = int(mesh.n_node[0])
    matrix = jnp.zeros((count, count))
    return matrix.at[mesh.receivers, mesh.senders].add(mesh.edges[OPERATOR])
