"""Copies of glTF objects, longer or shorter along each of their axes.

A few hundred objects are few for a network that guesses what nobody sees
(`docs/experiments.md`); a chair that is a fifth higher is another chair, with the same
colours and the same author.
"""

import pathlib

import numpy as np
from jaxtyping import Float

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import gltf

# The largest factor of an axis, and the inverse of the smallest. Two of a copy differ
# by at most its square, which few pairs of real objects of a kind exceed.
MOST = 1.3


def random_factors(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """Of the axes, none preferred: uniform between 1 / MOST and MOST on a log scale."""
    return np.exp(rng.uniform(-np.log(MOST), np.log(MOST), 3))


def stretched(path: pathlib.Path, factors: Float[np.ndarray, "3"]) -> bytes:
    """A .glb of the scene under one more node, which scales it.

    Args:
      path: of a .glb file.
      factors: of x, y and z.

    Raises:
      InputError: another kind of file, one without a scene, or see `gltf.load`.
    """
    if path.suffix.lower() != ".glb":
        raise InputError(f"{path}: only .glb files can be stretched")
    try:
        scene = gltf.load(path)
        shown = scene.item("scenes", scene.content.get("scene", 0))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    nodes = scene.content.setdefault("nodes", [])
    scale = [float(factor) for factor in factors]
    nodes.append({"children": shown.get("nodes", []), "scale": scale})
    shown["nodes"] = [len(nodes) - 1]
    return gltf.container(scene.content, scene.buffers.get(0, b""))
