"""One primitive under every mesh operator: a static weighted gather.

A sparse matrix with few entries per row is two tables, `indices` and `weights`. Its
transpose is again such a pair, known when the mesh is built, so the backward pass is a
gather too. XLA would differentiate the gather into a scatter, which on a CPU is ten to
fifty times slower (`python -m benchmarks.run aggregation`).
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from pixel2mesh_jax.structures import Array, MeshTopology

# Columns of a table that are written out one by one: XLA makes one pass over the rows
# of them. Of more, as the 14 of voxel meshes, it keeps every column in memory on a CPU:
# three convolutions of 4 x 2048 vertices took 25 instead of 7 ms.
MAX_UNROLLED = 8


@jax.custom_vjp
def weighted_gather(
    x: Float[Array, " M *features"],
    indices: Int[Array, "N K"],
    weights: Float[Array, "N K"],
    adjoint_indices: Int[Array, "M L"],
    adjoint_weights: Float[Array, "M L"],
) -> Float[Array, " N *features"]:
    """Rows `y[n] = sum_k weights[n, k] * x[indices[n, k]]`.

    Args:
      x: one row per vertex (or edge).
      indices: absolute row numbers of `x`; padding points anywhere with weight 0.
      weights: the entries of the matrix; not differentiated.
      adjoint_indices: the transposed matrix in the same form, used for the gradient.
      adjoint_weights: its entries.
    """
    del adjoint_indices, adjoint_weights
    return _gather(x, indices, weights)


def _gather(x, indices, weights):
    # Column by column: one [N, K, features] array is 30 times slower.
    ones, width = (1,) * (x.ndim - 1), indices.shape[1]
    weights = jnp.asarray(weights, x.dtype)

    def with_column(k, total, indices):
        return total + weights[:, k].reshape(-1, *ones) * rows(x, indices[:, k])

    if width > MAX_UNROLLED:
        step = functools.partial(with_column, indices=jnp.asarray(indices))
        zeros = jnp.zeros((len(indices), *x.shape[1:]), x.dtype)
        return jax.lax.fori_loop(0, width, step, zeros)
    total = 0
    for k in range(width):
        total = with_column(k, total, indices)
    return total


def rows(
    x: Float[Array, " M *features"], indices: Int[Array, " N"]
) -> Float[Array, " N *features"]:
    """`x[indices]` for indices from 0 to M - 1.

    JAX's own indexing also wraps negative indices and fills in for others. XLA clamps
    what is out of bounds, for example the cell of a position that is not a number.
    """
    at = jnp.asarray(x).at[indices]
    return at.get(mode="promise_in_bounds", wrap_negative_indices=False)


def _forward(x, indices, weights, adjoint_indices, adjoint_weights):
    return _gather(x, indices, weights), (adjoint_indices, adjoint_weights)


def _backward(adjoint, cotangent):
    return _gather(cotangent, *adjoint), None, None, None, None


weighted_gather.defvjp(_forward, _backward)


def edge_midpoints(
    x: Float[Array, " V *features"], topology: MeshTopology
) -> Float[Array, " E *features"]:
    """Mean of the two end points of every edge."""
    half = jnp.full(topology.edges.shape, 0.5)
    adjoint_weights = 0.5 * topology.neighbor_mask
    return weighted_gather(
        x, topology.edges, half, topology.incident_edges, adjoint_weights
    )


def edge_vectors(
    x: Float[Array, " V *features"], topology: MeshTopology
) -> Float[Array, " E *features"]:
    """First minus second end point of every edge."""
    signs = jnp.broadcast_to(jnp.array([1.0, -1.0]), topology.edges.shape)
    return weighted_gather(
        x,
        topology.edges,
        signs,
        topology.incident_edges,
        topology.incident_signs,
    )


def neighbor_mean(
    x: Float[Array, " V *features"], topology: MeshTopology
) -> Float[Array, " V *features"]:
    """Mean over the one-ring of every vertex; 0 where there is none (padding)."""
    degree = jnp.maximum(topology.neighbor_mask.sum(axis=1), 1)
    weights = topology.neighbor_mask / degree[:, None]
    adjoint_weights = topology.neighbor_mask / degree[topology.neighbors]
    neighbors = topology.neighbors
    return weighted_gather(x, neighbors, weights, neighbors, adjoint_weights)
