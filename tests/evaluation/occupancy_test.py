"""True solids: what their places stand for."""

import numpy as np
import trimesh

from pixel2mesh_jax.evaluation import metrics, occupancy
from pixel2mesh_jax.geometry import camera, frustum


def test_volumes_of_voxels_add_up_to_those_of_solids():
    """Two balls, one behind the other: seen from the camera the far voxels are few."""
    intrinsics = camera.r2n2_intrinsics(64)
    empty = occupancy.of_voxels(np.zeros((96, 96, 96), bool), intrinsics, (64, 64))
    balls = [np.array([-0.05, 0, -0.7]), np.array([0.05, 0, -0.9])]
    near, far = (
        np.linalg.norm(empty.places - middle, axis=1) < 0.1 for middle in balls
    )
    assert np.sum(near) > 1.5 * np.sum(far)
    volumes = [np.sum(empty.volumes[inside]) for inside in (near, far)]
    np.testing.assert_allclose(volumes[0], volumes[1], rtol=0.02)
    iou = metrics.intersection_over_union(near, near | far, empty.volumes)
    np.testing.assert_allclose(iou, 0.5, rtol=0.02)


def ball_in_a_volume(cells):
    """A ball of 0.1 m at a distance of 0.6 m, and where its cells stand."""
    placement = np.array([0.0, 0.0, 0.4, 0.45, 0.3])
    volume = frustum.unpack(placement)
    points = frustum.cell_points(volume, cells, cells)
    apart = np.linalg.norm(points - [0, 0, -0.6], axis=-1) - 0.1
    thickness = frustum.thickness(volume, cells)
    stored = np.clip(np.round(apart / thickness / 3 * 127), -127, 127)
    return occupancy.of_distances(stored.astype(np.int8), placement)


def test_cells_add_up_to_the_volume_of_a_ball():
    solid = ball_in_a_volume(64)
    whole = 0.3 / 3 * 0.4**2 * (0.75**3 - 0.45**3) / 0.3  # of the frustum
    share = solid.volumes[solid.inside].sum() / solid.volumes.sum()
    np.testing.assert_allclose(share, 4 / 3 * np.pi * 0.1**3 / whole, rtol=0.02)


def test_the_true_ball_fills_its_cells_and_a_smaller_one_its_share():
    solid = ball_in_a_volume(48)
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.1)
    ball.apply_translation([0, 0, -0.6])
    assert solid.iou(ball.vertices, ball.faces) > 0.97
    small = ball.vertices + 0.2 * ([0, 0, -0.6] - ball.vertices)
    np.testing.assert_allclose(solid.iou(small, ball.faces), 0.8**3, rtol=0.03)
