"""Chamfer distance of two point sets, value and gradient.

Floor: 8 operations per pair and direction; no array of all pairs is needed.
"""

import importlib.util
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import cKDTree

from benchmarks.programs import Program, check_equal, compile_program
from benchmarks.timing import Case
from pixel2mesh_jax.geometry.nearest import nearest_index
from pixel2mesh_jax.losses import terms as losses

# (vertices, points, batch); the largest only where the alternative needs no array of
# all pairs.
SIZES = ((2466, 3000, 1), (2466, 3000, 4), (2466, 9000, 4), (10_000, 10_000, 1))
LARGE = (2466, 3000, 32)
TORCH = "torch.cdist"
GOAL = 4  # against it


def cases() -> Iterator[Case]:
    """Against autodiff through a minimum, torch.cdist and k-d trees."""
    for size in SIZES:
        yield from _cases(size, _alternatives())
    yield from _cases(LARGE, {"k-d tree": _kd_tree})


def _cases(size, alternatives) -> Iterator[Case]:
    num_a, num_b, batch = size
    keys = jax.random.split(jax.random.key(0))
    a = jax.random.uniform(keys[0], (batch, num_a, 3))
    b = jax.random.uniform(keys[1], (batch, num_b, 3))
    ours = compile_program(jax.value_and_grad(chamfer, (0, 1)), a, b)
    for name, make in alternatives.items():
        other = make(a, b)
        yield Case(
            f"chamfer {num_a} x {num_b}, batch {batch}",
            ours.run,
            other.run,
            name,
            _check(ours, other, exact=name != TORCH),
            goal=GOAL if name == TORCH else None,
            note=_memory(ours, other),
        )


def chamfer(a: jax.Array, b: jax.Array) -> jax.Array:
    """Mean over the batch of both directions, as in training."""

    def one(a, b):
        there = losses.directed_chamfer(a, b, nearest_index(a, b))
        return there + losses.directed_chamfer(b, a, nearest_index(b, a))

    return jnp.mean(jax.vmap(one)(a, b))


def _alternatives() -> dict[str, Callable]:
    found = {"autodiff through min": _through_min, "k-d tree": _kd_tree}
    if importlib.util.find_spec("torch"):
        found[TORCH] = _torch
    return found


def _through_min(a, b):
    def distance(a, b):
        squared = jnp.sum((a[:, :, None] - b[:, None]) ** 2, axis=-1)
        return jnp.mean(squared.min(axis=1)) + jnp.mean(squared.min(axis=2))

    return compile_program(jax.value_and_grad(distance, (0, 1)), a, b)


def _kd_tree(a, b):
    """Neighbours by scipy on the host, the gradient by hand."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)

    def run():
        value, gradients = 0.0, (np.zeros_like(a), np.zeros_like(b))
        for i in range(len(a)):
            for x, y, dx, dy in ((a, b, *gradients), (b, a, *gradients[::-1])):
                nearest = cKDTree(y[i]).query(x[i], workers=-1)[1]
                difference = x[i] - y[i][nearest]
                factor = 2 / difference.shape[0] / len(a)
                dx[i] += factor * difference
                np.subtract.at(dy[i], nearest, factor * difference)
                value += np.mean(np.sum(difference**2, axis=-1)) / len(a)
        return value, gradients

    return Program(run, 0.0)


def _torch(a, b):
    import torch

    a, b = (torch.tensor(np.asarray(x), requires_grad=True) for x in (a, b))

    def run():
        squared = torch.cdist(a, b) ** 2
        there = squared.min(dim=2).values.mean()
        value = there + squared.min(dim=1).values.mean()
        gradients = torch.autograd.grad(value, (a, b))
        return value.detach().numpy(), tuple(g.numpy() for g in gradients)

    pairs = a.shape[0] * a.shape[1] * b.shape[1] * a.element_size()
    return Program(run, 2 * pairs / 1e6)


def _check(ours, other, exact):
    """Value and gradient; the matrix form of cdist picks some wrong neighbours."""
    if exact:
        return check_equal(ours.run, other.run)
    return check_equal(lambda: ours.run()[0], lambda: other.run()[0], rtol=1e-3)


def _memory(ours, other):
    return f"temporaries {ours.temporary:.1f} and {other.temporary:.0f} MB"
