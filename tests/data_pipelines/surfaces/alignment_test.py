"""Depth for images made elsewhere, and whether their mesh fits them."""

import numpy as np
import pytest
import trimesh

from data_pipelines.surfaces import alignment, render
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import meshes
from pixel2mesh_jax.rendering import raycast

INTRINSICS = camera.r2n2_intrinsics(64)
VIEWPOINT = render.Viewpoint(35.0, 27.0, 0.8)
TRANSFORM = camera.camera_from_object(*VIEWPOINT)


def surface_and_scene():
    surface = meshes.surface_from_mesh(trimesh.creation.box((3, 1, 2)))
    surface = meshes.normalize(surface)
    return surface, raycast.make_scene(surface.vertices, surface.faces)


def test_depth_and_silhouette_are_those_of_the_renderer():
    surface, scene = surface_and_scene()
    rendered = render.render(surface, VIEWPOINT, INTRINSICS, 64)
    view, silhouette = alignment.view_with_depth(
        rendered.rgba, scene, TRANSFORM, INTRINSICS
    )
    np.testing.assert_array_equal(view.depth, rendered.depth)
    np.testing.assert_array_equal(view.rgba, rendered.rgba)
    np.testing.assert_array_equal(silhouette, rendered.rgba[..., 3] > 0)


def test_depth_is_missing_outside_the_mask():
    surface, scene = surface_and_scene()
    rgba = render.render(surface, VIEWPOINT, INTRINSICS, 64).rgba
    rgba[:32] = 0
    view, silhouette = alignment.view_with_depth(rgba, scene, TRANSFORM, INTRINSICS)
    assert not view.depth[:32].any()
    assert view.depth[32:].any()
    assert silhouette[:32].any()


def test_overlap_is_intersection_over_union():
    a, b = np.zeros((2, 4, 4), bool)
    assert alignment.overlap(a, b) == 0
    a[:2], b[1:] = True, True
    assert alignment.overlap(a, b) == pytest.approx(4 / 16)
    assert alignment.overlap(a, a) == 1


def test_a_mesh_that_does_not_fit_is_refused():
    alignment.check_overlap(0.5)
    with pytest.raises(InputError, match=r"by 0\.49, expected at least 0\.5"):
        alignment.check_overlap(0.49)
