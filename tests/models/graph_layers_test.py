"""Graph convolutions against dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import graph, templates, topology
from pixel2mesh_jax.models.graph_layers import (
    GraphConv,
    GraphResBlock,
    GraphResNet,
)
from tests import oracles

COARSE, FINE = templates.ellipsoid().levels[:2]


def dense_operator(level, operator):
    num_vertices = len(level.neighbors)
    laplacian = topology.normalized_laplacian(level.edges, num_vertices).toarray()
    if operator == "chebyshev":
        largest = np.linalg.eigvalsh(laplacian)[-1]
        return 2 / largest * laplacian - np.eye(num_vertices)
    adjacency = np.zeros_like(laplacian)
    a, b = level.edges.T
    adjacency[a, b] = adjacency[b, a] = 1
    return adjacency if operator == "sum" else oracles.normalized_adjacency(level.faces)


def conv_and_params(operator, nodes, key):
    conv = GraphConv(5, operator)
    params = conv.init(key, graph.mesh_graph(COARSE), nodes)["params"]
    keys = jax.random.split(key, len(params))
    noise = {
        name: jax.random.normal(k, params[name].shape)
        for name, k in zip(params, keys, strict=True)
    }
    return conv, noise


@pytest.mark.parametrize("operator", graph.OPERATORS)
def test_equals_the_equation(operator, getkey):
    nodes = jax.random.normal(getkey(), (156, 2, 4))
    conv, params = conv_and_params(operator, nodes, getkey())
    got = conv.apply({"params": params}, graph.mesh_graph(COARSE), nodes).nodes
    matrix = dense_operator(COARSE, operator)
    neighbor = nodes @ params["neighbor"]
    if operator == "sum":
        neighbor = neighbor + params["neighbor_bias"][None, None]
    expected = np.einsum("vw,wbc->vbc", matrix, neighbor)
    if operator != "gcn":  # which has one matrix for a vertex and its neighbours
        expected = expected + nodes @ params["own"]
    np.testing.assert_allclose(
        got, expected + params["bias"][None, None], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("operator", graph.OPERATORS)
def test_unpooling_after_the_products_is_exact(operator, getkey):
    """Linear maps commute with unpooling."""
    nodes = jax.random.normal(getkey(), (156, 2, 4))
    conv, params = conv_and_params(operator, nodes, getkey())
    unpool = lambda x: graph.unpool(x, COARSE)  # noqa: E731
    fine = graph.mesh_graph(FINE)
    early = conv.apply({"params": params}, fine, unpool(nodes)).nodes
    late = conv.apply({"params": params}, fine, nodes, unpool).nodes
    np.testing.assert_allclose(late, early, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("operator", graph.OPERATORS)
def test_a_fresh_stack_neither_explodes_nor_vanishes(operator, getkey):
    nodes = jax.random.normal(getkey(), (156, 2, 64))
    stack = GraphResNet(64, 6, operator, jnp.float32)
    level = graph.mesh_graph(COARSE)
    params = stack.init(getkey(), level, nodes, None)
    run = lambda x: stack.apply(params, level, x, None).nodes  # noqa: E731
    outputs, pull_back = jax.vjp(run, nodes)
    (cotangent,) = pull_back(outputs)
    assert 0.01 < float(jnp.std(outputs)) < 10
    assert 1e-4 < float(jnp.std(cotangent)) < 100


def test_residual_block_averages_input_and_update(getkey):
    nodes = jax.random.normal(getkey(), (156, 1, 4))
    block = GraphResBlock("chebyshev", jnp.float32)
    level = graph.mesh_graph(COARSE)
    params = jax.tree.map(jnp.zeros_like, block.init(getkey(), nodes, level))
    hidden, _ = block.apply(params, nodes, level)
    np.testing.assert_allclose(hidden, nodes / 2)


def test_residual_block_without_shortcut_forgets_its_input(getkey):
    nodes = jax.random.normal(getkey(), (156, 1, 4))
    block = GraphResBlock("chebyshev", jnp.float32, residual=False)
    level = graph.mesh_graph(COARSE)
    params = jax.tree.map(jnp.zeros_like, block.init(getkey(), nodes, level))
    hidden, _ = block.apply(params, nodes, level)
    np.testing.assert_allclose(hidden, 0)


@pytest.mark.data
def test_sum_convolution_and_gradients_match_pytorch3d(data_dir):
    recorded = np.load(data_dir / "oracles" / "p3d_graph_conv.npz")
    sphere = np.load(data_dir / "oracles" / "p3d_subdivide_sample.npz")
    level = graph.mesh_graph(topology.make_topology(sphere["ico1/faces"]))
    names = {
        "own": "w0.weight",
        "bias": "w0.bias",
        "neighbor": "w1.weight",
        "neighbor_bias": "w1.bias",
    }
    params = {ours: recorded[f"param/{name}"].T for ours, name in names.items()}
    conv = GraphConv(4, "sum")

    def convolve(params, x):
        return conv.apply({"params": params}, level, x[:, None]).nodes[:, 0]

    out, pull = jax.vjp(convolve, params, jnp.asarray(recorded["ico/x"]))
    of_params, gradient = pull(jnp.asarray(recorded["ico/cotangent"]))
    prefix, close = "ico/undirected", {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(out, recorded[f"{prefix}/out"], **close)
    np.testing.assert_allclose(gradient, recorded[f"{prefix}/grad_x"], **close)
    for ours, name in names.items():
        expected = recorded[f"{prefix}/grad_{name}"].T
        np.testing.assert_allclose(of_params[ours], expected, **close)
