"""Graphs of jraph and what is computed on them: the only file that knows jraph.

Any `GraphsTuple` will do, also several graphs as one (`jraph.batch`) with padding
(`jraph.pad_with_graphs`). Its `edges` map the name of an operator to one weight per
edge; without `edges` each edge counts once, for `sum`. Such a graph is aggregated by
`jraph.GraphNetwork`, which sums what arrives over each edge.

A mesh becomes a graph in which every vertex receives exactly S = K + 1 edges, sorted by
receiver: itself, its neighbours, and padding of weight 0. Its flat arrays are a table
of shape (V, S), `edges` say so, and aggregation is a gather, ten times faster on a CPU.
Both ways compute the same. A batch of graphs whose tables are equally wide has a table.

Node features are (V, B, C): B meshes of one topology share the node axis.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Float

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import gather
from pixel2mesh_jax.structures import Array, MeshTopology, PaddedMesh

OPERATORS = ("chebyshev", "sum", "gcn")
TABLE = "table"  # in `edges`, beside the weights


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Table:
    """Says that the edges are a table, with symmetric weights; no array.

    Attributes:
      width: edges that every vertex receives.
    """

    width: int


def mesh_graph(
    topology: MeshTopology, nodes: Float[Array, "V B C"] | None = None
) -> jraph.GraphsTuple:
    """The padded graph of one mesh level.

    `graph.edges` holds one weight per edge for each of the `OPERATORS`: `chebyshev`
    is T1 with its diagonal, `sum` the adjacency matrix A, `gcn` the normalised
    D^-1/2 (A + I) D^-1/2 of Kipf and Welling (2017). All are symmetric. Beside them,
    `TABLE` says how the edges lie.
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
            TABLE: Table(width + 1),
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
        edges={"sum": mesh.neighbor_mask.ravel(), TABLE: Table(width)},
        senders=mesh.neighbors.ravel(),
        receivers=jnp.repeat(jnp.arange(num_vertices), width),
        globals=None,
        n_node=jnp.array([num_vertices]),
        n_edge=jnp.array([num_vertices * width]),
    )


def aggregate(
    graph: jraph.GraphsTuple, nodes: Float[Array, "V B C"], operator: str
) -> Float[Array, "V B C"]:
    """Applies one of the `OPERATORS` to node features.

    By padded gathers where the graph has a table, else by `jraph.GraphNetwork`.

    Raises:
      InputError: the graph has no weights for this operator.
    """
    if not has_table(graph, len(nodes)):
        return aggregate_by_network(graph, nodes, operator)
    table = (len(nodes), -1)
    senders = graph.senders.reshape(table)
    weights = _weights(graph, operator).reshape(table)
    return gather.weighted_gather(nodes, senders, weights, senders, weights)


def aggregate_by_network(
    graph: jraph.GraphsTuple, nodes: Float[Array, "V B C"], operator: str
) -> Float[Array, "V B C"]:
    """The same for graphs of any form, directed ones too, by `jraph.GraphNetwork`."""
    network = jraph.GraphNetwork(
        update_edge_fn=lambda weights, sent, received, _: weights[:, None, None] * sent,
        update_node_fn=lambda nodes, sent, received, _: received,
    )
    weights = jnp.asarray(_weights(graph, operator), nodes.dtype)
    return network(graph._replace(nodes=nodes, edges=weights, globals=None)).nodes


def has_table(graph: jraph.GraphsTuple, num_nodes: int) -> bool:
    """Whether the edges are a table still; padding may have added others."""
    table = graph.edges.get(TABLE) if isinstance(graph.edges, Mapping) else None
    return table is not None and len(graph.senders) == num_nodes * table.width


def without_table(graph: jraph.GraphsTuple) -> jraph.GraphsTuple:
    """The same graph as one of any form, to be batched with meshes of other degree."""
    edges = {name: value for name, value in graph.edges.items() if name != TABLE}
    return graph._replace(edges=edges)


def _weights(graph, operator):
    """One weight per edge."""
    if graph.edges is None and operator == "sum":
        return jnp.ones(len(graph.senders))
    if isinstance(graph.edges, Mapping) and operator in graph.edges:
        return graph.edges[operator]
    has = sorted(graph.edges) if isinstance(graph.edges, Mapping) else graph.edges
    raise InputError(
        f"The graph has no weights for {operator!r}: expected `edges` to map it to one "
        f"weight per edge, they are {has!r}. `mesh_graph` makes them of a mesh; "
        "without `edges`, 'sum' counts every edge once."
    )


def convolve(
    graph: jraph.GraphsTuple,
    nodes: Float[Array, "V B C"],
    own: Float[Array, "C F"] | None,
    neighbor: Float[Array, "C F"],
    operator: str,
) -> Float[Array, "V B F"]:
    """X W0 + T X W1, where T is one of the `OPERATORS`.

    In a graph with a table T is symmetric, and the gradient is written out: what is
    multiplied is aggregated, and never a product. It is D W0' + (T D) W1', X' D and
    X' (T D), where D is that of the result. XLA writes a product to memory anyway;
    behind it, several consumers of an aggregate would each read all of its gathers. On
    a 2-core CPU that takes a quarter of the time of a residual stack, forward and
    backward. Without a gradient there is one consumer, and one product with both
    matrices is faster.

    Args:
      graph: connectivity; no gradient flows to its weights.
      nodes: X.
      own: W0; None leaves the term out.
      neighbor: W1.
      operator: name of T.
    """
    if has_table(graph, len(nodes)):
        return _convolve(graph, nodes, own, neighbor, operator)
    return _convolve_plainly(graph, nodes, own, neighbor, operator)


def _convolve_plainly(graph, nodes, own, neighbor, operator):
    return convolve_products(
        graph, lambda kernel: nodes @ kernel, own, neighbor, operator
    )


_convolve = jax.custom_vjp(_convolve_plainly, nondiff_argnums=(4,))


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


_convolve.defvjp(_convolve_forward, _convolve_backward)


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
