"""What stands on a table is found in a depth map."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from pixel2mesh_jax.geometry import foreground
from pixel2mesh_jax.io import cameras
from pixel2mesh_jax.rendering import raycast

LENS = np.array([[150.0, 0, 79.5], [0, 150.0, 59.5], [0, 0, 1]])
SHAPE = (120, 160)


def scene(*boxes, table=True):
    """Depth of boxes (x, size) on a table seen from above, and which pixels are whose.

    OpenGL's axes: the table lies 0.4 m below the camera, which looks down at it.
    """
    meshes = [
        trimesh.creation.box(
            (size,) * 3, trimesh.transformations.translation_matrix([x, size / 2, 0])
        )
        for x, size in boxes
    ]
    if table:
        meshes.append(
            trimesh.creation.box(
                (3, 0.02, 3), trimesh.transformations.translation_matrix([0, -0.01, 0])
            )
        )
    down = trimesh.transformations.rotation_matrix(np.radians(40), [1, 0, 0])
    back = trimesh.transformations.translation_matrix([0, 0, -0.7])
    placed = [mesh.copy().apply_transform(back @ down) for mesh in meshes]
    depths = [
        raycast.cast(
            np.asarray(mesh.vertices, np.float32), mesh.faces, LENS, SHAPE
        ).depth
        for mesh in placed
    ]
    depths = np.where(np.stack(depths) > 0, np.stack(depths), np.inf)
    nearest = depths.min(axis=0)
    owner = np.where(np.isfinite(nearest), depths.argmin(axis=0), -1)
    return np.where(np.isfinite(nearest), nearest, 0).astype(np.float32), owner


def overlap(found, true):
    return (found & true).sum() / (found | true).sum()


def test_a_box_on_a_table():
    depth, owner = scene((0.0, 0.15))
    found = foreground.object_mask(depth, LENS)
    assert overlap(found, owner == 0) > 0.93


def test_noise_and_holes_do_not_matter():
    depth, owner = scene((0.0, 0.15))
    random = np.random.default_rng(0)
    depth = depth * (1 + 0.002 * random.standard_normal(SHAPE)).astype(np.float32)
    depth[random.random(SHAPE) < 0.05] = 0
    found = foreground.object_mask(depth, LENS)
    assert overlap(found, owner == 0) > 0.9


def test_the_unit_does_not_matter():
    depth, _ = scene((0.0, 0.15))
    np.testing.assert_array_equal(
        foreground.object_mask(depth * 1000, LENS), foreground.object_mask(depth, LENS)
    )


def test_of_several_the_central_one_unless_a_box_says_otherwise():
    depth, owner = scene((0.0, 0.12), (0.25, 0.12))
    assert overlap(foreground.object_mask(depth, LENS), owner == 0) > 0.9
    rows, columns = np.nonzero(owner == 1)
    corners = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    box = tuple(int(side) for side in corners)
    assert overlap(foreground.object_mask(depth, LENS, box), owner == 1) > 0.9


@pytest.mark.parametrize("boxes", [(), ((0.0, 0.001),)])
def test_an_empty_table_has_no_object(boxes):
    depth, _ = scene(*boxes)
    assert foreground.object_mask(depth, LENS) is None


def test_without_a_plane_there_is_no_saying():
    random = np.random.default_rng(0)
    depth = random.uniform(0.3, 3, SHAPE).astype(np.float32)
    assert foreground.object_mask(depth, LENS) is None
    assert foreground.object_mask(np.zeros(SHAPE, np.float32), LENS) is None


def test_depth_that_is_cut_out_is_the_object():
    depth, owner = scene((0.0, 0.15), table=False)
    np.testing.assert_array_equal(foreground.object_mask(depth, LENS), owner == 0)


def test_the_side_of_a_box_is_no_ground():
    """Most points lie on it, but the ground lies beyond it."""
    depth, owner = scene((0.0, 0.3))
    found = foreground.object_mask(depth, LENS)
    assert overlap(found, owner == 0) > 0.9


def test_the_plane_is_that_of_the_table():
    depth, owner = scene((0.0, 0.15))
    points = foreground.unprojected(depth, LENS)
    plane = foreground.supporting_plane(points[depth > 0])
    on_table = points[owner == 1] @ plane.normal - plane.offset
    assert np.abs(on_table).max() < 1e-3
    assert -plane.offset > 0  # the camera is above it


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "least"), [("009_gelatin_box", 0.88), ("061_foam_brick", 0.87)]
)
def test_a_sensor_sees_it_too(data_dir, name, least):
    stem = data_dir / "rgbd_captures" / f"ycbv01_{name}"
    depth = np.asarray(Image.open(f"{stem}_depth.png")).astype(np.float32)
    mask = np.asarray(Image.open(f"{stem}_mask.png").convert("L")) > 127
    lens = cameras.load_camera(f"{stem}_camera.json").matrix
    assert overlap(foreground.object_mask(depth, lens), mask) > least
