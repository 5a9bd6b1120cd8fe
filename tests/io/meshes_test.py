"""Mesh files: what is written is read back, what is broken is named."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import materials, meshes

# sRGB of a 2 x 2 image, top row first.
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
IMAGE = Image.fromarray(np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8))


def box():
    return trimesh.creation.box((1, 2, 4))


def square(uv_scale=1.0, **material):
    """The unit square in the xy plane with texture coordinates (x, y)."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    visual = trimesh.visual.TextureVisuals(
        uv=corners[:, :2] * uv_scale,
        material=trimesh.visual.material.PBRMaterial(**material),
    )
    faces = [[0, 1, 2], [0, 2, 3]]
    return trimesh.Trimesh(corners, faces, visual=visual, process=False)


def color_at(surface, x, y):
    """sRGB bytes at a point of `square`."""
    triangle = 0 if x >= y else 1
    corners = surface.vertices[surface.faces[triangle], :2]
    weights = np.linalg.solve(np.vstack([corners.T, np.ones(3)]), [x, y, 1])
    light = materials.color_at(surface.paint, np.array([triangle]), weights[None])
    return np.round(materials.srgb_from_linear(light)[0] * 255).astype(int)


# STL holds neither shared vertices nor colours.
RICH_SUFFIXES = tuple(suffix for suffix in meshes.SAVE_SUFFIXES if suffix != ".stl")


@pytest.mark.parametrize("suffix", RICH_SUFFIXES)
def test_vertices_keep_number_and_order(tmp_path, suffix):
    mesh = box()
    vertices = np.concatenate([mesh.vertices, mesh.vertices])  # doubled on purpose
    faces = np.concatenate([mesh.faces, mesh.faces[:, ::-1] + 8])
    path = tmp_path / f"new/folder/box{suffix}"
    meshes.save_mesh(path, vertices, faces)
    loaded = trimesh.load_mesh(path, process=False)
    np.testing.assert_allclose(loaded.vertices, vertices, atol=1e-7)
    np.testing.assert_array_equal(loaded.faces, faces)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", RICH_SUFFIXES)
def test_vertex_colors_survive(tmp_path, suffix):
    mesh = box()
    colors = np.array([RED, GREEN, BLUE, WHITE, (0, 0, 0), (90, 140, 200)], np.uint8)
    colors = colors[[0, 1, 2, 3, 4, 5, 5, 5]]
    meshes.save_mesh(tmp_path / f"box{suffix}", mesh.vertices, mesh.faces, colors)
    surface = meshes.load_surface(tmp_path / f"box{suffix}")
    corner = materials.srgb_from_linear(surface.paint.corner_colors) * 255
    # glTF holds 8 bits of linear light: at sRGB 90 one step is 2.2
    np.testing.assert_allclose(corner, colors[surface.faces], atol=2.5)


def test_float_colors_are_srgb(tmp_path):
    mesh = box()
    meshes.save_mesh(
        tmp_path / "a.ply", mesh.vertices, mesh.faces, np.full((8, 3), 0.5)
    )
    loaded = trimesh.load_mesh(tmp_path / "a.ply", process=False)
    assert (loaded.visual.vertex_colors[:, :3] == 128).all()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "box.obj"
    meshes.save_mesh(path, box().vertices, box().faces)
    before = path.read_bytes()
    with pytest.raises(InputError, match="faces refer to vertices 0 to 99"):
        meshes.save_mesh(path, box().vertices, np.array([[0, 1, 99]]))
    assert path.read_bytes() == before


def test_parts_of_a_scene_are_placed(tmp_path):
    scene = trimesh.Scene()
    unit = trimesh.creation.box((1, 1, 1))
    scene.add_geometry(unit, geom_name="box")
    moved = trimesh.transformations.translation_matrix((3, 0, 0)) @ np.diag(
        [2, 2, 2, 1]
    )
    scene.graph.update("second", geometry="box", matrix=moved)
    scene.export(tmp_path / "two.glb")
    surface = meshes.load_surface(tmp_path / "two.glb")
    assert surface.faces.shape == (24, 3)
    np.testing.assert_allclose(surface.vertices.min(axis=0), (-0.5, -1, -1))
    np.testing.assert_allclose(surface.vertices.max(axis=0), (4, 1, 1))


def test_mirrored_parts_still_face_outwards():
    scene = trimesh.Scene()
    scene.add_geometry(box(), transform=np.diag([-1.0, 1, 1, 1]))
    surface = meshes.surface_from_scene(scene)
    assert trimesh.Trimesh(surface.vertices, surface.faces).volume == pytest.approx(8)


def test_texture_is_looked_up_top_row_first(tmp_path):
    square(baseColorTexture=IMAGE).export(tmp_path / "square.glb")
    surface = meshes.load_surface(tmp_path / "square.glb")
    assert tuple(color_at(surface, 0.2, 0.8)) == RED
    assert tuple(color_at(surface, 0.8, 0.8)) == GREEN
    assert tuple(color_at(surface, 0.2, 0.2)) == BLUE
    assert tuple(color_at(surface, 0.8, 0.2)) == WHITE


def test_texture_repeats(tmp_path):
    square(uv_scale=-3, baseColorTexture=IMAGE).export(tmp_path / "square.glb")
    surface = meshes.load_surface(tmp_path / "square.glb")
    # uv (-0.3, -2.4) = (0.7, 0.6) modulo 1
    assert tuple(color_at(surface, 0.1, 0.8)) == GREEN


def test_factor_is_linear_and_multiplies_the_texture(tmp_path):
    material = {"baseColorFactor": [0.2, 1.0, 1.0, 1.0]}
    square(baseColorTexture=IMAGE, **material).export(tmp_path / "textured.glb")
    square(**material).export(tmp_path / "plain.glb")
    # IEC 61966-2-1 of 51 / 255 linear: 1.055 * 0.2 ** (1 / 2.4) - 0.055 = 0.4845
    textured = meshes.load_surface(tmp_path / "textured.glb")
    assert tuple(color_at(textured, 0.2, 0.8)) == (124, 0, 0)
    plain = meshes.load_surface(tmp_path / "plain.glb")
    assert tuple(color_at(plain, 0.2, 0.8)) == (124, 255, 255)


def test_several_materials_keep_their_own_texture(tmp_path):
    scene = trimesh.Scene()
    scene.add_geometry(square(baseColorFactor=[0, 0, 1.0, 1]))
    flipped = IMAGE.rotate(180).resize((6, 4), Image.Resampling.NEAREST)
    scene.add_geometry(square(baseColorTexture=flipped))
    scene.export(tmp_path / "both.glb")
    surface = meshes.load_surface(tmp_path / "both.glb")
    assert tuple(color_at(surface, 0.2, 0.8)) == BLUE
    second = surface._replace(
        faces=surface.faces[2:],
        paint=surface.paint._replace(
            corner_colors=surface.paint.corner_colors[2:],
            corner_uv=surface.paint.corner_uv[2:],
            face_texture=surface.paint.face_texture[2:],
        ),
    )
    assert tuple(color_at(second, 0.2, 0.8)) == WHITE
    assert tuple(color_at(second, 0.8, 0.2)) == RED


def test_obj_with_missing_texture_is_grey(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd nowhere.png\n")
    (tmp_path / "a.obj").write_text(
        "mtllib a.mtl\nusemtl m\nv 0 0 0\nv 1 0 0\nv 1 1 0\nvt 0 0\nf 1/1 2/1 3/1\n"
    )
    red, green, blue = color_at(meshes.load_surface(tmp_path / "a.obj"), 0.5, 0.2)
    assert red == green == blue
    assert 90 < red < 200


def test_srgb_round_trip():
    color = np.linspace(0, 1, 1001)
    light = materials.linear_from_srgb(color)
    np.testing.assert_allclose(materials.srgb_from_linear(light), color, atol=1e-6)
    assert light[500] == pytest.approx(0.2140, abs=1e-4)  # sRGB 0.5


def test_normalize_centres_the_box_and_scales_its_diagonal():
    mesh = box().apply_translation((7, -3, 2))
    extra = np.array([[100.0, 100, 100]])  # a vertex of no face does not count
    surface = meshes.surface_from_mesh(mesh)
    surface = surface._replace(vertices=np.concatenate([surface.vertices, extra]))
    vertices = meshes.normalize(surface).vertices[:8]
    np.testing.assert_allclose(vertices.min(axis=0), -vertices.max(axis=0), atol=1e-12)
    extent = vertices.max(axis=0) - vertices.min(axis=0)
    np.testing.assert_allclose(extent, 0.57 * np.array([1, 2, 4]) / np.sqrt(21))


def test_turned_surfaces_still_face_outwards():
    """Also in a mirror, which turns faces and the colours of their corners over."""
    box = trimesh.creation.box((1, 2, 3))
    box.visual.vertex_colors = np.random.default_rng(0).integers(0, 255, (8, 4))
    surface = meshes.surface_from_mesh(box)
    rotation = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    for matrix in (rotation, np.diag([1.0, 1.0, -1.0]) @ rotation):
        turned = meshes.turn(surface, matrix)
        volume = trimesh.Trimesh(turned.vertices, turned.faces).volume
        assert volume == pytest.approx(6)
        for i in range(3):
            corner = 2 - i if np.linalg.det(matrix) < 0 else i
            np.testing.assert_allclose(
                turned.vertices[turned.faces[:, corner]],
                surface.vertices[surface.faces[:, i]] @ matrix.T,
            )
            np.testing.assert_array_equal(
                turned.paint.corner_colors[:, corner], surface.paint.corner_colors[:, i]
            )


def test_z_up_becomes_y_up_by_a_rotation():
    surface = meshes.surface_from_mesh(box())
    turned = meshes.normalize(surface, up="z")
    extent = turned.vertices.max(axis=0) - turned.vertices.min(axis=0)
    np.testing.assert_allclose(extent, 0.57 * np.array([1, 4, 2]) / np.sqrt(21))
    assert trimesh.Trimesh(turned.vertices, turned.faces).volume > 0
    with pytest.raises(InputError, match="expected 'y' or 'z'"):
        meshes.normalize(surface, up="x")


OBJ_VERTICES = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
PLY_HEADER = (
    "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\n"
    "property float z\nelement face 1\nproperty list uchar int vertex_indices\n"
    "end_header\n"
)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.glb", "", "cannot be read"),
        ("a.glb", "this is text", "cannot be read"),
        ("a.obj", "", "holds no triangles"),
        ("a.obj", OBJ_VERTICES, "holds no triangles"),
        ("a.obj", OBJ_VERTICES + "f 1 1 1\n", "no area"),
        ("a.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n", "vertices 0 to 7"),
        ("a.ply", PLY_HEADER + "0 0 0\n1 0 0\nnan 1 0\n3 0 1 2\n", "1 of 3 vertices"),
        ("a.ply", PLY_HEADER + "0 0 0\n1 0 0\n0 1 0\n3 0 1 9\n", "vertices 0 to 9"),
        ("a.txt", "", "known types are .glb"),
    ],
)
def test_bad_files_are_named_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as error:
        meshes.load_surface(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file_and_unknown_suffix(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        meshes.load_surface(tmp_path / "a.glb")
    with pytest.raises(InputError, match=r"known types are .obj, .ply, .glb"):
        meshes.save_mesh(tmp_path / "a.fbx", box().vertices, box().faces)


@pytest.mark.data
@pytest.mark.parametrize("category", ["chair", "car", "rifle"])
def test_development_objects_load(data_dir, category):
    paths = sorted(data_dir.glob(f"objects/test/{category}/*.glb"))
    assert paths
    for path in paths:
        surface = meshes.normalize(meshes.load_surface(path))
        used = surface.vertices[np.unique(surface.faces)]
        diagonal = np.linalg.norm(used.max(axis=0) - used.min(axis=0))
        assert diagonal == pytest.approx(0.57)
        assert surface.faces.max() < len(surface.vertices)
        assert len(surface.paint.face_texture) == len(surface.faces)


@pytest.mark.data
def test_shapenet_objects_load_with_their_textures(data_dir):
    paths = sorted(data_dir.glob("shapenet_sample/ShapeNetCore.v2/*/*/models/*.obj"))
    assert len(paths) == 5
    assert any(len(meshes.load_surface(path).paint.texels) > 100 for path in paths)
