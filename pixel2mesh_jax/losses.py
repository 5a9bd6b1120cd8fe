"""Losses of one mesh: arrays in, one unweighted scalar out, the equation visible.

Weights, sums over stages and the mean over the batch are in `objectives.py`. Squared
lengths are in square metres. Where the paper and the released code differ the code is
followed and the difference is said (FACTS 1.2.5).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from pixel2mesh_jax.geometry import gather
from pixel2mesh_jax.structures import Array, MeshTopology

# tf.nn.l2_normalize: lower bound of the squared length.
NORMALIZE_EPSILON = 1e-12


def directed_chamfer(
    a: Float[Array, "N 3"], b: Float[Array, "M 3"], nearest: Int[Array, " N"]
) -> Float[Array, ""]:
    """Mean squared distance from each point of `a` to its nearest point of `b`.

    Args:
      a: points, metres.
      b: points, metres.
      nearest: row of `b` for each row of `a`, from `geometry.nearest`.

    Differentiable in `a` and `b`. The paper sums, its code takes the mean.
    """
    return jnp.mean(jnp.sum((a - b[nearest]) ** 2, axis=-1))


def edge_length(
    vertices: Float[Array, "V 3"],
    topology: MeshTopology,
    *,
    count_self_loops: bool = False,
) -> Float[Array, ""]:
    """Mean squared edge length.

    With `count_self_loops` the mean runs over the rows of the released file, which
    list both directions of every edge and each vertex as an edge to itself; their zero
    lengths scale the true mean by 0.856 (FACTS 0.5).
    """
    squared = jnp.sum(gather.edge_vectors(vertices, topology) ** 2, axis=-1)
    return 2 * jnp.sum(squared) / _num_edge_rows(topology, count_self_loops)


def normal(
    vertices: Float[Array, "V 3"],
    topology: MeshTopology,
    vertex_normals: Float[Array, "V 3"],
    *,
    count_self_loops: bool = False,
) -> Float[Array, ""]:
    """Mean |cosine| between edges and the surface normal at their first vertex.

    Args:
      vertices: positions, metres.
      topology: connectivity; both directions of every edge count.
      vertex_normals: true normal at the surface point nearest to each vertex; the
        sign and length do not matter.
      count_self_loops: as in `edge_length`.

    The paper squares the inner product, the released code takes the absolute value.
    """
    direction = _normalized(gather.edge_vectors(vertices, topology))
    normals = _normalized(vertex_normals)[topology.edges]
    cosines = jnp.sum(normals * direction[:, None], axis=-1)
    return jnp.sum(jnp.abs(cosines)) / _num_edge_rows(topology, count_self_loops)


def laplacian(
    vertices: Float[Array, "V 3"], rest: Float[Array, "V 3"], topology: MeshTopology
) -> Float[Array, ""]:
    """Mean squared change of the Laplacian coordinates between `rest` and now.

    A Laplacian coordinate is a vertex minus the mean of its neighbours. It is linear,
    so the change is the Laplacian coordinate of the displacement.
    """
    moved = vertices - rest
    change = moved - gather.neighbor_mean(moved, topology)
    return jnp.mean(jnp.sum(change**2, axis=-1))


def move(vertices: Float[Array, "V 3"], rest: Float[Array, "V 3"]) -> Float[Array, ""]:
    """Mean squared displacement of the vertices; in the released code only."""
    return jnp.mean(jnp.sum((vertices - rest) ** 2, axis=-1))


def color(
    vertex_colors: Float[Array, "V 3"], true_colors: Float[Array, "V 3"]
) -> Float[Array, ""]:
    """Mean absolute difference to the colour of the nearest surface point."""
    return jnp.mean(jnp.abs(vertex_colors - true_colors))


def squared_norm(tree: dict) -> Float[Array, ""]:
    """Half the sum of squares of all arrays (tf.nn.l2_loss summed)."""
    return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)) / 2


def _num_edge_rows(topology, count_self_loops):
    self_loops = len(topology.neighbors) if count_self_loops else 0
    return 2 * len(topology.edges) + self_loops


def _normalized(vectors):
    squared = jnp.sum(vectors**2, axis=-1, keepdims=True)
    return vectors * jax.lax.rsqrt(jnp.maximum(squared, NORMALIZE_EPSILON))
