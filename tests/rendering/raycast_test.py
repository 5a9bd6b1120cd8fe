"""Depth and barycentric coordinates against planes, a sphere and a naive ray tracer."""

import numpy as np
import pytest
import trimesh

from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.rendering import raycast

SIZE = 48
INTRINSICS = camera.r2n2_intrinsics(SIZE)


def quad(corners):
    return np.array(corners, float), np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def sphere(center, radius, subdivisions=4):
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return mesh.vertices + center, mesh.faces.astype(np.int32)


def naive_cast(vertices, faces, rays):
    """Solves the 3x3 system of every ray with every triangle."""
    triangle, depth = np.full(len(rays), -1), np.full(len(rays), np.inf)
    for r, ray in enumerate(rays):
        for f, face in enumerate(faces):
            a, b, c = vertices[face]
            matrix = np.stack([b - a, c - a, -ray], axis=1)
            if abs(np.linalg.det(matrix)) < 1e-12:
                continue
            v, w, t = np.linalg.solve(matrix, -a)
            if v >= 0 and w >= 0 and v + w <= 1 and 0 < t < depth[r]:
                triangle[r], depth[r] = f, t
    return triangle, np.where(triangle >= 0, depth, 0)


def test_plane_at_constant_depth():
    vertices, faces = quad([(-9, -9, -0.7), (9, -9, -0.7), (9, 9, -0.7), (-9, 9, -0.7)])
    hits = raycast.cast(vertices, faces, INTRINSICS, (SIZE, SIZE))
    assert (hits.triangle >= 0).all()
    np.testing.assert_allclose(hits.depth, 0.7, rtol=1e-12)


def test_tilted_plane_follows_its_equation():
    vertices, faces = quad([(-9, -9, -5), (9, -9, -5), (9, 9, -14), (-9, 9, -14)])
    hits = raycast.cast(vertices, faces, INTRINSICS, (SIZE, SIZE))
    rays = camera.pixel_rays((SIZE, SIZE), INTRINSICS)
    normal = np.array([0, 0.5, 1])  # 0.5 y + z = -9.5
    np.testing.assert_allclose(hits.depth, -9.5 / (rays @ normal), rtol=1e-6)


def test_sphere_depth_is_analytic():
    radius, distance = 0.25, 0.8
    vertices, faces = sphere((0, 0, -distance), radius)
    hits = raycast.cast(vertices, faces, INTRINSICS, (SIZE, SIZE))
    rays = camera.pixel_rays((SIZE, SIZE), INTRINSICS).astype(float)
    # |t ray - center| = radius, the nearer root; ray z = -1 makes t the depth
    a, b = (rays**2).sum(-1), distance
    discriminant = b**2 - a * (distance**2 - radius**2)
    inside = discriminant > 0.01  # away from the silhouette
    depth = (b - np.sqrt(np.maximum(discriminant, 0))) / a
    assert (hits.triangle[inside] >= 0).all()
    assert (hits.triangle[discriminant < 0] == -1).all()
    # flat faces stay below the sphere by at most about edge² / (8 radius), at a slant
    np.testing.assert_allclose(hits.depth[inside], depth[inside], atol=1.5e-3)


def test_agrees_with_naive_ray_tracer():
    rng = np.random.default_rng(0)
    vertices = rng.uniform((-0.4, -0.4, -1.2), (0.4, 0.4, -0.5), (30, 3))
    faces = rng.permutation(30).reshape(10, 3).astype(np.int32)
    intrinsics = camera.r2n2_intrinsics(16)
    hits = raycast.cast(vertices, faces, intrinsics, (16, 16))
    rays = camera.pixel_rays((16, 16), intrinsics).reshape(-1, 3).astype(float)
    triangle, depth = naive_cast(vertices, faces, rays)
    same = hits.triangle.ravel() == triangle
    assert same.mean() > 0.99  # float32 Embree may differ on an edge
    np.testing.assert_allclose(hits.depth.ravel()[same], depth[same], rtol=1e-6)


def test_barycentric_coordinates_give_the_point_on_the_ray():
    vertices, faces = sphere((0.05, -0.03, -0.8), 0.2)
    hits = raycast.cast(vertices, faces, INTRINSICS, (SIZE, SIZE))
    hit = hits.triangle >= 0
    corners = vertices[faces[hits.triangle[hit]]]
    points = np.einsum("nc,ncd->nd", hits.barycentric[hit], corners)
    np.testing.assert_allclose(hits.barycentric[hit].sum(-1), 1, rtol=1e-12)
    on_rays = camera.unproject(hits.depth, INTRINSICS.astype(float))[hit]
    np.testing.assert_allclose(points, on_rays, atol=1e-6)


def test_middle_subsample_is_the_pixel_centre():
    vertices, faces = sphere((0.05, -0.03, -0.8), 0.2)
    coarse = raycast.cast(vertices, faces, INTRINSICS, (SIZE, SIZE))
    fine = raycast.cast(vertices, faces, INTRINSICS, (SIZE, SIZE), supersample=3)
    assert fine.depth.shape == (3 * SIZE, 3 * SIZE)
    np.testing.assert_allclose(fine.depth[1::3, 1::3], coarse.depth, atol=1e-6)


def test_both_sides_of_a_face_are_seen():
    vertices, faces = sphere((0, 0, -0.8), 0.2)
    outside = raycast.cast(vertices, faces, INTRINSICS, (SIZE, SIZE))
    inside_out = raycast.cast(vertices, faces[:, ::-1], INTRINSICS, (SIZE, SIZE))
    np.testing.assert_array_equal(outside.triangle, inside_out.triangle)


@pytest.mark.parametrize("center", [(5.0, 0.0, -0.8), (0.0, 0.0, 0.8)])
def test_nothing_in_view(center):
    vertices, faces = sphere(center, 0.2)
    hits = raycast.cast(vertices, faces, INTRINSICS, (SIZE, SIZE))
    assert (hits.triangle == -1).all()
    assert (hits.depth == 0).all()


def test_camera_inside_the_mesh_sees_all_around():
    vertices, faces = sphere((0, 0, 0), 0.5)
    hits = raycast.cast(vertices, faces, INTRINSICS, (SIZE, 2 * SIZE))
    assert hits.triangle.shape == (SIZE, 2 * SIZE)
    assert (hits.triangle >= 0).all()
    assert (hits.depth > 0).all()


def test_first_hits_of_single_rays_are_analytic():
    """Rays of any length towards a sphere, from outside and from its centre."""
    radius, center = 0.25, np.array([0.1, -0.2, 0.3])
    scene = raycast.make_scene(*sphere(center, radius, subdivisions=5))
    directions = np.array([[0, 0, -2.0], [0, 0, -2.0], [0.5, 0, 0], [0, 0, 1.0]])
    origins = center + np.array([[0, 0, 1], [0.3, 0, 1], [0, 0, 0], [0, 0, 1]])
    triangle, distance = raycast.first_hits(scene, origins, directions)
    expected = [0.75 / 2, np.inf, 0.25 / 0.5, np.inf]
    np.testing.assert_allclose(distance, expected, rtol=2e-3)
    np.testing.assert_array_equal(triangle >= 0, np.isfinite(expected))
    middle = scene.vertices[scene.faces[triangle[0]]].mean(axis=0)
    np.testing.assert_allclose(middle - center, [0, 0, radius], atol=0.02)


def test_no_rays_hit_nothing():
    scene = raycast.make_scene(*quad([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]))
    triangle, distance = raycast.first_hits(scene, np.zeros((0, 3)), np.zeros((0, 3)))
    assert len(triangle) == len(distance) == 0
