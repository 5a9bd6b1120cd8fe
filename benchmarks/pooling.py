"""Perceptual pooling, unpooling and the first graph convolution of the last stage.

Floor: the matrix product on 618 coarse rows is a quarter of that on 2466 fine ones. The
coarse maps have fewer cells still, 49 and 196, and are multiplied before they are
sampled.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

from benchmarks.programs import check_equal, compile_program, with_gradient
from benchmarks.timing import Case
from pixel2mesh_jax.geometry import camera, graph, templates
from pixel2mesh_jax.models import perceptual
from pixel2mesh_jax.models.graph_layers import GraphConv

BATCH = 4
IMAGE_SIZE = 224  # pixels
HIDDEN = 192
# (channels per map, goal); maps at 1/4, 1/8, 1/16 and 1/32 of the image.
ENCODERS = {
    "conv18": ((64, 128, 256, 512), 2),
    "ResNet-50": ((256, 512, 1024, 2048), 4),
}


def cases() -> Iterator[Case]:
    """Coarse vertices first, with and without coarse maps first, against as written."""
    for name, (channels, goal) in ENCODERS.items():
        arguments = _arguments(channels)
        programs = {
            title: compile_program(with_gradient(function), *arguments)
            for title, function in (
                ("in the model", in_the_model),
                ("only coarse vertices first", coarse_first),
                ("as written", as_written),
            )
        }
        other = programs.pop("as written")
        for title, ours in programs.items():
            yield Case(
                f"pool {3 + sum(channels)} + {HIDDEN} wide ({name}), {title}",
                ours.run,
                other.run,
                "as written",
                check_equal(ours.run, other.run, rtol=1e-3),
                goal=goal if title == "in the model" else None,
                note=f"temporaries {ours.temporary:.0f} and {other.temporary:.0f} MB",
            )


def _arguments(channels):
    """Cotangent, parameters, maps, vertices and hidden features."""
    template = jax.tree.map(jnp.asarray, templates.ellipsoid())
    keys = iter(jax.random.split(jax.random.key(0), 9))
    normal = lambda *shape: jax.random.normal(next(keys), shape)  # noqa: E731
    maps = [
        normal(BATCH, IMAGE_SIZE // step, IMAGE_SIZE // step, width)
        for width, step in zip(channels, (4, 8, 16, 32), strict=True)
    ]
    coarse, fine = (len(level.neighbors) for level in template.levels[1:])
    start = template.vertices
    for level in template.levels[:1]:
        start = graph.unpool(start[:, None], level)[:, 0]
    vertices = jnp.broadcast_to(start[:, None], (coarse, BATCH, 3))
    width = 3 + sum(channels) + HIDDEN
    params = {
        "own": normal(width, HIDDEN) / width**0.5,
        "neighbor": normal(width, HIDDEN) / width**0.5,
        "bias": jnp.zeros(HIDDEN),
    }
    hidden = normal(coarse, BATCH, HIDDEN)
    return normal(fine, BATCH, HIDDEN), params, maps, vertices, hidden


def _levels():
    levels = templates.ellipsoid().levels[1:]
    coarse, fine = (jax.tree.map(jnp.asarray, level) for level in levels)
    return graph.mesh_graph(fine), lambda x: graph.unpool(x, coarse)


def _intrinsics():
    matrix = jnp.asarray(camera.r2n2_intrinsics(IMAGE_SIZE))
    return jnp.broadcast_to(matrix, (BATCH, 3, 3))


def _sampler(vertices):
    return perceptual.sampler(vertices, _intrinsics(), (IMAGE_SIZE, IMAGE_SIZE))


def _pooled(maps, vertices, hidden):
    sample = _sampler(vertices)
    return jnp.concatenate([vertices, *(sample(x) for x in maps), hidden], axis=-1)


def in_the_model(params, maps, vertices, hidden):
    """Products on the side with fewer rows, before unpooling."""
    mesh, unpool = _levels()
    sample = _sampler(vertices)
    seen = [perceptual.Unsampled(x, sample, len(vertices)) for x in maps]
    conv = GraphConv(HIDDEN)
    return conv.apply({"params": params}, mesh, [vertices, *seen, hidden], unpool).nodes


def coarse_first(params, maps, vertices, hidden):
    """Samples all maps, multiplies, unpools."""
    mesh, unpool = _levels()
    x = _pooled(maps, vertices, hidden)
    return GraphConv(HIDDEN).apply({"params": params}, mesh, x, unpool).nodes


def as_written(params, maps, vertices, hidden):
    """As the published programs do: unpool, then multiply with either matrix."""
    mesh, unpool = _levels()
    x = unpool(_pooled(maps, vertices, hidden))
    mixed = graph.aggregate(mesh, x @ params["neighbor"], "chebyshev")
    return x @ params["own"] + mixed + params["bias"]
