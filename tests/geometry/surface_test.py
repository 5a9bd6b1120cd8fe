"""Surfaces against trimesh, recorded PyTorch3D numbers and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from jax.test_util import check_grads

from pixel2mesh_jax.geometry import surface

BOX = trimesh.creation.box((1.0, 2.0, 3.0))
SPHERE = trimesh.creation.icosphere(2)
# One good triangle, one whose corners lie on a line, one whose corners coincide.
DEGENERATE_VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0]], np.float32)
DEGENERATE_FACES = np.array([[0, 1, 3], [0, 1, 2], [2, 2, 2]], np.int32)


sample_points = jax.jit(surface.sample_points, static_argnums=3)


def arrays(mesh, dtype=np.float32):
    return mesh.vertices.astype(dtype), mesh.faces.astype(np.int32)


def rotation(seed=0):
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return matrix * np.sign(np.linalg.det(matrix))


@pytest.mark.parametrize("mesh", [BOX, SPHERE], ids=["box", "sphere"])
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_areas_normals_and_volume_match_trimesh(mesh, array):
    vertices, faces = map(array, arrays(mesh))
    close = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(
        surface.face_areas(vertices, faces), mesh.area_faces, **close
    )
    np.testing.assert_allclose(
        surface.face_normals(vertices, faces), mesh.face_normals, **close
    )
    np.testing.assert_allclose(
        surface.signed_volume(vertices, faces), mesh.volume, **close
    )


def test_functions_return_the_kind_of_array_that_they_were_given():
    vertices, faces = arrays(BOX)
    assert isinstance(surface.face_normals(vertices, faces), np.ndarray)
    assert isinstance(surface.face_normals(jnp.asarray(vertices), faces), jax.Array)


def test_vertex_normals_are_weighted_by_area():
    vertices, faces = arrays(BOX)
    expected = np.zeros((len(vertices), 3))
    for face, area, normal in zip(faces, BOX.area_faces, BOX.face_normals, strict=True):
        expected[face] += area * normal
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    actual = surface.vertex_normals(vertices, faces)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_vertex_normals_of_numpy_stay_numpy_and_equal_those_of_jax():
    """Nothing is compiled for a mesh on the host."""
    vertices, faces = arrays(SPHERE)
    vertices = vertices + np.random.default_rng(0).normal(0, 0.1, vertices.shape)
    vertices = vertices.astype(np.float32)
    host = surface.vertex_normals(vertices, faces)
    assert isinstance(host, np.ndarray)
    assert host.dtype == np.float32
    traced = surface.vertex_normals(jnp.asarray(vertices), faces)
    assert isinstance(traced, jax.Array)
    np.testing.assert_allclose(host, traced, atol=1e-5)


def test_vertex_normals_of_a_sphere_point_away_from_its_centre():
    vertices, faces = arrays(SPHERE)
    cosine = np.sum(surface.vertex_normals(vertices, faces) * vertices, axis=1)
    np.testing.assert_allclose(cosine, 1, atol=1e-3)  # an icosphere is not quite round


def test_rotation_turns_normals_and_keeps_areas_and_volume():
    vertices, faces = arrays(SPHERE, np.float64)
    turned = vertices @ rotation().T
    np.testing.assert_allclose(
        surface.face_areas(turned, faces), surface.face_areas(vertices, faces)
    )
    np.testing.assert_allclose(
        surface.face_normals(turned, faces),
        surface.face_normals(vertices, faces) @ rotation().T,
        atol=1e-12,
    )
    np.testing.assert_allclose(surface.signed_volume(turned, faces), SPHERE.volume)


def test_volume_does_not_suffer_from_a_distant_origin():
    vertices, faces = arrays(BOX)
    moved = vertices + np.array([10, -20, 30], np.float32)
    np.testing.assert_allclose(surface.signed_volume(moved, faces), 6, rtol=1e-5)


def test_oriented_outward_reverses_an_inverted_mesh_only():
    vertices, faces = arrays(SPHERE)
    inverted = faces[:, ::-1]
    assert surface.signed_volume(vertices, inverted) < 0
    np.testing.assert_array_equal(surface.oriented_outward(vertices, faces), faces)
    np.testing.assert_array_equal(surface.oriented_outward(vertices, inverted), faces)


def test_faces_without_area_have_zero_normals_and_finite_gradients():
    area, normal = surface.face_areas, surface.face_normals
    np.testing.assert_allclose(area(DEGENERATE_VERTICES, DEGENERATE_FACES), [0, 0.5, 0])
    np.testing.assert_array_equal(
        normal(DEGENERATE_VERTICES, DEGENERATE_FACES),
        [[0, 0, 0], [0, 0, 1], [0, 0, 0]],
    )
    for function in (area, normal):
        gradient = jax.jit(
            jax.grad(lambda v, f=function: f(v, DEGENERATE_FACES).sum())
        )(jnp.asarray(DEGENERATE_VERTICES))
        assert np.isfinite(gradient).all()


def test_unused_vertex_has_a_zero_normal():
    normals = surface.vertex_normals(DEGENERATE_VERTICES, DEGENERATE_FACES)
    np.testing.assert_array_equal(normals, [[0, 0, 1]] * 3 + [[0, 0, 0]])


@pytest.mark.parametrize(
    "function",
    [
        surface.face_areas,
        surface.face_normals,
        surface.vertex_normals,
        surface.signed_volume,
    ],
)
def test_gradients(function, x64):
    vertices, faces = arrays(trimesh.creation.icosahedron(), np.float64)
    vertices += 0.1 * np.random.default_rng(0).normal(size=vertices.shape)
    compiled = jax.jit(lambda v: function(v, faces))
    check_grads(compiled, (jnp.asarray(vertices),), 1, ["rev"])


def test_gradient_of_the_volume_is_a_third_of_the_area_vectors():
    vertices, faces = map(jnp.asarray, arrays(SPHERE))
    gradient = jax.jit(jax.grad(surface.signed_volume))(vertices, faces)
    vectors = SPHERE.face_normals * SPHERE.area_faces[:, None] / 3
    expected = np.zeros_like(gradient)
    np.add.at(expected, SPHERE.faces, vectors[:, None, :])
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_samples_lie_in_faces_that_have_their_normals(getkey):
    points, normals = sample_points(getkey(), *arrays(BOX), 20_000)
    half = np.array([0.5, 1.0, 1.5])
    assert np.all(np.abs(points) <= half + 1e-6)
    axis = np.argmax(np.abs(normals), axis=1)
    on_face = np.take_along_axis(points * normals, axis[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(on_face, half[axis], atol=1e-6)


def test_samples_are_uniform_over_the_area(getkey):
    num_points = 20_000
    points, normals = sample_points(getkey(), *arrays(BOX), num_points)
    # Pairs of sides of 6, 3 and 2 square units; four standard deviations.
    share = np.abs(normals).mean(axis=0)
    np.testing.assert_allclose(share, np.array([6, 3, 2]) / 11, atol=0.015)
    np.testing.assert_allclose(np.mean(points, axis=0), 0, atol=0.04)
    # Second moment of a rectangle side s: s^2 / 12 within, s^2 / 4 on its ends.
    expected = [(6 * 1 / 4 + 5 * 1 / 12) / 11, (3 * 4 / 4 + 8 * 4 / 12) / 11]
    np.testing.assert_allclose(np.mean(points**2, axis=0)[:2], expected, rtol=0.04)


def test_faces_of_zero_area_are_never_drawn(getkey):
    vertices = jnp.concatenate([DEGENERATE_VERTICES, jnp.full((1, 3), 9.0)])
    faces = np.array([[4, 4, 4], [0, 1, 2], [4, 4, 4], [0, 2, 1], [4, 4, 4]], np.int32)
    points, normals = sample_points(getkey(), vertices, faces, 5000)
    assert np.max(points) <= 1
    np.testing.assert_allclose(np.abs(normals[:, 2]), 1)


def test_samples_of_a_mesh_without_area_stay_on_it(getkey):
    vertices = np.ones((3, 3), np.float32)
    faces = np.array([[0, 1, 2]], np.int32)
    points, normals = sample_points(getkey(), vertices, faces, 5)
    np.testing.assert_allclose(points, 1, rtol=1e-6)
    np.testing.assert_array_equal(normals, 0)


def test_same_key_gives_the_same_samples(getkey):
    key = getkey()
    first = sample_points(key, *arrays(SPHERE), 50)
    second = sample_points(key, *arrays(SPHERE), 50)
    np.testing.assert_array_equal(first[0], second[0])


def test_gradient_of_the_samples(getkey, x64):
    vertices, faces = arrays(trimesh.creation.icosahedron(), np.float64)
    key = getkey()

    @jax.jit
    def sample(scale):  # scaling keeps the relative areas, so the faces drawn too
        return sample_points(key, scale * vertices, faces, 20)[0]

    check_grads(sample, (jnp.asarray(1.0),), 1, ["rev"])


@pytest.mark.data
def test_areas_and_normals_match_pytorch3d(data_dir):
    recorded = np.load(data_dir / "oracles" / "p3d_mesh_losses.npz")
    meshes = [
        (recorded[f"mesh{i}/verts"], recorded[f"mesh{i}/faces"]) for i in range(3)
    ]
    for name, function in [
        ("faces_areas_packed", surface.face_areas),
        ("faces_normals_packed", surface.face_normals),
        ("verts_normals_packed", surface.vertex_normals),
    ]:
        actual = np.concatenate([function(*mesh) for mesh in meshes])
        np.testing.assert_allclose(actual, recorded[name], rtol=1e-5, atol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize("number", [0, 1])
def test_samples_match_the_statistics_of_the_surface(data_dir, getkey, number):
    recorded = np.load(data_dir / "oracles" / "p3d_subdivide_sample.npz")
    vertices, faces = recorded[f"in{number}/verts"], recorded[f"in{number}/faces"]
    num_points = 20_000
    points, normals = sample_points(getkey(), vertices, faces, num_points)
    mean = recorded[f"sample{number}/exact_mean"]
    second = recorded[f"sample{number}/exact_second_moment"]
    sigma = np.sqrt((np.diag(second) - mean**2) / num_points)
    assert np.all(np.abs(np.mean(points, axis=0) - mean) <= 5 * sigma)
    np.testing.assert_allclose(points.T @ points / num_points, second, atol=0.02)
    areas = np.asarray(surface.face_areas(vertices, faces))
    exact_area = recorded[f"sample{number}/exact_area"]
    np.testing.assert_allclose(np.sum(areas), exact_area, rtol=1e-5)
    face = _faces_by_normal(np.asarray(normals), vertices, faces)
    in_plane = np.sum((np.asarray(points) - vertices[faces[face, 0]]) * normals, axis=1)
    np.testing.assert_allclose(in_plane, 0, atol=1e-6)
    assert _chi_square_per_degree(face, areas) < 1.5
    peers = recorded[f"sample{number}/peer_face_counts"]
    np.testing.assert_allclose(  # the same draw of as many samples, but for chance
        np.bincount(face, minlength=len(faces)) / num_points,
        peers / recorded[f"sample{number}/n"],
        atol=5 * np.sqrt(areas.max() / np.sum(areas) / num_points),
    )


def _faces_by_normal(normals, vertices, faces):
    """Numbers of the faces; no two of the recorded meshes face the same way."""
    cosines = normals @ np.asarray(surface.face_normals(vertices, faces)).T
    np.testing.assert_allclose(cosines.max(axis=1), 1, atol=1e-5)
    return cosines.argmax(axis=1)


def _chi_square_per_degree(face, areas):
    counts = np.bincount(face, minlength=len(areas))
    expected = len(face) * areas / np.sum(areas)
    return np.sum((counts - expected) ** 2 / expected) / (len(areas) - 1)
