"""Graph layers on graphs of any form: several meshes as one graph, padded, directed."""

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import cubify, gather, graph, templates, topology
from pixel2mesh_jax.models.graph_layers import GraphConv, GraphResNet

CHANNELS, WIDTH = 3, 4
# Two meshes of other sizes and degrees.
LEVELS = [
    templates.ellipsoid(20, 1).levels[0],
    topology.make_topology(np.int32([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])),
]
SIZES = [len(level.neighbors) for level in LEVELS]
PADDED = 40, 200  # nodes and edges


MESHES = [graph.mesh_graph(level) for level in LEVELS]
# Both meshes in one graph, with a third one of padding.
TOGETHER = jraph.pad_with_graphs(
    jraph.batch([graph.without_table(mesh) for mesh in MESHES]), *PADDED, n_graph=3
)


def nodes_of(num_vertices, seed=0):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=(num_vertices, 2, CHANNELS)), jnp.float32)


def layers(operator):
    yield GraphConv(WIDTH, operator)  # products first
    yield GraphConv(CHANNELS + 2, operator)  # aggregation first
    yield GraphResNet(WIDTH, 2, operator, jnp.float32)


def run(layer, params, connectivity, nodes):
    extra = (None,) if isinstance(layer, GraphResNet) else ()
    return layer.apply(params, connectivity, nodes, *extra).nodes


def init(layer, connectivity, nodes):
    extra = (None,) if isinstance(layer, GraphResNet) else ()
    params = layer.init(jax.random.key(0), connectivity, nodes, *extra)
    noise = lambda x: x + 0.1 * jax.random.normal(jax.random.key(1), x.shape)  # noqa: E731
    return jax.tree.map(noise, params)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("operator", graph.OPERATORS)
@pytest.mark.parametrize("number", range(3))
def test_meshes_in_one_padded_graph_equal_meshes_alone(operator, number):
    """In values and in the gradients of nodes and parameters."""
    layer = list(layers(operator))[number]
    parts = [nodes_of(size, seed) for seed, size in enumerate(SIZES)]
    params = init(layer, MESHES[0], parts[0])
    padding = jnp.zeros((PADDED[0] - sum(SIZES), 2, CHANNELS))
    count = sum(SIZES)

    def alone(params, parts):
        found = [
            run(layer, params, mesh, part)
            for mesh, part in zip(MESHES, parts, strict=True)
        ]
        return jnp.concatenate(found)

    def batched(params, parts):
        nodes = jnp.concatenate([*parts, padding])
        return run(layer, params, TOGETHER, nodes)[:count]

    (expected, pull_alone), (found, pull) = (
        jax.vjp(jax.jit(f), params, parts) for f in (alone, batched)
    )
    close(found, expected)
    cotangent = jnp.sin(jnp.arange(found.size, dtype=jnp.float32)).reshape(found.shape)
    jax.tree.map(close, pull(cotangent), pull_alone(cotangent))


def test_graphs_of_one_width_keep_their_table_in_a_batch():
    mesh = MESHES[0]
    batch = jraph.batch([mesh, mesh])
    nodes = nodes_of(2 * SIZES[0])
    assert graph.has_table(batch, len(nodes))
    close(
        graph.aggregate(batch, nodes, "chebyshev"),
        graph.aggregate_by_network(batch, nodes, "chebyshev"),
    )


def test_a_mesh_of_voxels_has_a_table():
    """Which is symmetric, padding too: values and gradients are those of a network."""
    room = cubify.Capacity(vertices=200, faces=400)
    occupied = jnp.asarray(np.random.default_rng(0).random((4, 4, 4)) < 0.5)
    mesh = cubify.mesh_of_occupancy(occupied, room)
    assert 0 < mesh.vertex_mask.sum() < room.vertices
    level = graph.padded_graph(mesh)
    nodes = nodes_of(room.vertices)
    assert graph.has_table(level, len(nodes))
    operands = nodes, *jax.random.normal(jax.random.key(0), (2, CHANNELS, 5))
    (found, pull), (expected, pull_expected) = (
        jax.vjp(lambda *x, form=form: graph.convolve(form, *x, "sum"), *operands)
        for form in (level, graph.without_table(level))
    )
    close(found, expected)
    cotangent = jnp.sin(jnp.arange(found.size, dtype=jnp.float32)).reshape(found.shape)
    jax.tree.map(close, pull(cotangent), pull_expected(cotangent))


def test_padding_that_breaks_the_table_is_seen():
    mesh = MESHES[0]
    padded = jraph.pad_with_graphs(mesh, *PADDED, n_graph=2)
    nodes = nodes_of(PADDED[0])
    assert not graph.has_table(padded, len(nodes))
    found = graph.aggregate(padded, nodes, "sum")[: SIZES[0]]
    close(found, graph.aggregate(mesh, nodes[: SIZES[0]], "sum"))


def directed():
    return jraph.GraphsTuple(
        nodes=None,
        edges={"sum": jnp.array([1.0, 2.0, 3.0])},
        senders=jnp.array([0, 1, 1]),
        receivers=jnp.array([1, 2, 0]),
        globals=None,
        n_node=jnp.array([3]),
        n_edge=jnp.array([3]),
    )


def test_the_gradient_of_a_directed_graph_runs_against_its_edges():
    matrix = np.zeros((3, 3), np.float32)
    matrix[[1, 2, 0], [0, 1, 1]] = 1, 2, 3
    own, neighbor = jax.random.normal(jax.random.key(0), (2, CHANNELS, 5))
    nodes = nodes_of(3)
    convolve = lambda x: graph.convolve(directed(), x, own, neighbor, "sum")  # noqa: E731
    found, pull = jax.vjp(convolve, nodes)
    close(found, nodes @ own + jnp.einsum("vw,wbc->vbc", matrix, nodes) @ neighbor)
    cotangent = jnp.ones_like(found)
    expected = jnp.einsum("vw,vbc->wbc", matrix, cotangent) @ neighbor.T
    close(pull(cotangent)[0], cotangent @ own.T + expected)


@pytest.mark.parametrize("edges", [None, {"sum": np.ones(3, np.float32)}])
def test_a_graph_without_weights_for_an_operator_is_refused(edges):
    plain = directed()._replace(edges=edges)
    with pytest.raises(InputError, match="no weights for 'chebyshev'"):
        graph.aggregate(plain, nodes_of(3), "chebyshev")


def test_the_mean_of_the_neighbours_of_a_padded_vertex_is_zero():
    level = LEVELS[0]
    pad = lambda table: np.pad(table, [(0, 2)] + [(0, 0)] * (table.ndim - 1))  # noqa: E731
    padded = level._replace(
        neighbors=pad(level.neighbors), neighbor_mask=pad(level.neighbor_mask)
    )
    nodes = nodes_of(SIZES[0] + 2)
    with jax.debug_nans(True):
        mean, pull = jax.vjp(lambda x: gather.neighbor_mean(x, padded), nodes)
        (gradient,) = pull(jnp.ones_like(mean))
    np.testing.assert_array_equal(mean[-2:], 0)
    close(mean[:-2], gather.neighbor_mean(nodes[:-2], level))
    np.testing.assert_array_equal(gradient[-2:], 0)
