"""The refinement of signed distances: where it starts and what it sees."""

import jax
import jax.numpy as jnp
import numpy as np

from pixel2mesh_jax.geometry import cubify, frustum
from pixel2mesh_jax.models.frustum_mesh import FrustumMesh
from pixel2mesh_jax.models.frustum_unet import FrustumUNet
from pixel2mesh_jax.models.mesh_rcnn import PaddedRefinement

RESOLUTION, LAYERS = 12, 10
VOLUME = frustum.ViewVolume(
    *(jnp.asarray(x, jnp.float32) for x in ([[0.1, -0.2]], [0.6], [0.5], [0.4]))
)


def make_model():
    trunk = FrustumUNet(resolution=RESOLUTION, layers=LAYERS, widths=(8, 8))
    return FrustumMesh(trunk, PaddedRefinement(), cubify.Capacity(600, 1200), 0.0)


def ball(middle, radius):
    place = np.stack(np.mgrid[:LAYERS, :RESOLUTION, :RESOLUTION], axis=-1)
    return np.float32(np.linalg.norm(place - middle, axis=-1) - radius)


def test_a_step_of_newton_brings_a_ball_of_cells_to_its_surface():
    middle, radius = np.array([4.6, 5.3, 5.8]), 3.2
    field = ball(middle, radius)
    mesh = cubify.cubify(jax.nn.sigmoid(-field), 0.5, cubify.Capacity(600, 1200))
    steps = jax.jit(cubify.steps_to_zero)(field, mesh.vertices)
    real = np.asarray(mesh.vertex_mask) > 0
    before, after = (
        np.abs(np.linalg.norm(x - middle, axis=-1) - radius)[real]
        for x in (np.asarray(mesh.vertices), np.asarray(mesh.vertices + steps))
    )
    assert np.abs(steps).max() <= 0.5
    assert before.mean() > 0.2
    assert after.mean() < before.mean() / 3


def test_a_field_without_slope_moves_nothing():
    steps = cubify.steps_to_zero(
        np.zeros((4, 4, 4), np.float32), np.zeros((2, 3)) + 0.5
    )
    np.testing.assert_array_equal(steps, np.zeros((2, 3)))


def test_the_start_is_where_the_field_stands_in_the_volume():
    model = make_model()
    field = ball(np.array([4.0, 5.0, 6.0]), 2.5)[None]
    mesh = jax.vmap(model._mesh_of)(field)
    start = np.asarray(model._start(field, mesh.vertices, VOLUME))
    index = frustum.index_of_points(start, VOLUME, RESOLUTION, LAYERS)
    real = np.asarray(mesh.vertex_mask[0]) > 0
    row, column, layer = np.asarray(index)[0, real].T
    np.testing.assert_allclose(
        [layer.mean(), row.mean(), column.mean()], [4, 5, 6], atol=0.1
    )


def test_coordinates_cover_the_volume_and_y_is_up():
    """The middles of the outer cells are half a cell inside of the borders."""
    corners = np.float32([[[0, 0, 0], [RESOLUTION - 1, RESOLUTION - 1, LAYERS - 1]]])
    points = frustum.points_of_index(corners, VOLUME, RESOLUTION, LAYERS)
    ndc = make_model()._ndc(jnp.asarray(points), VOLUME)
    side, depth = 1 - 1 / RESOLUTION, 1 - 1 / LAYERS
    expected = [[-side, side, -depth], [side, -side, depth]]
    np.testing.assert_allclose(ndc[0], expected, atol=1e-5)
