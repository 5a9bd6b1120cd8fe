"""Colours of vertices: those of the picture where it shows them."""

import numpy as np

from pixel2mesh_jax.geometry import frustum, isosurface, vertex_colors
from tests.views_of_solids import CENTER, SOLIDS, see

R = 32
FRONT, BACK = np.array([1.0, 0.2, 0.1]), np.array([0.1, 0.3, 0.9])


def colored_sphere(view, depth):
    volume = frustum.view_volume(view.depth, view.mask, view.intrinsics)
    volume = volume._replace(extent=np.float32(1.5) * volume.extent)
    cell = frustum.thickness(volume, R)
    field = view.distance(frustum.cell_points(volume, R, R)) / cell
    mesh = isosurface.extract(field, volume)
    mask = view.mask[..., None]
    rgb = (mask * FRONT + 1 - mask).astype(np.float32)
    far = np.tile(BACK, (R, R, 1)).astype(np.float32)
    colors = vertex_colors.of_surface(
        mesh, rgb, view.mask, view.intrinsics, depth, far, volume, R
    )
    return mesh, colors


def rays_of(view):
    volume = frustum.view_volume(view.depth, view.mask, view.intrinsics)
    rgb = np.repeat(view.mask[..., None], 3, axis=-1)
    seen = frustum.look(rgb, view.depth, view.mask, view.intrinsics, volume, R, R)
    return np.asarray(seen.depth)


def test_front_has_the_colour_of_the_picture_and_the_back_that_of_the_far_side():
    view = see(SOLIDS["sphere"])
    for depth in (rays_of(view), np.zeros((R, R), np.float32)):
        mesh, colors = colored_sphere(view, depth)
        to_eye = -mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
        outward = mesh.vertices - CENTER
        cosine = np.sum(outward * to_eye, axis=1) / np.linalg.norm(outward, axis=1)
        np.testing.assert_allclose(
            colors[cosine > 0.5], np.tile(FRONT, (sum(cosine > 0.5), 1)), atol=0.02
        )
        np.testing.assert_allclose(
            colors[cosine < -0.5], np.tile(BACK, (sum(cosine < -0.5), 1)), atol=0.02
        )


def test_white_around_the_object_does_not_bleed_in():
    view = see(SOLIDS["sphere"])
    _, colors = colored_sphere(view, rays_of(view))
    distance = np.minimum(
        np.abs(colors - FRONT).max(axis=1), np.abs(colors - BACK).max(axis=1)
    )
    assert distance.max() < 0.05
