"""Inside and voxels against closed forms, the images and the field."""

import numpy as np
import pytest
import scipy.ndimage

from data_pipelines.procedural_shapes import families
from data_pipelines.surfaces import field_samples, orientation, render, solids
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera, voxels
from pixel2mesh_jax.io import meshes
from tests.data_pipelines.surfaces import solid_shapes as shapes

SHAPE = (137, 137)
INTRINSICS = camera.r2n2_intrinsics(137)
VIEWPOINT = render.Viewpoint(azimuth=35.0, elevation=28.0, distance=0.8)
TRANSFORM = camera.camera_from_object(*VIEWPOINT)
RESOLUTION = 48


def solid_of(surface):
    return solids.make_solid(orientation.orient_outward(surface))


def voxels_of(solid, transform=TRANSFORM):
    return solids.voxelize(solid, transform, INTRINSICS, SHAPE, RESOLUTION)


def centers_of_voxels(transform=TRANSFORM):
    """Object-frame centres of all voxels of an image."""
    index = np.argwhere(np.ones((RESOLUTION,) * 3, bool)).astype(np.float64)
    points = voxels.camera_from_voxel(
        index, INTRINSICS.astype(np.float64), SHAPE, RESOLUTION
    )
    return camera.transform_points(points, np.linalg.inv(transform))


def volumes_of_voxels():
    """Cubic metres of every voxel: a frustum, wider and deeper with the distance."""
    layer = np.arange(RESOLUTION + 1)[:, None] - 0.5
    index = layer * np.array([[1.0, 0.0, 0.0]])
    depth = -voxels.camera_from_voxel(index, INTRINSICS, SHAPE, RESOLUTION)[:, 2]
    side = SHAPE[0] / (RESOLUTION - 1) / INTRINSICS[0, 0]
    return np.diff(depth**3)[:, None, None] / 3 * side**2


def random_points(count=4000, seed=0):
    half = camera.P2M_SCALE / 2
    return np.random.default_rng(seed).uniform(-half, half, (count, 3))


def in_box(points, surface):
    return (np.abs(points) < surface.vertices.max(axis=0)).all(axis=1)


def test_inside_of_a_sphere():
    solid = solid_of(shapes.shuffled(shapes.surface_of(shapes.sphere())))
    radius = np.linalg.norm(random_points(), axis=1) / solid.surface.vertices.max()
    clear = np.abs(radius - 1) > 0.02  # the facets
    inside = solids.is_inside(solid.surface, random_points())
    np.testing.assert_array_equal(inside[clear], (radius < 1)[clear])


def test_inside_of_a_box_with_hidden_and_overlapping_and_doubled_parts():
    inner = shapes.box((0.3, 0.3, 0.3))
    overlapping = shapes.box((0.5, 0.6, 0.8), (-0.25, 0, 0))
    outer = shapes.box()
    surface = shapes.surface_of(outer, outer, inner, overlapping)
    visible = solid_of(shapes.shuffled(surface)).surface
    inside = solids.is_inside(visible, random_points())
    np.testing.assert_array_equal(inside, in_box(random_points(), surface))


def test_hidden_and_repeated_faces_are_not_part_of_the_visible_surface():
    outer, inner = shapes.box(), shapes.box((0.3, 0.3, 0.3))
    oriented = orientation.orient_outward(shapes.surface_of(outer, outer, inner))
    assert len(solids.find_visible_surface(oriented).faces) == 12


def test_order_and_winding_of_the_faces_do_not_matter():
    shape = families.make_shape("airplane", np.random.default_rng(1))
    surface = shapes.surface_of(shape)
    inside = [
        solids.is_inside(solid_of(s).surface, random_points())
        for s in (surface, shapes.shuffled(surface))
    ]
    assert inside[0].any()
    np.testing.assert_array_equal(*inside)


def test_small_holes_are_closed():
    surface = shapes.surface_of(shapes.sphere())
    low = surface.vertices[surface.faces][..., 1].max(axis=1)
    holed = surface.faces[low > -0.97 * surface.vertices.max()]
    assert len(holed) < len(surface.faces)
    oriented = orientation.orient_outward(surface)
    visible = oriented.surface._replace(faces=holed)
    points = 0.9 * visible.vertices[::7]
    assert solids.is_inside(visible, points).all()


@pytest.mark.parametrize("shape", [shapes.sphere(), shapes.box()])
def test_volume_of_the_voxels(shape):
    """Right to a tenth of a layer of voxels around the surface."""
    surface = shapes.surface_of(shape)
    scale = np.ptp(surface.vertices[:, 0]) / np.ptp(shape.vertices[:, 0])
    volume = (voxels_of(solid_of(surface)) * volumes_of_voxels()).sum()
    layer = shape.area * scale**2 * np.cbrt(np.median(volumes_of_voxels()))
    assert volume == pytest.approx(shape.volume * scale**3, abs=0.1 * layer)


def test_voxels_of_a_thick_solid_are_the_centres_inside():
    surface = shapes.surface_of(shapes.box())
    expected = in_box(centers_of_voxels(), surface)
    np.testing.assert_array_equal(voxels_of(solid_of(surface)).ravel(), expected)


def test_voxels_and_field_have_one_sign():
    shape = families.make_shape("mug", np.random.default_rng(0))
    solid = solid_of(shapes.surface_of(shape))
    occupied = voxels_of(solid).ravel()
    centers = centers_of_voxels()[occupied]
    field = field_samples.evaluate_field(solid.surface, centers)
    inside = field.distances < 0
    assert inside.sum() > 100
    # The others are where the wall is thinner than a voxel: at most half of it away.
    side = np.cbrt(volumes_of_voxels().max())
    assert field.distances[~inside].max() < side
    everywhere = solids.is_inside(solid.surface, centers_of_voxels())
    np.testing.assert_array_equal(occupied & everywhere, everywhere)


def test_thin_parts_have_no_gaps():
    """A board and a leg of a fifth of a voxel: one connected piece, one voxel thick."""
    leg = shapes.box((0.02, 0.9, 0.02), (0.03, 0.5, 0.3))
    board = shapes.box((1.0, 0.02, 1.0))
    occupied = voxels_of(solid_of(shapes.surface_of(leg, board)))
    _, count = scipy.ndimage.label(occupied, np.ones((3, 3, 3)))
    assert count == 1
    assert occupied.any(axis=(0, 2)).sum() > 20
    rows = np.flatnonzero(occupied.any(axis=(0, 2)))[:10]  # of the leg alone
    assert occupied[:, rows].sum(axis=(0, 2)).max() <= 3


def test_sheet_has_no_inside_but_voxels():
    solid = solid_of(shapes.surface_of(shapes.sheet()))
    assert not solids.is_inside(solid.surface, random_points()).any()
    occupied = voxels_of(solid)
    index = voxels.voxel_from_camera(
        camera.transform_points(solid.near, TRANSFORM), INTRINSICS, SHAPE, RESOLUTION
    )
    assert occupied[tuple(np.round(index).astype(int).T)].all()
    assert occupied.sum() == len(np.unique(np.round(index).astype(int), axis=0))


def test_nothing_is_occupied_before_the_visible_surface():
    """Also in an open cup, most of which the winding number calls inside."""
    surface = shapes.surface_of(shapes.cup())
    view = render.render(surface, VIEWPOINT, INTRINSICS, 137)
    index = np.argwhere(voxels_of(solid_of(surface))).astype(np.float64)
    points = voxels.camera_from_voxel(index, INTRINSICS, SHAPE, RESOLUTION)
    u, v = np.round(camera.project(points, INTRINSICS)).astype(int).T
    seen = view.depth[v, u] > 0
    before = view.depth[v, u] + points[:, 2]
    assert seen.mean() > 0.95
    layer = 0.03  # metres between layers at this distance; sheets are rounded to one
    assert before[seen].max() < layer


@pytest.mark.parametrize("distance", [0.45, 1.3])
def test_object_beyond_the_depths_of_the_volume_is_refused(distance):
    transform = camera.camera_from_object(35.0, 28.0, distance)
    with pytest.raises(InputError, match=r"before the camera, the voxels reach from"):
        voxels_of(solid_of(shapes.surface_of(shapes.sphere())), transform)


def test_voxels_beside_the_image_are_dropped():
    aside = np.eye(4)
    aside[0, 3] = 0.4
    solid = solid_of(shapes.surface_of(shapes.sphere()))
    occupied = voxels_of(solid, aside @ TRANSFORM)
    assert 0 < occupied.sum() < 0.8 * voxels_of(solid).sum()
    assert occupied[:, :, -1].any()


def test_equal_surfaces_give_equal_voxels():
    surface = shapes.surface_of(families.make_shape("chair", np.random.default_rng(0)))
    np.testing.assert_array_equal(
        voxels_of(solid_of(surface)), voxels_of(solid_of(surface))
    )


def test_needles_are_all_visible():
    """A model of which no face has a measurable area keeps all of them."""
    surface = shapes.surface_of(shapes.box((1, 1e-9, 1e-9)))
    oriented = orientation.orient_outward(surface)
    assert not oriented.first.any()
    solid = solids.make_solid(oriented)
    assert len(solid.surface.faces) == 12
    assert voxels_of(solid).any()


@pytest.mark.data
def test_voxels_of_real_models_project_into_their_masks(data_dir):
    """A voxel is 2.9 pixels wide; nearly all of them touch the mask."""
    shares = []
    for path in sorted(data_dir.glob("objects/*/*/*.glb"))[5::48]:
        surface = meshes.normalize(meshes.load_surface(path))
        view = render.render(surface, VIEWPOINT, INTRINSICS, 137)
        index = np.argwhere(voxels_of(solid_of(surface))).astype(np.float64)
        points = voxels.camera_from_voxel(index, INTRINSICS, SHAPE, RESOLUTION)
        u, v = np.round(camera.project(points, INTRINSICS)).astype(int).T
        touched = scipy.ndimage.maximum_filter(view.rgba[..., 3] > 0, size=3)
        shares.append(touched[v, u].mean())
    assert len(shares) > 12
    assert np.mean(shares) > 0.99
    assert min(shares) > 0.96
