"""Copies of glTF objects, longer or shorter along each of their axes.

A few hundred objects are few for a network that guesses what nobody sees
(`docs/experiments.md`); a chair that is a fifth higher is another chair, with the same
colours and the same author.
"""

import json
import pathlib
import struct

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
      InputError: another kind of file, or see `gltf.load`.
    """
    if path.suffix.lower() != ".glb":
        raise InputError(f"{path}: only .glb files can be stretched")
    scene = gltf.load(path)
    content = scene.content
    shown = content["scenes"][content.get("scene", 0)]
    node = {"children": shown.get("nodes", []), "scale": [float(x) for x in factors]}
    content["nodes"].append(node)
    shown["nodes"] = [len(content["nodes"]) - 1]
    return _container(json.dumps(content).encode(), scene.buffers.get(0, b""))


def _container(text, binary):
    """Both chunks of a .glb, each padded to four bytes (glTF 2.0, 4.4.3)."""
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
