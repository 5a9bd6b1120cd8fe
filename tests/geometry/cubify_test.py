"""Meshes of voxels: PyTorch3D's, closed, whatever the sizes of the arrays."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import cubify, touching
from pixel2mesh_jax.geometry.cubify import Capacity
from tests import oracles

ROOM = Capacity(vertices=700, faces=1400)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def run(probabilities, threshold=0.5, capacity=ROOM, alignment="center"):
    make = lambda x: cubify.cubify(x, threshold, capacity, alignment)  # noqa: E731
    return jax.vmap(make)(probabilities)


def unpadded(mesh, row=0):
    """Vertices and faces of one mesh of a batch, without the padding."""
    mesh = jax.tree.map(lambda x: np.asarray(x[row]), mesh)
    faces = mesh.faces[np.any(mesh.faces != 0, axis=1)]
    return mesh.vertices[mesh.vertex_mask > 0], faces


def grids(count=2, shape=(5, 4, 6), share=0.5, seed=0):
    """Random probabilities, `share` of them at least one half."""
    rng = np.random.default_rng(seed)
    return (rng.random((count, *shape)) ** (np.log(0.5) / np.log(1 - share))).astype(
        np.float32
    )


def triangles(vertices, faces):
    """A set of triangles, each beginning with its first corner; none occurs twice."""
    found = set()
    for corners in vertices[faces].tolist():
        first = corners.index(min(corners))
        found.add(tuple(map(tuple, corners[first:] + corners[:first])))
    assert len(found) == len(faces)
    return found


def directed_edges(faces):
    return [tuple(edge) for k in range(3) for edge in np.roll(faces, k, 1)[:, :2]]


def test_one_voxel_is_a_cube_around_its_middle():
    one = np.zeros((1, 3, 4, 5), np.float32)
    one[0, 1, 2, 3] = 1
    vertices, faces = unpadded(run(one))
    assert vertices.shape == (8, 3)
    assert faces.shape == (12, 3)
    np.testing.assert_array_equal(vertices.mean(axis=0), [1, 2, 3])
    published, _ = unpadded(run(one, alignment="topleft"))
    np.testing.assert_array_equal(published, vertices + 0.5)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_meshes_are_closed_and_hold_as_many_unit_cubes_as_voxels(share):
    probabilities = grids(share=share)
    found = run(probabilities)
    for row, grid in enumerate(probabilities):
        vertices, faces = unpadded(found, row)
        edges = directed_edges(faces)
        assert sorted(edges) == sorted((b, a) for a, b in edges)
        # (c, r, d) is right-handed as seen by a camera, see geometry/voxels.py.
        shape = trimesh.Trimesh(vertices[:, ::-1], faces, process=False)
        assert shape.volume == pytest.approx(np.sum(grid >= 0.5))
        assert set(faces.ravel()) == set(range(len(vertices)))
        assert len(np.unique(vertices, axis=0)) == len(vertices)


def test_neighbours_are_the_edges_of_the_triangles():
    found = run(grids())
    for row in range(2):
        _, faces = unpadded(found, row)
        vertex, column = np.nonzero(found.neighbor_mask[row])
        others = np.asarray(found.neighbors)[row, vertex, column]
        pairs = zip(vertex, others, strict=True)
        assert sorted(pairs) == oracles.directed_edges(faces)


def test_larger_arrays_hold_the_same_mesh():
    small, large = run(grids()), run(grids(), capacity=Capacity(1500, 3000))
    for row in range(2):
        for a, b in zip(unpadded(small, row), unpadded(large, row), strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        small.neighbors, large.neighbors[:, : small.neighbors.shape[1]]
    )
    assert not large.neighbor_mask[:, small.neighbors.shape[1] :].any()


def test_where_there_is_no_room_the_threshold_of_that_sample_rises():
    probabilities = np.stack([grids(1)[0], grids(1, share=0.05)[0]])
    capacity = Capacity(150, 300)
    found, free = run(probabilities, capacity=capacity), run(probabilities)
    assert list(found.num_rises > 0) == [True, False]
    assert found.is_found.all()
    for a, b in zip(unpadded(found, 1), unpadded(free, 1), strict=True):
        np.testing.assert_array_equal(a, b)
    vertices, faces = unpadded(found, 0)
    assert 100 < len(faces) <= 300
    inside = trimesh.Trimesh(vertices[:, ::-1], faces, process=False).volume
    highest = np.sort(probabilities[0].ravel())[::-1]
    assert highest[round(inside) - 1] > 0.5


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_empty_prediction_is_the_published_cube_and_is_marked(value):
    found = run(np.full((1, 8, 8, 8), value, np.float32))
    vertices, faces = unpadded(found)
    np.testing.assert_array_equal(vertices.min(axis=0), [1.5] * 3)
    np.testing.assert_array_equal(vertices.max(axis=0), [5.5] * 3)
    assert len(faces) == 6 * 4 * 4 * 2
    assert found.is_found[0] == 0


def test_what_no_threshold_makes_fit_is_the_cube_too():
    board = np.indices((8, 8, 8)).sum(axis=0) % 2
    found = run(board[None].astype(np.float32))
    assert found.is_found[0] == 0
    assert found.num_rises[0] == cubify.MAX_RISES
    assert len(unpadded(found)[1]) == 6 * 4 * 4 * 2


def test_too_little_room_for_the_cube_is_refused():
    cubify.check_capacity(Capacity(98, 192), (8, 8, 8))
    with pytest.raises(InputError, match="at least 98 and 192"):
        cubify.check_capacity(Capacity(98, 190), (8, 8, 8))


@pytest.mark.parametrize("resolution", [3, 8, 24, 48])
def test_default_sizes_have_room_for_the_cube(resolution):
    capacity = cubify.default_capacity(resolution)
    cubify.check_capacity(capacity, (resolution,) * 3)


def test_no_gradient_flows_to_the_probabilities():
    def total(probabilities):
        return jnp.sum(cubify.cubify(probabilities, 0.5, ROOM).vertices)

    assert not jax.jit(jax.grad(total))(jnp.asarray(grids(1)[0])).any()


def test_touching_voxels_are_separated_without_moving_anything():
    found = run(grids())
    for row in range(2):
        vertices, faces = unpadded(found, row)
        owner = touching.owners(vertices, faces)
        shape = trimesh.Trimesh(vertices[:, ::-1], faces, process=False)
        assert not shape.is_watertight
        (moved,), cut = touching.separated([vertices], faces, owner)
        apart = trimesh.Trimesh(moved[:, ::-1], cut, process=False)
        assert apart.is_watertight
        np.testing.assert_array_equal(moved[: len(vertices)], vertices)
        assert apart.volume == pytest.approx(shape.volume, rel=1e-6)
        assert apart.area == pytest.approx(shape.area, rel=1e-6)


def test_what_touches_nowhere_stays_as_it_is():
    solid = np.zeros((1, 4, 4, 4), np.float32)
    solid[0, 1:3, 1:3, 1:3] = 1
    vertices, faces = unpadded(run(solid))
    owner = touching.owners(vertices, faces)
    assert len(set(owner)) == 8
    (same,), same_faces = touching.separated([vertices], faces, owner)
    np.testing.assert_array_equal(same, vertices)
    np.testing.assert_array_equal(same_faces, faces)


@pytest.mark.data
@pytest.mark.parametrize("name", ["g0", "g1"])
def test_triangles_are_those_of_pytorch3d(data_dir, name):
    recorded = np.load(data_dir / "oracles" / "p3d_cubify.npz")
    probabilities = recorded[f"{name}/voxels"]
    scale = 2 / (np.array(probabilities.shape[:0:-1]) - 1)  # x, y, z
    found = run(probabilities, float(recorded[f"{name}/thresh"]), ROOM, "topleft")
    vertex_ends = np.cumsum(recorded[f"{name}/num_verts"])[:-1]
    face_ends = np.cumsum(recorded[f"{name}/num_faces"])[:-1]
    all_vertices = np.split(recorded[f"{name}/topleft/verts_packed"], vertex_ends)
    all_faces = np.split(recorded[f"{name}/faces_packed_local"], face_ends)
    for row, (vertices, faces) in enumerate(zip(all_vertices, all_faces, strict=True)):
        assert found.is_found[row] == (len(faces) > 0)
        if len(faces):
            index = np.round((vertices + 1) / scale)
            np.testing.assert_allclose(index * scale - 1, vertices, atol=1e-6)
            expected = triangles(index[:, ::-1], faces)
            assert triangles(*unpadded(found, row)) == expected


@pytest.mark.data
def test_the_recorded_union_of_balls(data_dir):
    recorded = np.load(data_dir / "oracles" / "p3d_cubify.npz")
    size = int(recorded["blob/size"])
    bits = np.unpackbits(recorded["blob/occupied_bits"])[: size**3]
    grid = bits.reshape(1, size, size, size).astype(np.float32)
    found = run(grid, 0.5, cubify.CAPACITIES[48], "topleft")
    expected = triangles(
        recorded["blob/verts_index"][:, ::-1].astype(float), recorded["blob/faces"]
    )
    assert triangles(*unpadded(found)) == expected
