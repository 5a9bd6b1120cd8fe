"""glTF files made by hand, member by member, as their specification words it."""

import base64
import json
import struct

import numpy as np

TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
COMPONENTS = {
    **{"int8": 5120, "uint8": 5121, "int16": 5122, "uint16": 5123},
    **{"uint32": 5125, "float32": 5126},
}
# The unit square in the xy plane, counter-clockwise seen from +z.
CORNERS = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], np.float32)
FACES = np.array([0, 1, 2, 0, 2, 3], np.uint16)


class File:
    """A glTF file in the making; `content` is its JSON."""

    def __init__(self, **content):
        self.content = {"asset": {"version": "2.0"}, **content}
        self._data = bytearray()

    def view(self, data: bytes) -> int:
        """Number of a new bufferView."""
        views = self.content.setdefault("bufferViews", [])
        start = len(self._data)
        views.append({"buffer": 0, "byteOffset": start, "byteLength": len(data)})
        self._data += data + b"\0" * (-len(data) % 4)
        return len(views) - 1

    def accessor(self, array: np.ndarray, **more) -> int:
        """Number of a new accessor of (N,) or (N, C) values."""
        array = np.ascontiguousarray(array)
        width = 1 if array.ndim == 1 else int(np.prod(array.shape[1:]))
        entry = {
            "bufferView": self.view(array.tobytes()),
            "componentType": COMPONENTS[array.dtype.name],
            "count": len(array),
            "type": TYPES[width],
            **more,
        }
        entries = self.content.setdefault("accessors", [])
        entries.append(
            {key: value for key, value in entry.items() if value is not None}
        )
        return len(entries) - 1

    def mesh(self, material=None, positions=CORNERS, indices=FACES, **attributes):
        """Number of a new mesh; attributes are numbers of accessors."""
        primitive = {
            "attributes": {"POSITION": self.accessor(positions), **attributes},
            "indices": self.accessor(indices),
        }
        if material is not None:
            self.content.setdefault("materials", []).append(material)
            primitive["material"] = len(self.content["materials"]) - 1
        self.content.setdefault("meshes", []).append({"primitives": [primitive]})
        return len(self.content["meshes"]) - 1

    def image(self, content: bytes) -> int:
        """Number of a new texture from the bytes of an image."""
        images = self.content.setdefault("images", [])
        images.append({"bufferView": self.view(content), "mimeType": "image/png"})
        entries = self.content.setdefault("textures", [])
        entries.append({"source": len(images) - 1})
        return len(entries) - 1

    def show(self, *nodes: dict) -> "File":
        """All nodes; those that no other one has as a child are in the scene."""
        children = {child for node in nodes for child in node.get("children", [])}
        roots = [i for i in range(len(nodes)) if i not in children]
        self.content |= {"nodes": list(nodes), "scenes": [{"nodes": roots}]}
        return self

    def write(self, path):
        """As .glb or .gltf, after the name; returns the path."""
        buffer = {"byteLength": len(self._data)}
        if path.suffix == ".gltf":
            body = base64.b64encode(bytes(self._data)).decode()
            buffer["uri"] = f"data:application/octet-stream;base64,{body}"
            self.content["buffers"] = [buffer]
            path.write_text(json.dumps(self.content))
            return path
        self.content["buffers"] = [buffer]
        text = json.dumps(self.content).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(self._data), b"BIN\0") + bytes(self._data)
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
        return path
