"""Depth that is not of the object is found; depth that is, is left alone."""

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial import KDTree

from pixel2mesh_jax.geometry import depth_parts
from pixel2mesh_jax.geometry.flying_pixels import flying_pixels
from pixel2mesh_jax.geometry.foreground import unprojected
from pixel2mesh_jax.io import cameras

FOCAL = 500.0
SHAPE = (60, 80)


def scene(thickness=30):
    """A wall at 1 m, a plate at 0.6 m; which pixels are the plate's."""
    plate = np.zeros(SHAPE, bool)
    plate[10:50, 25 : 25 + thickness] = True
    return np.where(plate, 0.6, 1.0).astype(np.float32), plate


def test_a_clean_scene_is_left_alone():
    depth, plate = scene()
    assert not flying_pixels(depth, plate, FOCAL).any()


def test_depth_between_two_surfaces():
    depth, plate = scene()
    depth[10:50, 54] = 0.8
    found = flying_pixels(depth, plate, FOCAL)
    np.testing.assert_array_equal(np.nonzero(found.any(axis=0))[0], [54])
    assert found[:, 54].sum() == 40


@pytest.mark.parametrize("width", [1, 2])
def test_a_mask_that_is_too_wide(width):
    depth, plate = scene()
    wide = plate.copy()
    wide[10:50, 25 - width : 25] = True
    found = flying_pixels(depth, wide, FOCAL)
    np.testing.assert_array_equal(found, wide & ~plate)


def test_single_pixels_in_a_hole():
    depth, plate = scene()
    depth[20:40, 30:50] = 0
    depth[30, 40] = 0.7
    found = flying_pixels(depth, plate, FOCAL)
    np.testing.assert_array_equal(np.argwhere(found), [[30, 40]])


@pytest.mark.parametrize("thickness", [1, 2, 5])
@pytest.mark.parametrize("wall", [True, False])
def test_thin_parts_are_kept(thickness, wall):
    """Legs of a table, in front of a wall or of nothing."""
    depth, leg = scene(thickness)
    seat = np.zeros(SHAPE, bool)
    seat[2:10, 10:70] = True
    depth[seat] = 0.65
    if not wall:
        depth[~(leg | seat)] = 0
    assert not flying_pixels(depth, leg | seat, FOCAL).any()


def test_a_slanted_surface_is_kept():
    columns = np.arange(SHAPE[1], dtype=np.float32)
    depth = np.tile(0.6 + 0.6 * 3 * columns / FOCAL, (SHAPE[0], 1))  # 72 degrees
    mask = np.zeros(SHAPE, bool)
    mask[5:55, 5:75] = True
    assert not flying_pixels(depth, mask, FOCAL).any()


def test_a_steep_face_beside_a_wall_is_kept():
    """A box from a low angle: eight pixels, 20 mm each, then the wall."""
    depth, plate = scene()
    depth[10:50, 55:63] = 0.6 + 0.02 * np.arange(1, 9, dtype=np.float32)
    mask = plate.copy()
    mask[10:50, 55:63] = True
    assert not flying_pixels(depth, mask, 150.0)[:, :63].any()


def test_parts_are_separated_where_depth_jumps():
    depth, plate = scene()
    labels = depth_parts.label(np.ones(SHAPE, bool), depth, FOCAL)
    assert len(np.unique(labels)) == 2
    assert len(np.unique(labels[plate])) == 1
    nothing = depth_parts.label(np.zeros(SHAPE, bool), depth, FOCAL)
    assert not nothing.any()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "before", "after"), [("009_gelatin_box", 90, 5), ("025_mug", 90, 7)]
)
def test_a_sensor_keeps_nothing_that_is_not_of_the_object(
    data_dir, name, before, after
):
    """Points of the depth map to the true mesh, the farthest one, millimetres."""
    stem = data_dir / "rgbd_captures" / f"ycbv01_{name}"
    depth = np.asarray(Image.open(f"{stem}_depth.png")).astype(np.float32) / 1000
    mask = np.asarray(Image.open(f"{stem}_mask.png").convert("L")) > 127
    lens = cameras.load_camera(f"{stem}_camera.json").matrix
    points = unprojected(depth, lens) * (1, -1, -1)
    true = trimesh.load_mesh(f"{stem}_mesh.ply").sample(20_000, seed=0)
    distance = 1e3 * KDTree(true).query(points)[0]
    inside = mask & (depth > 0)
    kept = inside & ~flying_pixels(depth, mask, lens[0, 0])
    assert kept.sum() > 0.95 * inside.sum()
    assert distance[inside].max() > before
    assert distance[kept].max() < after
