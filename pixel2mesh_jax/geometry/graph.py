"""Meshes as jraph graphs: the only file that knows jraph.

A mesh becomes a `GraphsTuple` in which every vertex receives exactly S = K + 1 edges,
sorted by receiver: itself, its neighbours, and padding of weight 0. So the flat jraph
arrays are the static padded table of shape (V, S), and aggregation is a gather.

Node features are (V, B, C): B meshes of one topology share the node axis.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Float

from pixel2mesh_jax.geometry import gather
from pixel2mesh_jax.structures import Array, MeshTopology, PaddedMesh

OPERATORS = ("chebyshev", "sum", "gcn")


def mesh_graph(
    topology: MeshTopology, nodes: Float[Array, "V B C"] | None = None
) -> jraph.GraphsTuple:
    """The padded graph of one mesh level.

    `graph.edges` holds one weight per edge for each of the `OPERATORS`: `chebyshev`
    is T1 with its diagonal, `sum` the adjacency matrix A, `gcn` the normalised
    D^-1/2 (A + I) D^-1/2 of Kipf and Welling (2017). All are symmetric.
    `senders` and `receivers` are absolute vertex indices.
    """
    num_vertices, width = topology.neighbors.shape
    own = jnp.arange(num_vertices)[:, None]
    senders = jnp.concatenate([own, topology.neighbors], axis=1)
    diagonal = topology.chebyshev_diagonal[:, None]
    no_self_loop = jnp.zeros_like(diagonal)
    chebyshev = jnp.concatenate([diagonal, topology.chebyshev_weights], axis=1)
    adjacency = jnp.concatenate([no_self_loop, topology.neighbor_mask], axis=1)
    loops = jnp.concatenate([no_self_loop + 1, topology.neighbor_mask], axis=1)
    scale = 1 / jnp.sqrt(loops.sum(axis=1))
    gcn = loops * scale[:, None] * scale[senders]
    return jraph.GraphsTuple(
        nodes=nodes,
        edges={
            "chebyshev": chebyshev.ravel(),
            "sum": adjacency.ravel(),
            "gcn": gcn.ravel(),
        },
        senders=senders.ravel(),
        receivers=jnp.repeat(own.ravel(), width + 1),
        globals=None,
        n_node=jnp.array([num_vertices]),
        n_edge=jnp.array([num_vertices * (width + 1)]),
    )


def padded_graph(mesh: PaddedMesh) -> jraph.GraphsTuple:
    """The graph of one mesh of its own topology, with the operator "sum" alone.

    As in `mesh_graph` the flat arrays are a table of one row per vertex. Padding has
    weight 0; it sends from vertex 0, and padded vertices send to nobody.
    """
    num_vertices, width = mesh.neighbors.shape
    return jraph.GraphsTuple(
        nodes=None,
        edges={"sum": mesh.neighbor_mask.ravel()},
        senders=mesh.neighbors.ravel(),
        receivers=jnp.repeat(jnp.arange(num_vertices), width),
        globals=None,
        n_node=jnp.array([num_vertices]),
        n_edge=jnp.array([num_vertices * width]),
    )


def aggregate(
    graph: jraph.GraphsTuple, nodes: Float[Array, "V B C"], operator: str
) -> Float[Array, "V B C"]:
    """Applies one of the `OPERATORS` to node features, by padded gathers."""
    table = (len(nodes), -1)
    senders = graph.senders.reshape(table)
    weights = graph.edges[operator].reshape(table)
    return gather.weighted_gather(nodes, senders, weights, senders, weights)


def aggregate_by_segments(
    graph: jraph.GraphsTuple, nodes: Float[Array, "V B C"], operator: str
) -> Float[Array, "V B C"]:
    """The same for graphs of any form, by `jraph.segment_sum`; slow on a CPU."""
    messages = graph.edges[operator][:, None, None] * nodes[graph.senders]
    return jraph.segment_sum(messages, graph.receivers, len(nodes))


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def convolve(
    graph: jraph.GraphsTuple,
    nodes: Float[Array, "V B C"],
    own: Float[Array, "C F"] | None,
    neighbor: Float[Array, "C F"],
    operator: str,
) -> Float[Array, "V B F"]:
    """X W0 + T X W1, where T is one of the `OPERATORS`; all of them are symmetric.

    If it is differentiated, what is multiplied is aggregated, and never a product: the
    gradients are D W0' + (T D) W1', X' D and X' (T D), where D is that of the result.
    XLA writes a product to memory anyway; behind it, several consumers of an
    aggregate would each read all of its gathers. On a 2-core CPU that takes a quarter
    of the time of a residual stack, forward and backward. Without a gradient there is
    one consumer, and one product with both matrices is faster.

    Args:
      graph: connectivity; no gradient flows to its weights.
      nodes: X.
      own: W0; None leaves the term out.
      neighbor: W1.
      operator: name of T.
    """
    return convolve_products(
        graph, lambda kernel: nodes @ kernel, own, neighbor, operator
    )


def convolve_products(
    graph: jraph.GraphsTuple,
    multiply: Callable[[Float[Array, "C _"]], Float[Array, "_ B _"]],
    own: Float[Array, "C F"] | None,
    neighbor: Float[Array, "C F"],
    operator: str,
    unpool: Callable | None = None,
) -> Float[Array, "V B F"]:
    """The same by one product with both matrices, which is aggregated.

    Args:
      graph: connectivity of the level of the result.
      multiply: multiplies X, wherever it is, with a matrix.
      own: W0; None leaves the term out.
      neighbor: W1.
      operator: name of T.
      unpool: carries products from a coarser level to this one.
    """
    kernels = [neighbor] if own is None else [own, neighbor]
    products = multiply(jnp.concatenate(kernels, axis=1))
    products = jnp.split(products, len(kernels), axis=-1)
    if unpool is not None:
        products = [unpool(product) for product in products]
    *rest, neighbors = products
    return sum(rest, aggregate(graph, neighbors, operator))


def _convolve_forward(graph, nodes, own, neighbor, operator):
    result = aggregate(graph, nodes, operator) @ neighbor
    if own is not None:
        result = nodes @ own + result
    return result, (graph, nodes, own, neighbor)


def _convolve_backward(operator, saved, cotangent):
    graph, nodes, own, neighbor = saved
    mixed = aggregate(graph, cotangent, operator)
    to_nodes = mixed @ neighbor.T
    to_neighbor = _product_of_features(nodes, mixed)
    if own is None:
        return None, to_nodes, None, to_neighbor
    to_nodes = cotangent @ own.T + to_nodes
    return None, to_nodes, _product_of_features(nodes, cotangent), to_neighbor


def _product_of_features(a, b):
    """(C, F): sums over vertices and batch, as one product of matrices."""
    return a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1])


convolve.defvjp(_convolve_forward, _convolve_backward)


def unpooling(coarse: MeshTopology, fine: MeshTopology) -> Callable | None:
    """What carries nodes of a level to the next; None if both are the same level."""
    if len(coarse.neighbors) == len(fine.neighbors):
        return None
    return functools.partial(unpool, topology=coarse)


def unpool(
    nodes: Float[Array, "V B C"], topology: MeshTopology
) -> Float[Array, "W B C"]:
    """Graph unpooling: appends the mean of both ends of every edge of `topology`."""
    return jnp.concatenate([nodes, gather.edge_midpoints(nodes, topology)])
