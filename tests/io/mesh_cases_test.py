"""Files after public bug reports, which once meant something else without a word."""

import numpy as np
import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import surface as surface_geometry
from pixel2mesh_jax.io import materials, meshes

# The chair of the glTF, PLY and OFF files: 0.5 x 1.05 x 0.5, upright.
CHAIR = [[-0.25, -0.45, -0.25], [0.25, 0.6, 0.25]]
RED, GREY = (220, 20, 20), (153, 153, 153)

CASES = [
    ("gltf-color-u16", "vcol_u16.glb", (216, 24, 24)),
    ("gltf-color-u16", "vcol_f32_vec3.glb", (218, 0, 0)),
    ("gltf-gpu-instancing", "gpu_instancing.glb", GREY),
    ("gltf-skinned", "skinned.glb", GREY),
    ("gltf-texcoord1", "texcoord_1.glb", RED),
    ("gltf-texture-transform", "texture_transform.glb", RED),
    ("gltf-uv-u16", "uv_u16_normalized.glb", RED),
    ("obj-map-backslash", "back.obj", RED),
    ("obj-map-backslash", "fwd.obj", RED),
    ("obj-map-options", "map_quoted.obj", RED),
    ("obj-map-options", "map_scale.obj", RED),
    ("off-vertex-colours", "coff.off", RED),
    ("off-vertex-colours", "face_colors.off", RED),
    ("ply-mixed-quads", "mixed_ascii.ply", GREY),
    ("ply-mixed-quads", "mixed_be.ply", GREY),
    ("ply-mixed-quads", "mixed_le.ply", GREY),
]


def case_file(data_dir, case, name):
    folder = data_dir / "cases" / case
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    (path,) = folder.rglob(name)
    return path


@pytest.mark.data
@pytest.mark.parametrize(("case", "name", "color"), CASES)
def test_the_chair_is_whole_upright_and_has_its_color(data_dir, case, name, color):
    surface = meshes.load_surface(case_file(data_dir, case, name))
    np.testing.assert_allclose(meshes.bounding_box(surface), CHAIR, atol=1e-6)
    areas = surface_geometry.face_areas(surface.vertices, surface.faces)
    assert areas.sum() == pytest.approx(1.746, abs=1e-3)
    middle = np.full((len(areas), 3), 1 / 3)
    light = materials.color_at(surface.paint, np.arange(len(areas)), middle)
    shown = np.round(materials.srgb_from_linear(light) * 255)
    np.testing.assert_allclose(shown, np.tile(color, (len(areas), 1)), atol=1)


@pytest.mark.data
@pytest.mark.parametrize(
    ("case", "name", "extension"),
    [
        ("gltf-draco", "draco.glb", "KHR_draco_mesh_compression"),
        ("gltf-draco", "draco_and_plain.glb", "KHR_draco_mesh_compression"),
        ("gltf-meshopt", "meshopt.glb", "EXT_meshopt_compression"),
    ],
)
def test_compressed_files_are_refused_by_name(data_dir, case, name, extension):
    with pytest.raises(InputError, match=f"{extension}.* without compression"):
        meshes.load_surface(case_file(data_dir, case, name))


@pytest.mark.data
def test_the_letter_c_keeps_its_notch(data_dir):
    path = case_file(data_dir, "obj-concave-ngon", "concave_ngon.obj")
    surface = meshes.load_surface(path)
    areas = surface_geometry.face_areas(surface.vertices, surface.faces)
    caps = np.ptp(surface.vertices[surface.faces][:, :, 2], axis=1) == 0
    assert areas[caps].sum() == pytest.approx(1.25)
