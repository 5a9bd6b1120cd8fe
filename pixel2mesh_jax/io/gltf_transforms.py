"""Transforms of glTF 2.0: of nodes, instances and textures."""

import math

import numpy as np
from jaxtyping import Shaped


def node_matrix(node: dict) -> Shaped[np.ndarray, "4 4"]:
    """Transform of a node into the frame of its parent (5.25)."""
    if "matrix" in node:
        return np.array(node["matrix"], float).reshape(4, 4).T
    return compose(
        np.array([node.get("translation", (0, 0, 0))], float),
        np.array([node.get("rotation", (0, 0, 0, 1))], float),
        np.array([node.get("scale", (1, 1, 1))], float),
    )[0]


def compose(
    translation: Shaped[np.ndarray, "N 3"],
    rotation: Shaped[np.ndarray, "N 4"],
    scale: Shaped[np.ndarray, "N 3"],
) -> Shaped[np.ndarray, "N 4 4"]:
    """Transforms that scale, then turn by quaternions (x, y, z, w), then move."""
    length = np.linalg.norm(rotation, axis=1, keepdims=True)
    x, y, z, w = np.where(length > 0, rotation / np.maximum(length, 1e-12), 0).T
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    result = np.zeros((len(translation), 4, 4))
    result[:, :3, :3] = np.moveaxis(turn, 2, 0) * scale[:, None, :]
    result[:, :3, 3], result[:, 3, 3] = translation, 1
    return result


def texture_matrix(transform: dict) -> Shaped[np.ndarray, "2 3"]:
    """KHR_texture_transform: new (u, v) = matrix @ (u, v, 1), v down.

    It turns counter-clockwise on the image, as the text of the extension, its test
    model and viewers do; the matrix printed in that text turns the other way.
    """
    angle = float(transform.get("rotation", 0.0))
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    scale = np.array(transform.get("scale", (1, 1)), float)
    offset = np.array(transform.get("offset", (0, 0)), float)
    return np.column_stack([turn * scale, offset])
