"""What the specification of glTF 2.0 says a file means is what is read."""

import io
import itertools
import json

import numpy as np
import pygltflib
import pytest
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import materials, mesh_limits, meshes
from tests.io.gltf_files import CORNERS, FACES, File

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
# Corners of the square -> texture coordinates, v down.
UV = np.float32([(0, 1), (1, 1), (1, 0), (0, 0)])


def png(*rows):
    buffer = io.BytesIO()
    Image.fromarray(np.array(rows, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


FOUR = png([RED, GREEN], [BLUE, WHITE])


def colors_of(surface):
    """sRGB bytes at the middle of every triangle."""
    count = len(surface.faces)
    light = materials.color_at(
        surface.paint, np.arange(count), np.full((count, 3), 1 / 3)
    )
    return np.round(materials.srgb_from_linear(light) * 255).astype(int)


def box_of(surface):
    return np.stack(meshes.bounding_box(surface)).round(5).tolist()


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_vertex_colors_of_every_type(tmp_path, suffix, kind):
    file, largest = File(), 1 if kind is np.float32 else np.iinfo(kind).max
    colors = (np.tile([1.0, 0, 0, 1], (4, 1)) * largest).astype(kind)
    stored = file.accessor(colors, normalized=kind is not np.float32)
    file.show({"mesh": file.mesh(COLOR_0=stored)})
    surface = meshes.load_surface(file.write(tmp_path / f"a{suffix}"))
    assert (colors_of(surface) == RED).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_texture_coordinates_of_every_type(tmp_path, kind):
    file, largest = File(), 1 if kind is np.float32 else np.iinfo(kind).max
    stored = file.accessor((UV * largest).astype(kind), normalized=kind != np.float32)
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    file.show({"mesh": file.mesh(material, TEXCOORD_0=stored)})
    file.image(png([RED, GREEN], [BLUE, WHITE]))
    surface = meshes.load_surface(file.write(tmp_path / "a.glb"))
    # triangles below and above the diagonal: centres (2/3, 1/3) and (1/3, 2/3)
    assert colors_of(surface).tolist() == [list(WHITE), list(RED)]


def test_quantized_positions_are_shares_of_the_largest_integer(tmp_path):
    file = File(extensionsRequired=["KHR_mesh_quantization"])
    corners = (CORNERS * 32767).astype(np.int16)
    mesh = file.mesh(positions=corners)
    file.content["accessors"][0]["normalized"] = True
    file.show({"mesh": mesh, "scale": [2, 2, 2]})
    surface = meshes.load_surface(file.write(tmp_path / "a.glb"))
    assert box_of(surface) == [[0, 0, 0], [2, 2, 0]]


@pytest.mark.parametrize("base", [True, False], ids=["on values", "on zeros"])
def test_sparse_accessors(tmp_path, base):
    file = File()
    mesh = file.mesh()
    entry = file.content["accessors"][0]
    rows = np.array([2] if base else [1, 2, 3], np.uint16)
    entry["sparse"] = {
        "count": len(rows),
        "indices": {"bufferView": file.view(rows.tobytes()), "componentType": 5123},
        "values": {"bufferView": file.view((CORNERS[rows] * 3).tobytes())},
    }
    if not base:
        del entry["bufferView"]
    surface = meshes.load_surface(file.show({"mesh": mesh}).write(tmp_path / "a.glb"))
    expected = CORNERS.copy()
    expected[rows] *= 3
    np.testing.assert_allclose(surface.vertices, expected)


def test_the_set_of_texture_coordinates_that_a_texture_asks_for(tmp_path):
    file = File()
    sets = [file.accessor(np.full((4, 2), place, np.float32)) for place in (0.25, 0.75)]
    texture = {"index": file.image(FOUR), "texCoord": 1}
    material = {"pbrMetallicRoughness": {"baseColorTexture": texture}}
    mesh = file.mesh(material, TEXCOORD_0=sets[0], TEXCOORD_1=sets[1])
    path = file.show({"mesh": mesh}).write(tmp_path / "a.glb")
    assert (colors_of(meshes.load_surface(path)) == WHITE).all()
    texture["extensions"] = {"KHR_texture_transform": {"texCoord": 0}}
    path = file.write(tmp_path / "b.glb")
    assert (colors_of(meshes.load_surface(path)) == RED).all()


@pytest.mark.parametrize(
    ("transform", "color"),
    [
        ({"offset": [0.5, 0]}, GREEN),
        ({"scale": [0.5, 2.6]}, BLUE),  # (0.25, 0.25) becomes (0.125, 0.65)
        # (0.25, 0.25) turned by a quarter is (0.25, -0.25), the image repeats
        ({"rotation": np.pi / 2}, BLUE),
        # scaled (0.75, 0.25), turned (0.25, -0.75), moved (0.55, -0.25)
        ({"rotation": np.pi / 2, "scale": [3, 1], "offset": [0.3, 0.5]}, WHITE),
    ],
)
def test_texture_transforms(tmp_path, transform, color):
    file = File(extensionsRequired=["KHR_texture_transform"])
    uv = file.accessor(np.full((4, 2), 0.25, np.float32))
    texture = {"index": file.image(FOUR)}
    texture["extensions"] = {"KHR_texture_transform": transform}
    material = {"pbrMetallicRoughness": {"baseColorTexture": texture}}
    file.show({"mesh": file.mesh(material, TEXCOORD_0=uv)})
    surface = meshes.load_surface(file.write(tmp_path / "a.glb"))
    assert (colors_of(surface) == color).all()


def test_instances(tmp_path):
    """Each is scaled, turned, moved, and then placed by its node."""
    file = File(extensionsRequired=["EXT_mesh_gpu_instancing"])
    half = np.sqrt(0.5)
    attributes = {
        "TRANSLATION": file.accessor(np.float32([(0, 0, 0), (10, 0, 0)])),
        "ROTATION": file.accessor(np.float32([(0, 0, 0, 1), (0, 0, half, half)])),
        "SCALE": file.accessor(np.float32([(1, 1, 1), (2, 3, 1)])),
    }
    extensions = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    node = {"mesh": file.mesh(), "extensions": extensions, "translation": [0, 0, 5]}
    surface = meshes.load_surface(file.show(node).write(tmp_path / "a.glb"))
    assert len(surface.faces) == 4
    # the second one reaches from x = 10 - 3 to 10 and from y = 0 to 2
    assert box_of(surface) == [[0, 0, 5], [10, 2, 5]]
    np.testing.assert_allclose(surface.vertices[4:, 0].min(), 7, atol=1e-6)


def test_skins_show_their_rest_pose_wherever_the_node_stands(tmp_path):
    file = File()
    joints = file.accessor(np.tile(np.uint8([1, 0, 0, 0]), (4, 1)))
    weights = file.accessor(np.tile(np.float32([0.75, 0.25, 0, 0]), (4, 1)))
    mesh = file.mesh(JOINTS_0=joints, WEIGHTS_0=weights)
    inverse = np.tile(np.eye(4, dtype=np.float32), (2, 1, 1))
    inverse[1, 3, :3] = (1, 0, 0)  # column by column: a move by +x
    file.content["skins"] = [
        {"joints": [2, 1], "inverseBindMatrices": file.accessor(inverse.reshape(2, 16))}
    ]
    file.show(
        {"mesh": mesh, "skin": 0, "translation": [99, 99, 99]},
        {"translation": [0, 8, 0], "children": [2]},
        {"translation": [4, 0, 0]},
    )
    surface = meshes.load_surface(file.write(tmp_path / "a.glb"))
    # joint 1 of the skin is node 1: (1, 8, 0); joint 0 is node 2: (4, 8, 0)
    expected = CORNERS + 0.75 * np.array([1, 8, 0]) + 0.25 * np.array([4, 8, 0])
    np.testing.assert_allclose(surface.vertices, expected)


def test_morph_targets_at_their_initial_weights(tmp_path):
    file = File()
    mesh = file.mesh()
    target = file.accessor(np.tile(np.float32([0, 0, 2]), (4, 1)))
    file.content["meshes"][0]["primitives"][0]["targets"] = [{"POSITION": target}]
    file.content["meshes"][0]["weights"] = [0.5]
    path = file.show({"mesh": mesh}).write(tmp_path / "a.glb")
    np.testing.assert_allclose(meshes.load_surface(path).vertices[:, 2], 1)


@pytest.mark.parametrize(
    ("mode", "indices", "faces"),
    [
        (4, [0, 1, 2, 0, 2, 3], [[0, 1, 2], [0, 2, 3]]),
        (5, [0, 1, 3, 2], [[0, 1, 3], [1, 2, 3]]),
        (6, [0, 1, 2, 3], [[1, 2, 0], [2, 3, 0]]),
    ],
    ids=["triangles", "strip", "fan"],
)
def test_modes_of_primitives(tmp_path, mode, indices, faces):
    file = File()
    mesh = file.mesh(indices=np.array(indices, np.uint8))
    file.content["meshes"][0]["primitives"][0]["mode"] = mode
    surface = meshes.load_surface(file.show({"mesh": mesh}).write(tmp_path / "a.glb"))
    assert surface.faces.tolist() == faces


def test_mirrored_nodes_still_face_outwards(tmp_path):
    file = File()
    file.show({"mesh": file.mesh(), "scale": [-1, 1, 1]})
    surface = meshes.load_surface(file.write(tmp_path / "a.glb"))
    a, b, c = surface.vertices[surface.faces[0]]
    assert np.cross(b - a, c - a)[2] > 0


def test_nodes_beside_the_scene_and_hidden_ones_are_not_shown(tmp_path):
    file = File()
    mesh = file.mesh()
    hidden = {"KHR_node_visibility": {"visible": False}}
    file.show(
        {"mesh": mesh},
        {"extensions": hidden, "children": [2]},
        {"mesh": mesh, "translation": [5, 0, 0]},
        {"mesh": mesh, "translation": [9, 0, 0]},
    )
    file.content["scenes"] = [{"nodes": [3]}, {"nodes": [0, 1]}]
    file.content["scene"] = 1
    surface = meshes.load_surface(file.write(tmp_path / "a.glb"))
    assert box_of(surface) == [[0, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("KHR_draco_mesh_compression", "compressed with .* without compression"),
        ("EXT_meshopt_compression", "compressed with .* .gltfpack without -c"),
        ("KHR_texture_basisu", "in need of .* PNG or JPEG"),
        ("ACME_new_shape", "in need of ACME_new_shape"),
    ],
)
def test_what_is_required_and_not_done_is_refused_by_name(tmp_path, name, words):
    file = File(extensionsRequired=[name])
    file.show({"mesh": file.mesh()})
    with pytest.raises(InputError, match=words):
        meshes.load_surface(file.write(tmp_path / "a.glb"))


def test_never_half_an_object(tmp_path):
    """Also where the compression of one part is not declared as required."""
    file = File()
    file.show({"mesh": file.mesh()}, {"mesh": file.mesh(), "translation": [2, 0, 0]})
    draco = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {}}}
    file.content["meshes"][1]["primitives"][0]["extensions"] = draco
    path = file.write(tmp_path / "with_plain_form.glb")
    assert len(meshes.load_surface(path).faces) == 4
    del file.content["accessors"][2]["bufferView"]
    with pytest.raises(InputError, match="compressed with KHR_draco"):
        meshes.load_surface(file.write(tmp_path / "without.glb"))


def test_a_material_without_a_color_is_white_and_no_material_is_grey(tmp_path):
    file = File()
    file.show({"mesh": file.mesh({"name": "plain"})})
    assert (colors_of(meshes.load_surface(file.write(tmp_path / "a.glb"))) == 255).all()
    file = File()
    file.show({"mesh": file.mesh()})
    assert (colors_of(meshes.load_surface(file.write(tmp_path / "b.glb"))) == 153).all()


def test_diffuse_color_of_specular_glossiness(tmp_path):
    extension = {"KHR_materials_pbrSpecularGlossiness": {"diffuseFactor": [1, 0, 0, 1]}}
    file = File()
    file.show({"mesh": file.mesh({"extensions": extension})})
    assert (colors_of(meshes.load_surface(file.write(tmp_path / "a.glb"))) == RED).all()


def test_clamped_textures_that_would_repeat_are_said(tmp_path, caplog):
    file = File(samplers=[{"wrapS": 33071}])
    uv = file.accessor(UV * np.float32(2))
    texture = {"index": file.image(FOUR)}
    file.content["textures"][0]["sampler"] = 0
    material = {"pbrMetallicRoughness": {"baseColorTexture": texture}}
    file.show({"mesh": file.mesh(material, TEXCOORD_0=uv)})
    meshes.load_surface(file.write(tmp_path / "a.glb"))
    assert "repeats where the file says CLAMP_TO_EDGE" in caplog.text


def test_a_texture_shared_by_forty_parts_is_kept_once(tmp_path):
    file = File()
    uv, texture = file.accessor(UV), {"index": file.image(FOUR)}
    material = {"pbrMetallicRoughness": {"baseColorTexture": texture}}
    mesh = file.mesh(material, TEXCOORD_0=uv)
    file.show(*({"mesh": mesh, "translation": [i, 0, 0]} for i in range(40)))
    surface = meshes.load_surface(file.write(tmp_path / "a.glb"))
    assert len(surface.faces) == 80
    assert len(surface.paint.texels) == 4


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c: c["accessors"][0].update(count=10**12), "at most"),
        (lambda c: c["accessors"][0].update(count=10**6), "its accessor needs"),
        (lambda c: c["accessors"][0].update(byteOffset=-4), "its accessor needs"),
        (lambda c: c["bufferViews"][0].update(byteLength=10**12), "is the file compl"),
        (lambda c: c["nodes"][0].update(mesh=7), "meshes 7, the file has 1"),
        (lambda c: c["nodes"][0].update(mesh=-1), "meshes -1, the file has 1"),
        (lambda c: c["nodes"][0].update(children=[0]), "their own ancestors"),
        (lambda c: c["nodes"].append({"children": [0, 0]}), "two parents"),
        (lambda c: c["asset"].update(version="1.0"), "version 1.0, not 2.0"),
        (lambda c: c["buffers"][0].update(uri="../../x.bin"), "not in the folder"),
    ],
)
def test_files_that_contradict_themselves(tmp_path, spoil, words):
    file = File()
    file.show({"mesh": file.mesh()})
    path = file.write(tmp_path / "a.gltf")
    spoil(file.content)
    path.write_text(json.dumps(file.content))
    with pytest.raises(InputError, match=words):
        meshes.load_surface(path)


def test_deep_and_long_json(tmp_path):
    path = tmp_path / "a.gltf"
    path.write_text("[" * 100_000)
    with pytest.raises(InputError, match="not glTF"):
        meshes.load_surface(path)
    path.write_bytes(b"[" + b"0," * mesh_limits.MAX_JSON_VALUES + b"0]")
    with pytest.raises(InputError, match="more than 2,000,000 values"):
        meshes.load_surface(path)


def test_instances_beyond_the_limit_take_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(mesh_limits, "MAX_TRIANGLES", 100)
    file = File()
    attributes = {"TRANSLATION": file.accessor(np.zeros((51, 3), np.float32))}
    extensions = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    file.show({"mesh": file.mesh(), "extensions": extensions})
    with pytest.raises(InputError, match="has 102 triangles; at most 100"):
        meshes.load_surface(file.write(tmp_path / "a.glb"))


def test_files_of_another_writer(tmp_path):
    """By pygltflib, from its own classes."""
    uv = np.full((4, 2), 0.75, np.float32)
    blob = CORNERS.tobytes() + uv.tobytes() + FACES.tobytes() + FOUR
    ends = np.cumsum([0, CORNERS.nbytes, uv.nbytes, FACES.nbytes, len(FOUR)]).tolist()
    views = [
        pygltflib.BufferView(buffer=0, byteOffset=start, byteLength=end - start)
        for start, end in itertools.pairwise(ends)
    ]
    accessors = [
        pygltflib.Accessor(bufferView=0, componentType=5126, count=4, type="VEC3"),
        pygltflib.Accessor(bufferView=1, componentType=5126, count=4, type="VEC2"),
        pygltflib.Accessor(bufferView=2, componentType=5123, count=6, type="SCALAR"),
    ]
    base = pygltflib.PbrMetallicRoughness(
        baseColorTexture=pygltflib.TextureInfo(index=0)
    )
    attributes = pygltflib.Attributes(POSITION=0, TEXCOORD_0=1)
    primitive = pygltflib.Primitive(attributes=attributes, indices=2, material=0)
    other = pygltflib.GLTF2(
        scene=0,
        scenes=[pygltflib.Scene(nodes=[0])],
        nodes=[pygltflib.Node(mesh=0, translation=[0, 0, 3])],
        meshes=[pygltflib.Mesh(primitives=[primitive])],
        materials=[pygltflib.Material(pbrMetallicRoughness=base)],
        textures=[pygltflib.Texture(source=0)],
        images=[pygltflib.Image(bufferView=3, mimeType="image/png")],
        accessors=accessors,
        bufferViews=views,
        buffers=[pygltflib.Buffer(byteLength=len(blob))],
    )
    other.set_binary_blob(blob)
    other.save_binary(str(tmp_path / "a.glb"))
    surface = meshes.load_surface(tmp_path / "a.glb")
    assert box_of(surface) == [[0, 0, 3], [1, 1, 3]]
    assert (colors_of(surface) == WHITE).all()


def test_what_is_written_is_matt_and_has_normals(tmp_path):
    """Without a material, glTF means bare metal, which many viewers show black."""
    for colors in (None, np.full((4, 3), 200, np.uint8)):
        path = tmp_path / "a.glb"
        meshes.save_mesh(path, CORNERS, FACES.reshape(2, 3).astype(int), colors)
        written = pygltflib.GLTF2().load(str(path))
        primitive = written.meshes[0].primitives[0]
        material = written.materials[primitive.material].pbrMetallicRoughness
        assert material.metallicFactor == 0
        assert primitive.attributes.NORMAL is not None
        assert (primitive.attributes.COLOR_0 is None) == (colors is None)
        shown = colors_of(meshes.load_surface(path))
        np.testing.assert_allclose(shown, 153 if colors is None else 200, atol=2)
