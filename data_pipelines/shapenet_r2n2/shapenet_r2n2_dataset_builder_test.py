"""From ShapeNet trees and 3D-R2N2 renderings to shards.

The models are made here: a slab with a tower on one corner, which looks different from
every side and in the mirror. It lies in the tree of v1 or v2 and is rendered by us.
"""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds
import trimesh
from PIL import Image
from scipy.spatial import cKDTree

from data_pipelines import build
from data_pipelines.building.options import REPORT_NAME, VERSION, Options
from data_pipelines.shapenet_r2n2 import frames, shapenet_r2n2_dataset_builder, source
from data_pipelines.surfaces import render
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import meshes

CHAIR, CAR = "03001627", "02958343"
VIEWPOINTS = [
    render.Viewpoint(10.0 + 50 * i, 25.0 + i, 0.65 + 0.05 * i) for i in range(6)
]


def tower(extents=(1.0, 0.2, 0.6), height=0.5):
    """In the frame of v1: y up, box diagonal 1, middle of the box at the origin."""
    slab = trimesh.creation.box(extents)
    post = trimesh.creation.box((0.2, height, 0.2))
    post.apply_translation((0.4, height / 2, 0.2))
    mesh = trimesh.util.concatenate([slab, post])
    mesh.apply_translation(-mesh.bounds.mean(axis=0))
    mesh.apply_scale(1 / np.linalg.norm(mesh.extents))
    return mesh


def in_frame_of_v2(mesh, v1_from_v2=frames.V1_FROM_V2):
    """Turned, and shifted until the mean of the vertices is at the origin."""
    vertices = mesh.vertices @ v1_from_v2
    faces = mesh.faces if np.linalg.det(v1_from_v2) > 0 else mesh.faces[:, ::-1]
    return trimesh.Trimesh(vertices - vertices.mean(axis=0), faces, process=False)


def write_mesh(path, mesh):
    path.parent.mkdir(parents=True, exist_ok=True)
    mesh.export(path)


def write_renderings(folder, mesh):
    """As 3D-R2N2 does, apart from its light; returns the images."""
    folder.mkdir(parents=True)
    surface = meshes.surface_from_mesh(mesh)
    surface = surface._replace(vertices=surface.vertices * camera.P2M_SCALE)
    intrinsics = camera.r2n2_intrinsics(137)
    views = [render.render(surface, v, intrinsics, 137) for v in VIEWPOINTS]
    for i, view in enumerate(views):
        Image.fromarray(view.rgba).save(folder / f"{i:02d}.png")
    lines = [f"{v.azimuth} {v.elevation} 0 {v.distance} 25\n" for v in VIEWPOINTS]
    (folder / "rendering_metadata.txt").write_text("".join(lines))
    return views


@pytest.fixture
def trees(tmp_path):
    """One model in the trees of v1 and v2, and its renderings."""
    mesh = tower()
    write_mesh(tmp_path / "v1" / CHAIR / "aa" / "model.obj", mesh)
    v2 = tmp_path / "v2" / CHAIR / "aa" / "models" / "model_normalized.obj"
    write_mesh(v2, in_frame_of_v2(mesh))
    write_renderings(tmp_path / "renderings" / CHAIR / "aa" / "rendering", mesh)
    return tmp_path


def options(trees, **others):
    return Options(renderings=str(trees / "renderings"), num_points=2000, **others)


def examples_of(trees, version, **others):
    chosen = options(trees, **others)
    (item,), _ = source.find_items(trees / version, chosen)
    return source.make_examples(item, chosen)


def distance(a, b):
    """Mean distance between two samples of a surface, metres."""
    return cKDTree(a).query(b)[0].mean()


def test_name_is_the_folder():
    assert shapenet_r2n2_dataset_builder.Builder.name == "shapenet_r2n2"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_renderings_gain_the_depth_of_the_mesh(trees, version):
    """The depth is that which the renderer saw, the points lie where it saw them."""
    expected = write_renderings(trees / "again", tower())
    examples = examples_of(trees, version, views=3)
    assert [example.view_index for example in examples] == [0, 1, 2]
    for example, seen in zip(examples, expected, strict=False):
        np.testing.assert_array_equal(example.view.rgba, seen.rgba)
        np.testing.assert_array_equal(example.view.intrinsics, seen.intrinsics)
        both = (example.view.depth > 0) & (seen.depth > 0)
        assert both.sum() > 0.99 * (seen.depth > 0).sum()
        error = np.abs(example.view.depth - seen.depth)[both]
        assert np.percentile(error, 99) < 1e-4
        visible = camera.unproject(seen.depth, seen.intrinsics)[seen.depth > 0]
        spacing = 0.57 / np.sqrt(2000)
        assert distance(example.surface.points, visible) < spacing


def test_voxels_and_signed_distances_come_with_the_renderings(trees):
    (example,) = examples_of(trees, "v1", views=1, voxels=16, num_queries=300)
    assert example.voxels.shape == (16, 16, 16)
    assert example.voxels.any()
    assert example.field.points.shape == (300, 3)
    assert (example.field.distances < 0).any()


def test_mirror_image_in_v2_is_found_by_its_silhouette(trees):
    path = trees / "v2" / CHAIR / "aa" / "models" / "model_normalized.obj"
    write_mesh(path, in_frame_of_v2(tower(), frames.V1_FROM_MIRRORED_V2))
    mirrored, expected = (examples_of(trees, version)[0] for version in ("v2", "v1"))
    assert distance(mirrored.surface.points, expected.surface.points) < 0.01
    outward = mirrored.surface.points - mirrored.surface.points.mean(axis=0)
    straight = np.einsum("nc,nc->n", outward, mirrored.surface.normals)
    assert (straight > 0).mean() > 0.7  # faces were turned over as well


def test_without_renderings_both_versions_are_rendered_alike(trees):
    chosen = Options(views=2, num_points=2000)
    points = {}
    for version in ("v1", "v2"):
        (item,), ignored = source.find_items(trees / version, chosen)
        assert ignored == {}
        first, _ = source.make_examples(item, chosen)
        assert first.view.depth.any()
        points[version] = first.surface.points
    assert distance(points["v1"], points["v2"]) < 0.01


def test_wrong_meshes_are_refused(trees):
    write_mesh(trees / "v1" / CHAIR / "aa" / "model.obj", tower((0.05, 1, 0.05)))
    with pytest.raises(InputError, match="does not fit its images"):
        examples_of(trees, "v1")


def test_rendering_without_mesh_is_named(trees):
    write_renderings(trees / "renderings" / CAR / "bb" / "rendering", tower())
    arguments = ["--source", str(trees / "v1"), "--data_dir", str(trees / "data")]
    arguments += ["--renderings", str(trees / "renderings"), "--workers", "1"]
    assert build.main(["shapenet_r2n2", *arguments, "--num_points", "50"]) == 0
    folder = trees / "data" / "shapenet_r2n2" / VERSION
    report = json.loads((folder / REPORT_NAME).read_text())
    (skipped,) = report["skipped"]
    assert skipped["object"] == f"{CAR}/bb"
    assert "no mesh; expected model.obj or models/" in skipped["reason"]
    assert sum(report["views"].values()) == 5
    info = tfds.builder_from_directory(folder).info
    assert info.metadata["has_depth"]
    assert info.metadata["has_colors"]


def test_renderings_may_lie_with_the_models_and_without_synsets(trees):
    model = trees / "flat" / "aa"
    write_mesh(model / "model.obj", tower())
    write_renderings(model / "rendering", tower())
    (item,), _ = source.find_items(trees / "flat", Options(views=6))
    assert (item.category, item.object_id) == ("unknown", "unknown/aa")
    assert len(source.make_examples(item, Options(views=6))) == 6


def test_points_take_the_place_of_meshes_if_there_are_none_at_all(trees):
    points, faces = trimesh.sample.sample_surface(tower(), 500, seed=0)
    normals = tower().face_normals[faces]
    normals[:7] = 0
    model = trees / "points" / CHAIR / "aa"
    model.mkdir(parents=True)
    np.savetxt(model / "model_normal.xyz", np.concatenate([points, normals], axis=1))
    (item,), _ = source.find_items(trees / "points", options(trees))
    assert not source.has_meshes((item,))
    examples = source.make_examples(item, options(trees))
    for example in examples:
        assert example.surface.points.shape == (493, 3)
        assert example.surface.colors.shape == (0, 3)
        assert not example.view.depth.any()
        pixels = camera.project(example.surface.points, example.view.intrinsics)
        column, row = np.rint(pixels).astype(int).T
        assert (example.view.rgba[row, column, 3] > 0).mean() > 0.99
    with pytest.raises(InputError, match="points and no meshes, which --voxels"):
        source.find_items(trees / "points", options(trees, voxels=8))


def test_lists_divide_the_views_of_a_model(trees):
    lists = {"train": {CHAIR: {"aa": [0, 3]}}, "test": {CHAIR: {"aa": [1]}}}
    path = trees / "renderings" / "pix2mesh_splits_val05.json"
    path.write_text(json.dumps(lists))
    items, ignored = source.find_items(trees / "v1", options(trees))
    views = {item.split: [file[-6:] for file in item.files[1:]] for item in items}
    assert views == {"train": ["00.png", "03.png"], "test": ["01.png"]}
    assert ignored == {"views that are in no split list": 3}


def test_models_without_renderings_are_counted(trees):
    write_mesh(trees / "v1" / CAR / "bb" / "model.obj", tower())
    items, ignored = source.find_items(trees / "v1", options(trees))
    assert [item.object_id for item in items] == [f"{CHAIR}/aa"]
    assert ignored == {"models without renderings": 1}


def test_unknown_synsets_are_counted(trees):
    write_mesh(trees / "v1" / "00000001" / "bb" / "model.obj", tower())
    _, ignored = source.find_items(trees / "v1", Options())
    assert ignored == {"models of the unknown synset 00000001": 1}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("10 25 0 0.8\n", "expected lines of 5 finite numbers"),
        ("10 25 0 nan 25\n", "expected lines of 5 finite numbers"),
        ("ten 25 0 0.8 25\n", "cannot be read"),
        ("10 25 0 -0.8 25\n", "positive distances"),
        ("10 25 90 0.8 25\n", "in-plane rotations of 0"),
        ("10 25 0 0.8 25\n", "has only 1 lines"),
    ],
)
def test_broken_metadata_is_named(trees, metadata, message):
    folder = trees / "renderings" / CHAIR / "aa" / "rendering"
    (folder / "rendering_metadata.txt").write_text(metadata)
    with pytest.raises(InputError, match=message):
        examples_of(trees, "v1")


@pytest.mark.parametrize(
    ("folder", "change", "message"),
    [
        ("nowhere", {}, "--source .*nowhere: no such folder"),
        ("empty", {}, "no models; expected <synset>"),
        ("v1", {"renderings": "nowhere"}, "--renderings nowhere: no such folder"),
        ("v1", {"renderings": "{tmp}/empty"}, "empty: no renderings; expected"),
        ("v1", {"renderings": "{tmp}/renderings", "size": 224}, "--size 224"),
    ],
)
def test_mistakes_are_explained(trees, folder, change, message):
    (trees / "empty").mkdir()
    if "renderings" in change:
        change = change | {"renderings": change["renderings"].format(tmp=trees)}
    with pytest.raises(InputError, match=message):
        source.find_items(trees / folder, Options(**change))


@pytest.mark.data
def test_projected_points_fill_the_renderings(data_dir):
    """Surface points of the public sample lie on the mask of all its 24 renderings."""
    (item,), _ = source.find_items(data_dir / "r2n2_sample", Options(views=24))
    examples = source.make_examples(item, Options(views=24))
    assert len(examples) == 24
    for example in examples:
        uv = camera.project(example.surface.points, example.view.intrinsics)
        column, row = np.rint(uv).astype(int).T
        alpha = example.view.rgba[..., 3]
        assert (alpha[row, column] > 0).mean() >= 0.98
        rows, columns = np.nonzero(alpha >= 128)
        low, high = (columns.min(), rows.min()), (columns.max(), rows.max())
        # a pixel reaches half a pixel beyond its centre
        np.testing.assert_allclose(uv.min(axis=0), np.array(low) - 0.5, atol=1.5)
        np.testing.assert_allclose(uv.max(axis=0), np.array(high) + 0.5, atol=1.5)


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "views", "depth"),
    [("shapenet_sample/ShapeNetCore.v2", 2, True), ("r2n2_sample", 24, False)],
)
def test_development_samples_build(data_dir, tmp_path, folder, views, depth):
    arguments = ["--source", str(data_dir / folder), "--data_dir", str(tmp_path)]
    arguments += ["--views", str(views), "--num_points", "500", "--workers", "1"]
    assert build.main(["shapenet_r2n2", *arguments]) == 0
    builder = tfds.builder_from_directory(tmp_path / "shapenet_r2n2" / VERSION)
    assert builder.info.metadata["has_depth"] == depth
    report = json.loads((builder.data_path / REPORT_NAME).read_text())
    assert sum(report["views"].values()) == sum(report["objects"].values()) * views
    assert report["skipped"] == []
