"""Graph layers' aggregation: padded gathers against jraph and dense matrices."""

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest
from jax.test_util import check_grads

from pixel2mesh_jax.geometry import graph, templates, topology
from tests import oracles

LEVEL = templates.ellipsoid(20, 1).levels[0]
GRAPH = graph.mesh_graph(LEVEL)
DENSE = {
    "chebyshev": oracles.chebyshev_operator(LEVEL.faces),
    "sum": oracles.adjacency(LEVEL.faces),
    "gcn": oracles.normalized_adjacency(LEVEL.faces),
}


def nodes(num_channels=5, seed=0):
    shape = (len(LEVEL.neighbors), 2, num_channels)
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.mark.parametrize("operator", graph.OPERATORS)
def test_aggregation_is_a_product_with_the_dense_matrix(operator):
    expected = np.einsum("vw,wbc->vbc", DENSE[operator], nodes())
    actual = graph.aggregate(GRAPH, nodes(), operator)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize("operator", graph.OPERATORS)
def test_padded_gather_equals_a_graph_network_in_value_and_gradient(operator):
    cotangent = nodes(seed=1)
    results = [
        jax.vjp(lambda x, f=f: f(GRAPH, x, operator), nodes())
        for f in (graph.aggregate, graph.aggregate_by_network)
    ]
    (fast, fast_pull), (slow, slow_pull) = results
    np.testing.assert_allclose(fast, slow, atol=1e-5)
    np.testing.assert_allclose(
        fast_pull(cotangent)[0], slow_pull(cotangent)[0], atol=1e-5
    )


@pytest.mark.parametrize("operator", graph.OPERATORS)
def test_gradient(operator, x64):
    x = jnp.asarray(np.random.default_rng(0).normal(size=nodes().shape))
    check_grads(lambda x: graph.aggregate(GRAPH, x, operator) ** 2, (x,), 1, ["rev"])


def kernels(operator):
    """W0, None for `gcn`, and W1: 5 to 4 channels."""
    own, neighbor = jax.random.normal(jax.random.key(3), (2, 5, 4))
    return (None if operator == "gcn" else own), neighbor


def convolved_in_equations(operator, x, own, neighbor):
    mixed = graph.aggregate_by_network(GRAPH, x @ neighbor, operator)
    return mixed if own is None else x @ own + mixed


@pytest.mark.parametrize("operator", graph.OPERATORS)
def test_convolution_equals_its_equation_in_value_and_gradient(operator):
    arguments, cotangent = (nodes(), *kernels(operator)), nodes(num_channels=4)
    results = [
        jax.vjp(f, *arguments)
        for f in (
            lambda *x: graph.convolve(GRAPH, *x, operator),
            lambda *x: convolved_in_equations(operator, *x),
        )
    ]
    (fast, fast_pull), (slow, slow_pull) = results
    np.testing.assert_allclose(fast, slow, atol=1e-5)
    for a, b in zip(
        *map(jax.tree.leaves, (fast_pull(cotangent), slow_pull(cotangent))), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("operator", graph.OPERATORS)
def test_gradient_of_the_convolution(operator, x64):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=nodes().shape))
    own, neighbor = (
        None if kernel is None else jnp.asarray(kernel, jnp.float64)
        for kernel in kernels(operator)
    )
    convolve = lambda *x: graph.convolve(GRAPH, *x, operator) ** 2  # noqa: E731
    check_grads(convolve, (x, own, neighbor), 1, ["rev"])


@pytest.mark.parametrize("operator", graph.OPERATORS)
def test_graph_may_be_an_argument_of_a_compiled_function(operator):
    compiled = jax.jit(
        lambda level, x: graph.aggregate(graph.mesh_graph(level), x, operator)
    )
    np.testing.assert_allclose(
        compiled(LEVEL, nodes()), graph.aggregate(GRAPH, nodes(), operator), atol=1e-6
    )


def test_graph_is_a_well_formed_graphs_tuple():
    width = LEVEL.neighbors.shape[1] + 1
    assert isinstance(GRAPH, jraph.GraphsTuple)
    assert int(GRAPH.n_node[0]) == len(LEVEL.neighbors)
    assert int(GRAPH.n_edge[0]) == len(GRAPH.senders) == len(GRAPH.receivers)
    np.testing.assert_array_equal(
        GRAPH.receivers, np.repeat(np.arange(len(LEVEL.neighbors)), width)
    )


def test_sum_of_ones_is_the_degree():
    degree = graph.aggregate(GRAPH, jnp.ones((len(LEVEL.neighbors), 1, 1)), "sum")
    np.testing.assert_array_equal(degree[:, 0, 0], DENSE["sum"].sum(axis=1))


def test_normalized_adjacency_averages_where_all_degrees_are_equal():
    """On an icosahedron every row of `gcn` is the mean of a vertex and its ring."""
    sphere = graph.mesh_graph(templates.icosphere(0, 1).levels[0])
    x = jnp.arange(12.0)[:, None, None]
    total = graph.aggregate(sphere, x, "sum") + x
    np.testing.assert_allclose(graph.aggregate(sphere, x, "gcn"), total / 6, rtol=1e-5)


def test_a_level_is_not_unpooled_to_itself():
    fine = topology.subdivide(LEVEL)
    assert graph.unpooling(LEVEL, LEVEL) is None
    carry = graph.unpooling(LEVEL, fine)
    np.testing.assert_array_equal(carry(nodes()), graph.unpool(nodes(), LEVEL))


def test_unpooling_appends_the_middle_of_every_edge():
    x = nodes()
    unpooled = graph.unpool(x, LEVEL)
    np.testing.assert_array_equal(unpooled[: len(x)], x)
    np.testing.assert_allclose(
        unpooled[len(x) :], np.asarray(x)[LEVEL.edges].mean(axis=1), atol=1e-6
    )


def test_unpooling_commutes_with_a_linear_map():
    kernel = jnp.asarray(np.random.default_rng(3).normal(size=(5, 4)), jnp.float32)
    np.testing.assert_allclose(
        graph.unpool(nodes() @ kernel, LEVEL),
        graph.unpool(nodes(), LEVEL) @ kernel,
        atol=1e-5,
    )


@pytest.mark.data
def test_sum_convolution_matches_pytorch3d(data_dir):
    """Y = X W0 + b0 + A (X W1 + b1), on the ico-sphere of 42 vertices."""
    recorded = np.load(data_dir / "oracles" / "p3d_graph_conv.npz")
    sphere = np.load(data_dir / "oracles" / "p3d_subdivide_sample.npz")
    level = topology.make_topology(sphere["ico1/faces"])
    np.testing.assert_array_equal(
        level.edges, np.unique(np.sort(recorded["ico/edges"], axis=1), axis=0)
    )
    w0, b0, w1, b1 = (
        recorded[f"param/{name}"]
        for name in ("w0.weight", "w0.bias", "w1.weight", "w1.bias")
    )

    def convolve(x):
        x = x[:, None]
        messages = graph.aggregate(graph.mesh_graph(level), x @ w1.T + b1, "sum")
        return (x @ w0.T + b0 + messages)[:, 0]

    with jax.numpy_rank_promotion("allow"):
        out, pull = jax.vjp(convolve, jnp.asarray(recorded["ico/x"]))
        gradient = pull(jnp.asarray(recorded["ico/cotangent"]))[0]
    np.testing.assert_allclose(out, recorded["ico/undirected/out"], atol=1e-5)
    np.testing.assert_allclose(gradient, recorded["ico/undirected/grad_x"], atol=1e-5)


@pytest.mark.data
@pytest.mark.parametrize("kind", ["undirected", "directed"])
@pytest.mark.parametrize("name", ["random", "ico", "no_edges"])
def test_sum_convolution_of_any_graph_matches_pytorch3d(data_dir, name, kind):
    """Also of graphs that are no meshes, with all gradients.

    A directed edge (a, b) carries b to a; an undirected one also a to b.
    """
    recorded = np.load(data_dir / "oracles" / "p3d_graph_conv.npz")
    first, second = recorded[f"{name}/edges"].astype(np.int32).T
    both = kind == "undirected"
    senders = np.concatenate([second, first]) if both else second
    receivers = np.concatenate([first, second]) if both else first
    x = recorded[f"{name}/x"]
    plain = jraph.GraphsTuple(
        nodes=None,
        edges=None,
        senders=senders,
        receivers=receivers,
        globals=None,
        n_node=np.array([len(x)]),
        n_edge=np.array([len(senders)]),
    )
    weights = ("w0.weight", "w0.bias", "w1.weight", "w1.bias")
    params = {key: recorded[f"param/{key}"] for key in weights}

    def convolve(x, params):
        own = x @ params["w0.weight"].T + params["w0.bias"]
        neighbor = x @ params["w1.weight"].T + params["w1.bias"]
        messages = graph.aggregate(plain, neighbor[:, None], "sum")
        return own + messages[:, 0]

    with jax.numpy_rank_promotion("allow"):
        out, pull = jax.vjp(convolve, x, params)
        gradient, of_params = pull(jnp.asarray(recorded[f"{name}/cotangent"]))
    prefix, close = f"{name}/{kind}", {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(out, recorded[f"{prefix}/out"], **close)
    np.testing.assert_allclose(gradient, recorded[f"{prefix}/grad_x"], **close)
    for key, actual in of_params.items():
        np.testing.assert_allclose(actual, recorded[f"{prefix}/grad_{key}"], **close)
