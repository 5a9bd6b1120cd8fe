"""glTF 2.0 containers: JSON, buffers and accessors -> numpy arrays.

Source: Khronos Group, *glTF 2.0 Specification*, 2.0.1. What the scene means is in
`gltf_scene.py`. Read here and not by trimesh because its reader (5.2.0) drops without a
word what decides the shape and the colours: `normalized` and `sparse` accessors, skins,
instances, sets of texture coordinates, parts that are compressed.
"""

import base64
import json
import pathlib
import struct
import urllib.parse
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import mesh_limits, textures

# componentType of the specification -> little-endian numpy type.
COMPONENTS = {
    **{5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2"},
    **{5125: "<u4", 5126: "<f4"},
}
# Type of an accessor -> components per element.
TYPES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
# Extensions that a file may require: those that are done, and those that change neither
# shape nor base colour.
DONE = {
    "EXT_mesh_gpu_instancing",
    "EXT_texture_avif",
    "EXT_texture_webp",
    "KHR_lights_punctual",
    "KHR_materials_pbrSpecularGlossiness",
    "KHR_mesh_quantization",
    "KHR_node_visibility",
    "KHR_texture_transform",
    "KHR_xmp_json_ld",
    *(
        f"KHR_materials_{name}"
        for name in (
            *("anisotropy", "clearcoat", "diffuse_transmission", "dispersion"),
            *("emissive_strength", "ior", "iridescence", "sheen", "specular"),
            *("transmission", "unlit", "variants", "volume"),
        )
    ),
}
# Extensions that are met in practice and not done -> what to do.
REMEDIES = {
    "KHR_draco_mesh_compression": "export it without compression",
    "EXT_meshopt_compression": "export it without compression (gltfpack without -c)",
    "KHR_meshopt_compression": "export it without compression (gltfpack without -c)",
    "KHR_texture_basisu": "export it with PNG or JPEG textures",
}
_HEADER, _CHUNK = struct.Struct("<4sII"), struct.Struct("<I4s")


class Gltf(NamedTuple):
    """A file as it is on disk.

    Attributes:
      path: of the file; its neighbours are read when they are needed.
      content: the JSON.
      buffers: bytes of every buffer that was read so far.
    """

    path: pathlib.Path
    content: dict
    buffers: dict[int, bytes]

    def item(self, kind: str, index: int) -> dict:
        """An entry of a list of the JSON. Raises InputError if it is not there."""
        entries = self.content.get(kind, [])
        if not isinstance(index, int) or not 0 <= index < len(entries):
            raise InputError(f"refers to {kind} {index}, the file has {len(entries)}")
        return entries[index]


def load(path: pathlib.Path) -> Gltf:
    """Reads .glb or .gltf.

    Raises:
      InputError: not glTF 2, too large, or in need of an extension that is not done.
    """
    data = mesh_limits.read_bytes(path)
    if data[:4] == b"glTF":
        text, binary = _chunks(data)
    else:
        text, binary = data, None
    content = _parsed(text)
    asset = content.get("asset")
    version = asset.get("version") if isinstance(asset, dict) else None
    if not str(version).startswith("2."):
        raise InputError(f"cannot be read: it is glTF of version {version}, not 2.0")
    required = content.get("extensionsRequired", [])
    for name in map(str, required if isinstance(required, list) else [required]):
        if name not in DONE:
            raise _not_done(name)
    return Gltf(path, content, {} if binary is None else {0: binary})


def container(content: dict, binary: bytes) -> bytes:
    """A .glb of the JSON and of one buffer, each padded to four bytes (4.4.3)."""
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = _CHUNK.pack(len(text), b"JSON") + text
    chunks += _CHUNK.pack(len(binary), b"BIN\0") + binary
    return _HEADER.pack(b"glTF", 2, _HEADER.size + len(chunks)) + chunks


def check_compression(gltf: Gltf, primitive: dict) -> None:
    """Raises InputError if the shape of a primitive exists in compressed form only."""
    name = "KHR_draco_mesh_compression"
    if name in primitive.get("extensions", {}):
        places = [primitive["attributes"]["POSITION"], primitive.get("indices")]
        entries = [gltf.item("accessors", i) for i in places if i is not None]
        if any("bufferView" not in entry for entry in entries):
            raise _not_done(name)


def view_bytes(gltf: Gltf, index: int) -> tuple[memoryview, int]:
    """Bytes of a bufferView, and its stride (0: packed)."""
    view = gltf.item("bufferViews", index)
    buffer = memoryview(_buffer(gltf, view["buffer"]))
    start, length = view.get("byteOffset", 0), view["byteLength"]
    if min(start, length) < 0 or start + length > len(buffer):
        raise InputError(
            f"cannot be read: bufferView {index} ends at byte {start + length} of "
            f"{len(buffer)}; is the file complete?"
        )
    return buffer[start : start + length], view.get("byteStride", 0)


def accessor(gltf: Gltf, index: int) -> Shaped[np.ndarray, "N C"]:
    """Elements of an accessor: floats if stored so or `normalized`, else integers."""
    entry = gltf.item("accessors", index)
    count, width = entry["count"], TYPES.get(entry["type"])
    kind = COMPONENTS.get(entry["componentType"])
    if width is None or kind is None or not isinstance(count, int) or count < 0:
        raise InputError(f"cannot be read: accessor {index} is of no known type")
    mesh_limits.check_counts(count // 3, 0)  # no more than corners of faces
    if "bufferView" in entry:
        offset = entry.get("byteOffset", 0)
        values = _elements(gltf, entry["bufferView"], offset, count, kind, width)
    else:
        values = np.zeros((count, width), kind)
    if "sparse" in entry:
        values = _with_sparse(gltf, entry["sparse"], values)
    return _denormalized(values) if entry.get("normalized") else values


def _with_sparse(gltf, sparse, values):
    """Values of which some are replaced (3.6.2.3)."""
    places, replaced, count = sparse["indices"], sparse["values"], sparse["count"]
    kind, width = COMPONENTS[places["componentType"]], values.shape[1]
    offset = places.get("byteOffset", 0)
    rows = _elements(gltf, places["bufferView"], offset, count, kind, 1)[:, 0]
    mesh_limits.check_indices(rows, len(values))
    offset = replaced.get("byteOffset", 0)
    values = values.copy()
    values[rows] = _elements(
        gltf, replaced["bufferView"], offset, count, values.dtype.str, width
    )
    return values


def _elements(gltf, view, offset, count, kind, width):
    """`count` rows of `width` numbers of a bufferView."""
    data, stride = view_bytes(gltf, view)
    size = np.dtype(kind).itemsize
    stride = stride or size * width
    needed = offset + (count - 1) * stride + size * width if count else 0
    if min(offset, stride, count) < 0 or needed > len(data):
        raise InputError(
            f"cannot be read: bufferView {view} has {len(data)} bytes, its accessor "
            f"needs {needed}"
        )
    if not count:
        return np.zeros((0, width), kind)
    return np.ndarray((count, width), kind, data, offset, (stride, size))


def _denormalized(values):
    """Integers as shares of the largest one, at least -1 (3.6.2.2)."""
    if not np.issubdtype(values.dtype, np.integer):
        return values
    return np.maximum(values / np.iinfo(values.dtype).max, -1.0)


def _chunks(data):
    """JSON and binary chunk of a .glb."""
    if len(data) < _HEADER.size:
        raise InputError("cannot be read: it ends within its header")
    _, version, length = _HEADER.unpack_from(data)
    if version != 2:
        raise InputError(f"cannot be read: it is glTF of version {version}, not 2")
    if length > len(data):
        raise InputError(f"cannot be read: it ends after {len(data)} of {length} bytes")
    chunks, place = {}, _HEADER.size
    while place + _CHUNK.size <= len(data):
        size, kind = _CHUNK.unpack_from(data, place)
        place += _CHUNK.size
        chunks.setdefault(kind, data[place : place + size])
        place += size
    return chunks.get(b"JSON", b""), chunks.get(b"BIN\0")


def _parsed(text):
    if sum(map(text.count, (b",", b"[", b"{"))) > mesh_limits.MAX_JSON_VALUES:
        raise InputError(
            f"its JSON holds more than {mesh_limits.MAX_JSON_VALUES:,} values"
        )
    try:
        content = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"cannot be read: not glTF ({error})") from error
    if not isinstance(content, dict):
        raise InputError("cannot be read: not glTF (the JSON is no object)")
    return content


def _buffer(gltf, index):
    """Bytes of a buffer: of the .glb, in the JSON, or of a neighbour."""
    if index not in gltf.buffers:
        entry = gltf.item("buffers", index)
        if "uri" not in entry:
            for name in REMEDIES:
                if name in entry.get("extensions", {}):
                    raise _not_done(name)
            raise InputError(f"cannot be read: buffer {index} is nowhere")
        content = uri_content(gltf, entry["uri"])
        if content is None:
            raise InputError(
                f"its buffer {entry['uri']!r} is not in the folder of the file"
            )
        if isinstance(content, pathlib.Path):
            content = mesh_limits.read_bytes(content)
        gltf.buffers[index] = content
    return gltf.buffers[index]


def uri_content(gltf: Gltf, uri: str) -> pathlib.Path | bytes | None:
    """What a URI of the JSON means: a file, the bytes in it, or None if it is lost."""
    if uri.startswith("data:"):
        head, _, body = uri.partition(",")
        return base64.b64decode(body) if head.endswith(";base64") else None
    return textures.beside(gltf.path, urllib.parse.unquote(uri))


def _not_done(name):
    remedy = REMEDIES.get(name, "export it without this extension")
    what = "compressed with" if "compression" in name else "in need of"
    return InputError(f"is {what} {name}, which cannot be read: {remedy}")
