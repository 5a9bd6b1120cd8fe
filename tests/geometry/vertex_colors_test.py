"""Colours of vertices: those of the image where it shows them."""

import numpy as np

from pixel2mesh_jax.geometry import (
    camera,
    frustum,
    isosurface,
    symmetry,
    templates,
    vertex_colors,
)
from tests.views_of_solids import CENTER, SOLIDS, see

R = 32
LEFT, RIGHT = np.array([1.0, 0.2, 0.1]), np.array([0.1, 0.3, 0.9])


def left_half(points):
    return points[..., :1] < CENTER[0]


def colored_sphere(view, depth, is_left=left_half, mirrors=()):
    """In two colours, by default left and right."""
    volume = frustum.view_volume(view.depth, view.mask, view.intrinsics)
    volume = volume._replace(extent=np.float32(1.5) * volume.extent)
    cell = frustum.thickness(volume, R)
    field = view.distance(frustum.cell_points(volume, R, R)) / cell
    mesh = isosurface.extract(field, volume)
    mask = view.mask[..., None]
    points = camera.unproject(view.depth, view.intrinsics)
    paint = np.where(is_left(points), LEFT, RIGHT)
    rgb = (mask * paint + 1 - mask).astype(np.float32)
    colors = vertex_colors.of_surface(
        mesh, rgb, view.mask, view.intrinsics, depth, volume, R, mirrors
    )
    return mesh, colors


def rays_of(view):
    volume = frustum.view_volume(view.depth, view.mask, view.intrinsics)
    rgb = np.repeat(view.mask[..., None], 3, axis=-1)
    seen = frustum.look(rgb, view.depth, view.mask, view.intrinsics, volume, R, R)
    return np.asarray(seen.depth)


def test_every_vertex_has_the_colour_of_its_half():
    """Also behind, with a depth map and without."""
    view = see(SOLIDS["sphere"])
    for depth in (rays_of(view), np.zeros((R, R), np.float32)):
        mesh, colors = colored_sphere(view, depth)
        aside = mesh.vertices[:, 0] - CENTER[0]
        far = np.abs(aside) > 0.04
        expected = np.where(aside[:, None] < 0, LEFT, RIGHT)
        error = np.abs(colors - expected)[far].max(axis=1)
        assert np.quantile(error, 0.97) < 0.02


def test_a_plane_of_symmetry_brings_colours_to_the_hidden_side():
    """A spot in the middle of the front, which is on the back too."""
    view = see(SOLIDS["sphere"])
    back = symmetry.Mirror(np.array([0.0, 0.0, 1.0]), CENTER[2], 0.0)

    def spot(points):
        around = np.linalg.norm((points - CENTER)[..., :2], axis=-1)
        return around[..., None] < 0.08

    for mirrors, expected in (([], RIGHT), ([back], LEFT)):
        mesh, colors = colored_sphere(view, rays_of(view), spot, mirrors)
        middle = spot(mesh.vertices)[:, 0] & (mesh.vertices[:, 2] < CENTER[2] - 0.17)
        assert middle.any()
        error = np.abs(colors - expected)[middle].max(axis=1)
        assert np.quantile(error, 0.8) < 0.02


def test_white_around_the_object_does_not_bleed_in():
    view = see(SOLIDS["sphere"])
    _, colors = colored_sphere(view, rays_of(view))
    # Between the two colours of the halves, but not towards white.
    assert colors.sum(axis=1).max() < max(LEFT.sum(), RIGHT.sum()) + 0.05


def test_what_a_mesh_shows_is_painted_by_the_image_and_the_rest_is_not():
    view = see(SOLIDS["sphere"])
    ball = templates.icosphere(3, 1, 0.2, tuple(CENTER))
    rgb = np.where(view.mask[..., None] > 0, LEFT, 1.0).astype(np.float32)
    guessed = np.tile(np.float32(RIGHT), (len(ball.vertices), 1))
    faces = np.asarray(ball.levels[0].faces)
    colors = vertex_colors.seen_from_image(
        guessed, ball.vertices, faces, rgb, view.mask, view.intrinsics
    )
    towards = (ball.vertices - CENTER) @ -CENTER
    towards = towards / 0.2 / np.linalg.norm(CENTER)
    front = colors[towards > 0.5]
    np.testing.assert_allclose(front, np.tile(LEFT, (len(front), 1)), atol=1e-2)
    np.testing.assert_array_equal(colors[towards < 0], guessed[towards < 0])
