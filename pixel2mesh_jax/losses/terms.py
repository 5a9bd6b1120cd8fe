"""Losses of one mesh: arrays in, one unweighted scalar out, the equation visible.

Weights, sums over stages and the mean over the batch are in the objectives. Squared
lengths are in square metres. Where the paper and the released code differ the code is
followed and the difference is said. Paper: Wang et al., Pixel2Mesh, ECCV 2018,
section 3.4; code: nywang16/Pixel2Mesh, p2m/losses.py.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from pixel2mesh_jax.geometry import gather, surface
from pixel2mesh_jax.structures import Array, MeshTopology

# tf.nn.l2_normalize: lower bound of the squared length.
NORMALIZE_EPSILON = 1e-12
# Distance of a predicted probability from 0 and 1, where its logarithm has no value.
SATURATION = 1e-6


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
    lengths scale the true mean by 2E / (2E + V), 0.856 for 156 vertices.
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


def squared_normal(
    vertices: Float[Array, "V 3"],
    topology: MeshTopology,
    vertex_normals: Float[Array, "V 3"],
) -> Float[Array, ""]:
    """Mean squared inner product of edges and the normal at their first vertex.

    Pixel2Mesh (ECCV 2018), normal loss, divided by its number of terms. The edges keep
    their lengths, so it is in square metres; arguments as in `normal`.
    """
    edges = gather.edge_vectors(vertices, topology)
    normals = _normalized(vertex_normals)[topology.edges]
    return jnp.mean(jnp.sum(normals * edges[:, None], axis=-1) ** 2)


def normal_angle(
    vertices: Float[Array, "V 3"],
    topology: MeshTopology,
    vertex_normals: Float[Array, "V 3"],
) -> Float[Array, ""]:
    """Mean 1 - |cosine| between the normals of the mesh and the true ones.

    Args:
      vertices: positions, metres.
      topology: connectivity.
      vertex_normals: true normal at the surface point nearest to each vertex. Their
        sign does not matter: it is arbitrary in the published P2M ShapeNet data.
    """
    predicted = surface.vertex_normals(vertices, topology.faces)
    cosines = jnp.sum(predicted * _normalized(vertex_normals), axis=-1)
    return 1 - jnp.mean(jnp.abs(cosines))


def directed_normal(
    a_normals: Float[Array, "N 3"],
    b_normals: Float[Array, "M 3"],
    nearest: Int[Array, " N"],
) -> Float[Array, ""]:
    """Mean 1 - |cosine| between the normals of points and of their nearest points.

    Args:
      a_normals: of the points; sign and length do not matter.
      b_normals: of the points that they are compared with.
      nearest: row of `b_normals` for each row of `a_normals`.

    The normal term of PyTorch3D's chamfer distance; Mesh R-CNN's without a constant.
    """
    cosines = jnp.sum(_normalized(a_normals) * _normalized(b_normals)[nearest], axis=-1)
    return 1 - jnp.mean(jnp.abs(cosines))


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


def smoothness(
    vertices: Float[Array, "V 3"], topology: MeshTopology
) -> Float[Array, ""]:
    """Mean squared distance of a vertex from the mean of its neighbours (uniform)."""
    offset = vertices - gather.neighbor_mean(vertices, topology)
    return jnp.mean(jnp.sum(offset**2, axis=-1))


def normal_consistency(
    vertices: Float[Array, "V 3"], face_pairs: Int[Array, "P 4"]
) -> Float[Array, ""]:
    """Mean 1 - cosine between the normals of faces that share an edge; 0 if flat.

    Args:
      vertices: positions.
      face_pairs: from `topology.face_pairs`; the winding of the faces does not matter.
    """
    a, b, c, d = (vertices[column] for column in face_pairs.T)
    first, second = jnp.cross(b - a, c - a), jnp.cross(d - a, b - a)
    cosines = jnp.sum(_normalized(first) * _normalized(second), axis=-1)
    return 1 - jnp.mean(cosines)


def move(vertices: Float[Array, "V 3"], rest: Float[Array, "V 3"]) -> Float[Array, ""]:
    """Mean squared displacement of the vertices; in the released code only."""
    return jnp.mean(jnp.sum((vertices - rest) ** 2, axis=-1))


def color(
    vertex_colors: Float[Array, "V 3"], true_colors: Float[Array, "V 3"]
) -> Float[Array, ""]:
    """Mean absolute difference to the colour of the nearest surface point."""
    return jnp.mean(jnp.abs(vertex_colors - true_colors))


def reconstruction(
    predicted: Float[Array, " *shape"], true: Float[Array, " *shape"]
) -> Float[Array, ""]:
    """Binary cross entropy, summed, plus the mean absolute difference; of an image.

    Args:
      predicted: values in [0, 1].
      true: values in [0, 1].

    Source: slides of Zhao and Clivio, From Pixel to Mesh, "binary cross entropy + L1";
    the reductions are those of its code, Tong-ZHAO/Pixel2Mesh-Pytorch.
    """
    inside = jnp.clip(predicted, SATURATION, 1 - SATURATION)
    entropy = -(true * jnp.log(inside) + (1 - true) * jnp.log1p(-inside))
    return jnp.sum(entropy) + jnp.mean(jnp.abs(predicted - true))


def squared_norm(tree: dict) -> Float[Array, ""]:
    """Half the sum of squares of all arrays (tf.nn.l2_loss summed)."""
    return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)) / 2


def _num_edge_rows(topology, count_self_loops):
    self_loops = len(topology.neighbors) if count_self_loops else 0
    return 2 * len(topology.edges) + self_loops


def _normalized(vectors):
    squared = jnp.sum(vectors**2, axis=-1, keepdims=True)
    return vectors * jax.lax.rsqrt(jnp.maximum(squared, NORMALIZE_EPSILON))
