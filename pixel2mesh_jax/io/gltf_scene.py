"""The triangles and colours that a glTF 2.0 scene shows at rest, without animation."""

import logging
import pathlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import gltf as container
from pixel2mesh_jax.io import gltf_transforms, materials, mesh_limits
from pixel2mesh_jax.io.gltf import accessor
from pixel2mesh_jax.io.gltf_materials import Look, Looks

# Modes of a primitive that are triangles (5.24.4).
TRIANGLES, STRIP, FAN = 4, 5, 6
INSTANCES = "EXT_mesh_gpu_instancing"
# What Python raises where the JSON lacks a member, or has one of another type.
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, OverflowError)

logger = logging.getLogger(__name__)


class Part(NamedTuple):
    """One placed primitive.

    Attributes:
      vertices: frame of the scene.
      faces: rows of `vertices`.
      look: colours of the faces.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    look: Look


def read(
    path: pathlib.Path,
) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"], materials.Paint]:
    """Vertices, faces and colours of a file; none of them if it shows no triangles.

    Raises:
      InputError: see `container.load`; or the file contradicts itself.
    """
    gltf = container.load(path)
    try:
        return _shown_surface(gltf)
    except InputError:
        raise
    except _MALFORMED as error:
        raise InputError(
            "cannot be read: its JSON is not as glTF 2.0 wants it "
            f"({type(error).__name__}: {error})"
        ) from error


def _shown_surface(gltf):
    looks, parts, faces, vertices = Looks(gltf), [], 0, 0
    world = _world(gltf)
    for number in _shown(gltf):
        node = gltf.item("nodes", number)
        if "mesh" not in node:
            continue
        for primitive in gltf.item("meshes", node["mesh"])["primitives"]:
            for part in _parts(gltf, node, world, number, primitive, looks):
                faces, vertices = faces + len(part.faces), vertices + len(part.vertices)
                mesh_limits.check_counts(vertices, faces)
                parts.append(part)
    return _joined(parts, looks)


def _joined(parts, looks):
    counts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    nothing = Part(np.zeros((0, 3)), np.zeros((0, 3), int), Look.plain(0))
    parts = [nothing, *parts]
    faces = [
        part.faces + count for part, count in zip(parts, [0, *counts], strict=False)
    ]
    paint = materials.paint_faces(
        np.concatenate([part.look.colors for part in parts]),
        np.concatenate([part.look.uv for part in parts]),
        np.concatenate([part.look.number for part in parts]),
        looks.textures.images,
    )
    vertices = np.concatenate([part.vertices for part in parts])
    return vertices, np.concatenate(faces), paint


def _parts(gltf, node, world, number, primitive, looks):
    """The primitive at every place where its node shows it."""
    if primitive.get("mode", TRIANGLES) not in (TRIANGLES, STRIP, FAN):
        return  # lines and points
    container.check_compression(gltf, primitive)
    weights = node.get("weights", gltf.item("meshes", node["mesh"]).get("weights", []))
    vertices = _positions(gltf, primitive, weights)
    faces = _faces(gltf, primitive, len(vertices))
    look = looks.of(primitive, faces)
    if "skin" in node and "JOINTS_0" in primitive["attributes"]:
        vertices = _skinned(gltf, node["skin"], world, primitive, vertices)
        yield Part(vertices, faces, look)
        return
    places = _places(gltf, node, world[number])
    mesh_limits.check_counts(len(places) * len(vertices), len(places) * len(faces))
    for place in places:
        moved = camera.transform_points(vertices, place)
        if np.linalg.det(place[:3, :3]) < 0:
            yield Part(moved, faces[:, ::-1], look.reversed())
        else:
            yield Part(moved, faces, look)


def _positions(gltf, primitive, weights):
    """Vertices with the morph targets at their weights (3.7.2.2)."""
    vertices = accessor(gltf, primitive["attributes"]["POSITION"]).astype(float)
    for target, weight in zip(primitive.get("targets", []), weights, strict=False):
        if weight and "POSITION" in target:
            vertices = vertices + weight * accessor(gltf, target["POSITION"])
    if vertices.shape[1] != 3:
        raise InputError("cannot be read: positions of vertices are not VEC3")
    return vertices


def _faces(gltf, primitive, num_vertices):
    """Triangles of a primitive, of whichever mode."""
    if "indices" in primitive:
        corners = accessor(gltf, primitive["indices"])[:, 0].astype(np.int64)
    else:
        corners = np.arange(num_vertices)
    mesh_limits.check_indices(corners, num_vertices)
    mode = primitive.get("mode", TRIANGLES)
    if mode == TRIANGLES:
        return corners[: len(corners) // 3 * 3].reshape(-1, 3)
    first = np.arange(max(len(corners) - 2, 0))
    if mode == FAN:
        return corners[np.stack([first + 1, first + 2, 0 * first], axis=1)]
    odd = first % 2
    return corners[np.stack([first, first + 1 + odd, first + 2 - odd], axis=1)]


def _places(gltf, node, world):
    """Transforms into the scene: one, or those of EXT_mesh_gpu_instancing."""
    instances = node.get("extensions", {}).get(INSTANCES)
    if instances is None:
        return world[None]
    values = {
        name: accessor(gltf, index)
        for name, index in instances["attributes"].items()
        if name in ("TRANSLATION", "ROTATION", "SCALE")
    }
    count = min((len(value) for value in values.values()), default=1)
    defaults = {"TRANSLATION": (0, 0, 0), "ROTATION": (0, 0, 0, 1), "SCALE": (1, 1, 1)}
    chosen = [
        values[name][:count].astype(float)
        if name in values
        else np.tile(np.array(default, float), (count, 1))
        for name, default in defaults.items()
    ]
    return world @ gltf_transforms.compose(*chosen)


def _skinned(gltf, index, world, primitive, vertices):
    """Vertices in the scene by their joints, whatever the node of the mesh (3.7.3)."""
    skin = gltf.item("skins", index)
    joints = np.array([world[joint] for joint in skin["joints"]])
    if "inverseBindMatrices" in skin:
        inverse = accessor(gltf, skin["inverseBindMatrices"])[: len(joints)]
        joints = joints @ inverse.reshape(-1, 4, 4).transpose(0, 2, 1)
    attributes = primitive["attributes"]
    moved, total = np.zeros_like(vertices), np.zeros((len(vertices), 1))
    for i in range(len(attributes)):
        if f"JOINTS_{i}" not in attributes:
            break
        numbers = accessor(gltf, attributes[f"JOINTS_{i}"]).astype(int)
        shares = accessor(gltf, attributes[f"WEIGHTS_{i}"]).astype(float)
        for number, share in zip(numbers.T, shares.T, strict=True):
            number = np.where(share != 0, number, 0)
            mesh_limits.check_indices(number, len(joints))
            turned = np.einsum("vij,vj->vi", joints[number, :3, :3], vertices)
            moved += share[:, None] * (turned + joints[number, :3, 3])
            total += share[:, None]
    return moved / np.where(total > 0, total, 1)


def _world(gltf):
    """Transform into the scene of every node, reached from the roots downwards."""
    nodes = gltf.content.get("nodes", [])
    children = {child for node in nodes for child in node.get("children", [])}
    roots = [i for i in range(len(nodes)) if i not in children]
    world, waiting = {}, [(root, np.eye(4)) for root in roots]
    while waiting:
        number, parent = waiting.pop()
        if number in world:
            raise InputError(f"cannot be read: node {number} has two parents")
        node = gltf.item("nodes", number)
        world[number] = parent @ gltf_transforms.node_matrix(node)
        waiting += [(child, world[number]) for child in node.get("children", [])]
    if len(world) < len(nodes):
        raise InputError("cannot be read: some nodes are their own ancestors")
    return world


def _shown(gltf):
    """Nodes of the scene that is shown, parents first."""
    scenes, nodes = gltf.content.get("scenes", []), gltf.content.get("nodes", [])
    if scenes:
        roots = gltf.item("scenes", gltf.content.get("scene", 0)).get("nodes", [])
    else:
        children = {child for node in nodes for child in node.get("children", [])}
        roots = [i for i in range(len(nodes)) if i not in children]
    shown, waiting = [], list(reversed(roots))
    while waiting:
        number = waiting.pop()
        node = gltf.item("nodes", number)
        visibility = node.get("extensions", {}).get("KHR_node_visibility", {})
        if not visibility.get("visible", True):
            continue
        shown.append(number)
        waiting += reversed(node.get("children", []))
        if len(shown) > len(nodes):
            raise InputError("cannot be read: a node is shown twice")
    return shown
