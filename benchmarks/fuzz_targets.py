"""Valid files of every format that users bring, and the code that reads them.

The files are made here: small, and with the rare parts of their formats.
"""

import importlib.util
import io
import json
import pathlib
import pickle
import tempfile
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import trimesh
from PIL import Image
from trimesh.exchange import gltf

from configs import rgbd
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import (
    cameras,
    captures,
    dat,
    depth_maps,
    materials,
    meshes,
    sources,
    views,
)
from pixel2mesh_jax.training import run_folder

Files = dict[str, bytes]
SIZE = 32  # pixels of the images


class Target(NamedTuple):
    """A format.

    Attributes:
      corpus: sets of files that belong together; the first one is surely valid.
      use: reads the files of a folder as the programs do.
    """

    corpus: Callable[[], list[Files]]
    use: Callable[[pathlib.Path], None]


def targets() -> dict[str, Target]:
    """All formats by name; EXR where OpenEXR is installed."""
    found = {
        suffix[1:]: Target(MESHES[suffix], _use_mesh(suffix))
        for suffix in meshes.LOAD_SUFFIXES
    }
    found["images"] = Target(_images, _use_images)
    found["dat"] = Target(_dat, _use_dat)
    found["camera"] = Target(_cameras, _use_camera)
    found["npy"] = Target(_npy, _use_depth("a_depth.npy"))
    found["config"] = Target(_configs, _use_config)
    if importlib.util.find_spec("OpenEXR"):
        found["exr"] = Target(_exr, _use_depth("a_depth.exr"))
    return found


def _use_mesh(suffix):
    def use(folder):
        surface = meshes.normalize(meshes.load_surface(folder / f"a{suffix}"))
        faces = np.arange(len(surface.faces))
        middle = np.full((len(faces), 3), 1 / 3)
        light = materials.color_at(surface.paint, faces, middle)
        for array in (surface.vertices, light):
            if not np.isfinite(array).all():
                raise ArithmeticError("a mesh that is used is not finite")

    return use


def _use_images(folder):
    (found,) = sources.find_sources(folder / "a.png")
    camera = found.camera and cameras.load_camera(found.camera, found.image)
    view = captures.load_capture(
        found.image, found.depth, camera or None, found.mask
    ).view
    square, _ = views.canonicalize(view)
    batch = views.batch_of_view(square, 16)
    for array in (batch.rgb, batch.depth, batch.mask, batch.intrinsics):
        if not np.isfinite(array).all():
            raise ArithmeticError("a batch that is used is not finite")


def _use_dat(folder):
    dat.load_points(folder / "a.dat")


def _use_camera(folder):
    matrix = depth_maps.load_intrinsics(folder / "a_camera.json")
    if not np.isfinite(matrix).all():
        raise ArithmeticError("a camera that is used is not finite")


def _use_depth(name):
    def use(folder):
        depth = depth_maps.load_depth(folder / name)
        if not np.isfinite(depth).all():
            raise ArithmeticError("a depth map that is used is not finite")

    return use


def _use_config(folder):
    run_folder.use_config(folder, {})


def _image(mode="RGB", kind="PNG", seed=0):
    noise = np.random.default_rng(seed).integers(0, 255, (SIZE, SIZE, 4), np.uint8)
    noise[8:24, 8:24, 3] = 255
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def _scene():
    """A textured square beside a coloured box, placed by nodes."""
    square = trimesh.Trimesh(
        [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], [(0, 1, 2), (0, 2, 3)]
    )
    image = Image.open(io.BytesIO(_image()))
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=image)
    square.visual = trimesh.visual.TextureVisuals(
        uv=square.vertices[:, :2], material=material
    )
    scene = trimesh.Scene()
    scene.add_geometry(square)
    scene.add_geometry(_box(), transform=np.diag([-1.0, 1, 1, 1]))
    return scene


def _box():
    box = trimesh.creation.box((1, 2, 3))
    box.visual.vertex_colors = np.arange(32, dtype=np.uint8).reshape(8, 4) * 8
    return box


def _rare_gltf() -> tuple[dict, bytes]:
    """JSON and bytes of skins, instances, sparse accessors and a moved texture."""
    blob, bufferviews, places = _rare_buffers()
    content = {
        "asset": {"version": "2.0"},
        "extensionsRequired": ["KHR_texture_transform", "EXT_mesh_gpu_instancing"],
        "buffers": [{"byteLength": len(blob), "uri": "a.bin"}],
        "bufferViews": bufferviews,
        "accessors": _rare_accessors(places),
        "images": [{"bufferView": places["image"], "mimeType": "image/png"}],
    }
    return content | _rare_scene(), blob


def _rare_buffers():
    """Bytes of all arrays, their bufferViews and the numbers of these by name."""
    positions = np.float32([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)])
    parts = {
        "positions": positions,
        "uv": (positions[:, :2] * 65535).astype(np.uint16),
        "joints": np.zeros((4, 4), np.uint8),
        "weights": np.tile(np.uint8([255, 0, 0, 0]), (4, 1)),
        "inverse": np.eye(4, dtype=np.float32),
        "moves": np.float32([(0, 0, 0), (3, 0, 0)]),
        "rows": np.uint16([1, 2]),
        "values": positions[1:3] * 2,
        "faces": np.uint16([0, 1, 2, 0, 2, 3]),
        "image": np.frombuffer(_image(), np.uint8),
    }
    blob, bufferviews, places = b"", [], {}
    for name, part in parts.items():
        places[name] = len(bufferviews)
        bufferviews.append(
            {"buffer": 0, "byteOffset": len(blob), "byteLength": part.nbytes}
        )
        blob += part.tobytes() + b"\0" * (-part.nbytes % 4)
    return blob, bufferviews, places


def _rare_accessors(places):
    def accessor(name, code, kind, count, **more):
        common = {"bufferView": places[name], "componentType": code}
        return common | {"type": kind, "count": count} | more

    sparse = {
        "count": 2,
        "indices": {"bufferView": places["rows"], "componentType": 5123},
        "values": {"bufferView": places["values"]},
    }
    return [
        accessor("positions", 5126, "VEC3", 4, sparse=sparse),
        accessor("uv", 5123, "VEC2", 4, normalized=True),
        accessor("joints", 5121, "VEC4", 4),
        accessor("weights", 5121, "VEC4", 4, normalized=True),
        accessor("inverse", 5126, "MAT4", 1),
        accessor("moves", 5126, "VEC3", 2),
        accessor("faces", 5123, "SCALAR", 6),
    ]


def _rare_scene():
    """What is made of the accessors."""
    attributes = {"POSITION": 0, "TEXCOORD_1": 1, "JOINTS_0": 2, "WEIGHTS_0": 3}
    transform = {"offset": [0.1, 0.2], "rotation": 0.3, "scale": [2, 3]}
    texture = {"index": 0, "texCoord": 1}
    texture["extensions"] = {"KHR_texture_transform": transform}
    instances = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 5}}}
    return {
        "samplers": [{"wrapS": 33071}],
        "textures": [{"source": 0, "sampler": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": texture}}],
        "meshes": [
            {
                "primitives": [
                    {"attributes": attributes, "indices": 6, "material": 0},
                    {
                        "attributes": {"POSITION": 0, "COLOR_0": 3},
                        "targets": [{"POSITION": 0}],
                        "mode": 5,
                    },
                ],
                "weights": [0.5],
            }
        ],
        "skins": [{"joints": [2], "inverseBindMatrices": 4}],
        "nodes": [
            {"mesh": 0, "skin": 0},
            {"mesh": 0, "extensions": instances, "children": [2]},
            {"rotation": [0, 0, 0.6, 0.8], "scale": [1, -1, 1]},
        ],
        "scenes": [{"nodes": [0, 1]}],
        "scene": 0,
    }


def _glb():
    content, blob = _rare_gltf()
    del content["buffers"][0]["uri"]
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    body = len(text).to_bytes(4, "little") + b"JSON" + text
    body += len(blob).to_bytes(4, "little") + b"BIN\0" + blob
    head = b"glTF" + (2).to_bytes(4, "little") + (12 + len(body)).to_bytes(4, "little")
    return [{"a.glb": head + body}, {"a.glb": _scene().export(file_type="glb")}]


def _gltf():
    content, blob = _rare_gltf()
    files = gltf.export_gltf(_scene())
    files["a.gltf"] = files.pop("model.gltf")
    return [{"a.gltf": json.dumps(content).encode(), "a.bin": blob}, files]


def _obj():
    text = (
        "mtllib a.mtl\nv 0 0 0\nv 1 0 0 1\nv 1 1 0 0.5 0.5 1\nv 0 1 0\nv 0.5 0.5 0\n"
        "vt 0 0\nvt 1 0\nvt 1 1 0\nvn 0 0 1\nusemtl one\nf 1/1 2/2 5/3 3//1 4\n"
        "usemtl two\nf -5 -4/-2/-1 -3 \\\n -2\nl 1 2\nf 1 2 3\n"
    )
    material = "newmtl one\nKd 0 0 0\nmap_Kd -s 2 2 1 -o 0.5 0 a b.png\n"
    material += 'newmtl two\nKd 0.5\nmap_Kd ".\\a b.png"\n'
    return [
        {"a.obj": text.encode(), "a.mtl": material.encode(), "a b.png": _image()},
        {"a.obj": _box().export(file_type="obj").encode()},
    ]


def _ply():
    box = _box()
    mixed = (
        "ply\nformat ascii 1.0\ncomment TextureFile a.png\nelement vertex 5\n"
        "property float x\nproperty double y\nproperty float z\nproperty float s\n"
        "property float t\nelement face 2\nproperty uchar red\nproperty uchar green\n"
        "property uchar blue\nproperty list uchar int vertex_indices\nend_header\n"
        "0 0 0 0 0\n1 0 0 1 0\n1 1 0 1 1\n0 1 0 0 1\n.2 .2 0 0 0\n"
        "1 2 3 4 0 1 2 3\n255 0 0 3 0 1 4\n"
    )
    binary = b"ply\nformat binary_big_endian 1.0\nelement vertex 4\n"
    binary += b"".join(b"property float %c\n" % axis for axis in b"xyz")
    binary += b"element face 2\nproperty list uchar ushort vertex_index\nend_header\n"
    binary += np.array([0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0], ">f4").tobytes()
    binary += b"\4" + np.array([0, 1, 2, 3], ">u2").tobytes()
    binary += b"\3" + np.array([0, 1, 2], ">u2").tobytes()
    return [
        {"a.ply": mixed.encode(), "a.png": _image()},
        {"a.ply": binary},
        {"a.ply": box.export(file_type="ply")},
        {"a.ply": box.export(file_type="ply", encoding="ascii")},
    ]


def _off():
    text = "COFF\n# colours\n4 2 0\n0 0 0 255 0 0 255\n1 0 0 255 0 0 255\n"
    text += "1 1 0 0 255 0 255\n.2 .2 0 1 2 3 4\n4 0 1 2 3 0.5 0.5 0.5\n3 0 1 2\n"
    plain = _box().export(file_type="off")
    return [{"a.off": text.encode()}, {"a.off": plain.encode()}]


def _stl():
    return [
        {"a.stl": _box().export(file_type="stl")},
        {"a.stl": _box().export(file_type="stl_ascii").encode()},
    ]


MESHES = {
    **{".glb": _glb, ".gltf": _gltf, ".obj": _obj},
    **{".ply": _ply, ".off": _off, ".stl": _stl},
}


def _images():
    depth = np.random.default_rng(0).integers(900, 1100, (SIZE, SIZE)).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(depth).save(buffer, "PNG")
    array = io.BytesIO()
    np.save(array, depth / np.float32(1000))
    intrinsics = json.dumps(camera.pinhole(40, 15.5, 15.5).tolist()).encode()
    common = {"a_mask.png": _image("L"), "a_camera.json": intrinsics}
    return [
        {"a.png": _image(), "a_depth.png": buffer.getvalue(), **common},
        {"a.png": _image("RGBA"), "a_depth.npy": array.getvalue(), **common},
        {"a.png": _image(kind="JPEG"), **common},
        {
            "a.png": _image(kind="TIFF"),
            "intrinsics.json": b"[[9,0,4],[0,9,4],[0,0,1]]",
        },
    ]


def _dat():
    points = np.random.default_rng(0).random((20, 6)).astype(np.float32)
    return [{"a.dat": pickle.dumps(points, protocol=number)} for number in (3, 4, 2, 1)]


def _cameras():
    matrix = camera.pinhole(500, 320, 240).tolist()
    size = {"width": 640, "height": 480}
    forms = (
        matrix,
        {"intrinsics": matrix},
        {"fx": 500, "fy": 501, "cx": 320, "cy": 240, **size},
        {"intrinsic_matrix": [500, 0, 0, 0, 500, 0, 320, 240, 1], **size},
        {"K": [500, 0, 320, 0, 500, 240, 0, 0, 1], "D": [0.1], **size},
        {"camera_angle_x": 0.9, "w": 640, "h": 480, "frames": []},
        {"0": {"cam_K": [500, 0, 320, 0, 500, 240, 0, 0, 1], "depth_scale": 0.1}},
    )
    mark = b"\xef\xbb\xbf"
    found = [{"a_camera.json": json.dumps(form).encode()} for form in forms]
    return [*found, {"a_camera.json": mark + found[2]["a_camera.json"]}]


def _npy():
    found = []
    for kind in (np.float32, np.uint16, np.float64, ">f4"):
        buffer = io.BytesIO()
        np.save(buffer, np.full((SIZE, SIZE), 2).astype(kind))
        found.append({"a_depth.npy": buffer.getvalue()})
    return found


def _exr():
    import OpenEXR

    depth = np.full((SIZE, SIZE), 0.8, np.float32)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with tempfile.TemporaryDirectory() as folder:  # it writes to files only
        path = pathlib.Path(folder) / "a.exr"
        OpenEXR.File(header, {"Z": depth}).write(str(path))
        return [{"a_depth.exr": path.read_bytes()}]


def _configs():
    settings = rgbd.get_config("tiny").to_dict()
    return [{run_folder.NAME: json.dumps(settings, indent=2).encode()}]
