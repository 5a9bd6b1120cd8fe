"""The refinement of voxel meshes, forward and backward, in the size of `tiny`.

The alternative is the straightforward program: the meshes side by side as one graph of
their true edges, without padded ones; the messages of all edges, added up by
`segment_sum`; every channel of every map sampled, then multiplied.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.programs import check_equal, compile_program, with_gradient
from benchmarks.timing import Case
from benchmarks.voxel_meshes import THRESHOLD, balls
from pixel2mesh_jax.geometry import camera, cubify, interpolate, pooling
from pixel2mesh_jax.models.mesh_rcnn import PaddedRefinement

BATCH, RESOLUTION, FEATURES, SIZE = 4, 24, 64, 96  # of the variant `tiny`
MAPS = ((24, 32), (12, 64), (6, 128), (3, 256))  # cells per side, channels
IMAGE = (SIZE, SIZE)


def cases() -> Iterator[Case]:
    """One row: the stages and their gradient."""
    capacity = cubify.CAPACITIES[RESOLUTION]
    grids = balls(BATCH, RESOLUTION)
    mesh = jax.vmap(lambda grid: cubify.cubify(grid, THRESHOLD, capacity))(grids)
    start = 0.02 * (mesh.vertices - RESOLUTION / 2) - jnp.array([0.0, 0.0, 0.8])
    rng = np.random.default_rng(0)
    maps = [jnp.asarray(rng.random((BATCH, n, n, c)), jnp.float32) for n, c in MAPS]
    head = PaddedRefinement(features=FEATURES)

    def refine(params, maps):
        arguments = (maps, mesh, start, project, IMAGE, 1.0)
        return head.apply({"params": params}, *arguments)[-1]

    params = head.init(jax.random.key(0), maps, mesh, start, project, IMAGE, 1.0)
    params = jax.tree.map(  # zeros would hide the last layers
        lambda x: x + 0.02 * rng.standard_normal(x.shape, np.float32), params["params"]
    )
    edges = _edges(mesh)
    plain = lambda params, maps: _by_segment_sum(params, maps, start, edges)  # noqa: E731
    cotangent = jnp.asarray(rng.standard_normal(start.shape), jnp.float32)
    ours, other = (
        compile_program(with_gradient(function), cotangent, params, maps)
        for function in (refine, plain)
    )
    yield Case(
        f"refine {BATCH} meshes of {RESOLUTION}^3, {FEATURES} features",
        ours.run,
        other.run,
        "segment_sum",
        check_equal(ours.run, other.run, rtol=1e-3),  # sums of thousands of rows
        note=f"temporaries {ours.temporary:.0f} and {other.temporary:.0f} MB",
    )


def project(vertices: jax.Array) -> jax.Array:
    """Device coordinates before the training camera."""
    intrinsics = np.tile(camera.r2n2_intrinsics(SIZE), (BATCH, 1, 1))
    return camera.project_ndc(vertices, intrinsics, IMAGE)


def _edges(mesh):
    """(senders, receivers) of all meshes side by side, both directions of each edge."""
    table, mask = np.asarray(mesh.neighbors), np.asarray(mesh.neighbor_mask) > 0
    count = table.shape[1]
    first = count * np.arange(BATCH)[:, None, None]
    receivers = np.broadcast_to(np.arange(count)[None, :, None] + first, table.shape)
    return (table + first)[mask], receivers[mask]


def _by_segment_sum(params, maps, vertices, edges):
    hidden = None
    for name in sorted(params):
        layers = params[name]
        ndc = project(vertices)
        position = ndc.reshape(-1, 3)
        seen = _sampled(maps, ndc) @ layers["align"]["kernel"] + layers["align"]["bias"]
        known = [] if hidden is None else [hidden]
        nodes = jnp.concatenate([jax.nn.relu(seen), position, *known], axis=-1)
        for layer in sorted(key for key in layers if key.startswith("conv")):
            hidden = jax.nn.relu(_convolved(layers[layer], nodes, *edges))
            nodes = jnp.concatenate([hidden, position], axis=-1)
        offset = nodes @ layers["offset"]["kernel"] + layers["offset"]["bias"]
        vertices = vertices + jnp.tanh(offset).reshape(vertices.shape)
    return vertices


def _convolved(layer, nodes, senders, receivers):
    messages = nodes @ layer["neighbor"] + layer["neighbor_bias"]
    received = jax.ops.segment_sum(messages[senders], receivers, len(nodes))
    return nodes @ layer["own"] + layer["bias"] + received


def _sampled(maps, ndc):
    """Rows of all vertices: the channels of all maps where they project."""

    def of_example(ndc, *maps):
        pixels = camera.pixels_from_ndc(ndc, image_shape=IMAGE)
        found = [
            interpolate.sample(
                x, pooling.align_corners_zeros(pixels, IMAGE, x.shape[:2])
            )
            for x in maps
        ]
        return jnp.concatenate(found, axis=-1)

    found = jax.vmap(of_example)(ndc, *maps)
    return found.reshape(-1, found.shape[-1])
