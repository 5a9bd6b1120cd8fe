"""Image, depth, mask, points and camera of a record say the same about real models.

Only what a record holds is used: the depth map, taken back into space by the camera of
the record, has to lie on the surface points, and these have to project into the mask.
"""

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import cKDTree

from data_pipelines.building.options import Options
from data_pipelines.mesh_folder import source as mesh_folder
from data_pipelines.p2m_shapenet import source as p2m_shapenet
from data_pipelines.procedural_shapes import source as procedural_shapes
from data_pipelines.shapenet_r2n2 import frames
from data_pipelines.shapenet_r2n2 import source as shapenet_r2n2
from data_pipelines.surfaces import render
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import meshes

# Medians of the distances from depth to surface, in footprints of a pixel: to the
# nearest point, which its neighbours surround at this distance, and to its tangent.
DENSE = 20_000  # points
LARGEST_SPACING = 1.5
LARGEST_DISTANCE = 0.5


def check(example):
    """Asserts that the parts of an example agree; without depth, those that it has."""
    view, points = example.view, example.surface.points
    assert points_in_mask(view, points) > 0.97
    assert not view.depth[view.rgba[..., 3] == 0].any()
    seen = camera.unproject(view.depth, view.intrinsics)[view.depth > 0]
    if len(seen):
        footprint = -seen[:, 2] / view.intrinsics[0, 0]
        spacing, nearest = cKDTree(points).query(seen)
        assert np.median(spacing / footprint) < LARGEST_SPACING
        normals = example.surface.normals[nearest]
        above = np.einsum("nc,nc->n", normals, seen - points[nearest])
        assert np.median(np.abs(above) / footprint) < LARGEST_DISTANCE


def points_in_mask(view, points):
    """Share of the points; at the nearest distances, corners leave the image."""
    column, row = np.rint(camera.project(points, view.intrinsics)).astype(int).T
    size = len(view.rgba)
    inside = (0 <= column) & (column < size) & (0 <= row) & (row < size)
    assert inside.mean() > 0.9
    return (view.rgba[row[inside], column[inside], 3] > 0).mean()


def check_all(source, items, options):
    for item in items:
        for example in source.make_examples(item, options):
            check(example)


@pytest.mark.data
@pytest.mark.slow
def test_100_views_of_mesh_files(data_dir):
    options = Options(views=5, num_points=DENSE, seed=1)
    items, _ = mesh_folder.find_items(data_dir / "objects", options)
    some = [item for item in items if item.split == "test"][::4]
    assert len(some) * options.views == 100
    check_all(mesh_folder, some, options)


@pytest.mark.slow
def test_50_views_of_procedural_shapes():
    options = Options(views=5, num_points=DENSE, objects=(0, 0, 1))
    items = procedural_shapes.find_items(options)[:10]
    assert len(items) == 10
    check_all(procedural_shapes, items, options)


@pytest.mark.data
@pytest.mark.slow
def test_50_views_of_shapenet_models(data_dir):
    options = Options(views=10, num_points=DENSE)
    items, _ = shapenet_r2n2.find_items(
        data_dir / "shapenet_sample" / "ShapeNetCore.v2", options
    )
    assert len(items) == 5
    check_all(shapenet_r2n2, items, options)


@pytest.mark.data
@pytest.mark.slow
def test_50_renderings_of_shapenet_models(data_dir, tmp_path):
    """Images made elsewhere, in the layout of 3D-R2N2; the models are those of v2."""
    tree = data_dir / "shapenet_sample" / "ShapeNetCore.v2"
    options = Options(views=10, num_points=DENSE, renderings=str(tmp_path))
    for item in shapenet_r2n2.find_items(tree, options._replace(renderings=""))[0]:
        surface = meshes.load_surface(item.files[0])
        surface = frames.normalized(surface, item.files[0])
        write_renderings(tmp_path / item.object_id / "rendering", surface, options)
    items, _ = shapenet_r2n2.find_items(tree, options)
    assert len(items) == 5
    check_all(shapenet_r2n2, items, options)


def write_renderings(folder, surface, options):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    viewpoints = [render.sample_viewpoint(rng) for _ in range(options.views)]
    intrinsics = camera.r2n2_intrinsics(options.size)
    for i, viewpoint in enumerate(viewpoints):
        view = render.render(surface, viewpoint, intrinsics, options.size)
        Image.fromarray(view.rgba).save(folder / f"{i:02d}.png")
    lines = [f"{v.azimuth} {v.elevation} 0 {v.distance} 25\n" for v in viewpoints]
    (folder / "rendering_metadata.txt").write_text("".join(lines))


@pytest.mark.data
def test_published_views_without_depth(data_dir):
    items, _ = p2m_shapenet.find_items(data_dir / "shapenet_sample" / "p2m", Options())
    check_all(p2m_shapenet, items, Options())
    options = Options(views=24)
    items, _ = shapenet_r2n2.find_items(data_dir / "r2n2_sample", options)
    check_all(shapenet_r2n2, items, options)
