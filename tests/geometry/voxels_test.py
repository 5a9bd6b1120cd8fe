"""The view volume against numbers of the published program, and there and back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from pixel2mesh_jax.geometry import camera, voxels

SHAPE = (137, 137)
INTRINSICS = camera.r2n2_intrinsics(137)


def random_index(count, resolution, seed=0):
    return np.random.default_rng(seed).uniform(0, resolution - 1, (count, 3))


@pytest.mark.parametrize("resolution", [24, 48])
def test_there_and_back(resolution):
    index = random_index(200, resolution)
    points = voxels.camera_from_voxel(index, INTRINSICS, SHAPE, resolution)
    again = voxels.voxel_from_camera(points, INTRINSICS, SHAPE, resolution)
    np.testing.assert_allclose(again, index, atol=1e-6)


def test_corners_are_the_corners_of_the_image_at_the_ends_of_the_depth_range():
    index = np.array([[0.0, 0, 0], [47, 47, 47]])
    points = voxels.camera_from_voxel(index, INTRINSICS, SHAPE, 48)
    np.testing.assert_allclose(-points[:, 2], voxels.DEPTH_RANGE)
    pixels = camera.project(points, INTRINSICS)
    np.testing.assert_allclose(pixels, [[-0.5, -0.5], [136.5, 136.5]], atol=1e-4)
    assert points[0, 0] < 0 < points[0, 1]  # upper left
    assert points[1, 1] < 0 < points[1, 0]  # lower right


def test_layers_are_equally_spaced_in_inverse_depth():
    index = np.stack([np.arange(48.0), np.zeros(48), np.zeros(48)], axis=1)
    points = voxels.camera_from_voxel(index, INTRINSICS, SHAPE, 48)
    steps = np.diff(1 / points[:, 2])
    np.testing.assert_allclose(steps, steps[0])
    assert (np.diff(points[:, 2]) < 0).all()


def test_every_normalised_object_fits():
    """The nearest and farthest points of the closest and farthest 3D-R2N2 cameras."""
    near, far = voxels.DEPTH_RANGE
    closest, farthest = camera.R2N2_DISTANCE_RATIO
    assert near < closest - camera.P2M_SCALE / 2
    assert far > farthest + camera.P2M_SCALE / 2


def test_batches_crops_and_jax_agree_with_single_numpy():
    index = random_index(2 * 7, 24).reshape(2, 7, 3)
    cropped = camera.crop_intrinsics(INTRINSICS, 20, 5)
    both = np.stack([INTRINSICS, cropped])
    shape = (110, 90)
    points = voxels.camera_from_voxel(index, both, shape, 24)
    for i in range(2):
        single = voxels.camera_from_voxel(index[i], both[i], shape, 24)
        np.testing.assert_allclose(points[i], single, rtol=1e-12)
    traced = jax.jit(voxels.camera_from_voxel, static_argnums=(2, 3))
    again = traced(jnp.asarray(index, jnp.float32), jnp.asarray(both), shape, 24)
    np.testing.assert_allclose(again, points, atol=1e-6)


def test_gradient(x64):
    points = np.array([[0.1, -0.05, -0.8], [-0.2, 0.1, -1.1]])
    check_grads(
        lambda p: voxels.voxel_from_camera(p, INTRINSICS, SHAPE, 48),
        (jnp.asarray(points),),
        order=1,
    )


@pytest.mark.data
def test_cube_of_mesh_rcnn_lies_where_the_published_program_puts_it(data_dir):
    """Published coordinates are (column, row, depth) in [-1, 1], a unit diagonal."""
    oracle = np.load(data_dir / "oracles/mrcnn_coords.npz")
    cube = oracle["voxel_space_verts"].astype(np.float64)
    index = (cube[:, ::-1] + 1) / 2 * 47
    points = voxels.camera_from_voxel(index, INTRINSICS, SHAPE, 48)
    expected = camera.P2M_SCALE * oracle["voxel_to_camera"]
    np.testing.assert_allclose(points, expected, rtol=3e-6, atol=1e-7)


@pytest.mark.data
@pytest.mark.parametrize("resolution", [24, 48])
def test_occupied_voxels_are_those_of_the_published_program(data_dir, resolution):
    oracle = np.load(data_dir / "oracles/mrcnn_coords.npz")
    name = f"voxelize{resolution}"
    extrinsic = oracle["extrinsic"][oracle[f"{name}/extrinsic_row"]]
    points = camera.transform_points(oracle[f"{name}/points"], extrinsic)
    index = voxels.voxel_from_camera(
        camera.P2M_SCALE * points.astype(np.float64), INTRINSICS, SHAPE, resolution
    )
    cells = np.round(index).astype(int)
    cells = cells[((cells >= 0) & (cells < resolution)).all(axis=1)]
    expected = {tuple(cell) for cell in oracle[f"{name}/occupied_zyx"].tolist()}
    assert {tuple(cell) for cell in cells.tolist()} == expected
