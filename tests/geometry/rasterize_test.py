"""Depth maps of meshes: closed forms, Embree, PyTorch3D, finite differences."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import camera, rasterize, templates
from pixel2mesh_jax.rendering import raycast

SIZE = 32
INTRINSICS = camera.r2n2_intrinsics(SIZE)
render = jax.jit(rasterize.render_depth, static_argnums=3)


def sphere(center, radius, subdivisions=3):
    one = templates.icosphere(subdivisions, 1, radius, center)
    return one.vertices, np.asarray(one.levels[0].faces)


def test_a_plane_has_the_depth_of_its_equation():
    normal, offset = np.array([0.3, -0.4, 1.0]), -0.7  # n . p = offset
    corners = np.array([[-3.0, -3], [3, -3], [0, 4]])
    z = (offset - corners @ normal[:2]) / normal[2]
    vertices = np.float32(np.column_stack([corners, z]))
    # In front of the camera only.
    vertices *= 0.2 / np.abs(vertices[:, :2]).max()
    vertices[:, 2] = (offset - vertices[:, :2] @ normal[:2]) / normal[2]
    found = render(vertices, np.array([[0, 1, 2]]), INTRINSICS, (SIZE, SIZE))
    rays = camera.pixel_rays((SIZE, SIZE), INTRINSICS)
    expected = offset / (rays @ normal)
    seen = np.asarray(found.face) >= 0
    assert 20 < seen.sum() < SIZE**2
    np.testing.assert_allclose(np.asarray(found.depth)[seen], expected[seen], rtol=1e-5)
    assert not np.any(np.asarray(found.depth)[~seen])


def test_a_sphere_has_the_depth_of_its_equation():
    center, radius = np.array([0.05, -0.02, -0.8]), 0.2
    found = render(*sphere(tuple(center), radius, 4), INTRINSICS, (SIZE, SIZE))
    rays = camera.pixel_rays((SIZE, SIZE), INTRINSICS).astype(float)
    square, half = (rays**2).sum(-1), rays @ center
    under = half**2 - square * (center @ center - radius**2)
    depth = (half - np.sqrt(np.maximum(under, 0))) / square
    inside = under > 2e-3  # not the outline, where a polyhedron is smaller
    assert inside.sum() > 100
    np.testing.assert_allclose(
        np.asarray(found.depth)[inside], depth[inside], atol=1e-3
    )
    assert not np.any(np.asarray(found.depth)[under < 0])


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_embree(seed):
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-0.3, 0.3, (60, 3)) - np.array([0, 0, 0.9])
    faces = rng.integers(0, 60, (41, 3)).astype(np.int32)  # some have no area
    vertices = vertices.astype(np.float32)
    found = render(vertices, faces, INTRINSICS, (SIZE, SIZE + 5))
    hits = raycast.cast(vertices, faces, INTRINSICS, (SIZE, SIZE + 5))
    same = np.asarray(found.face) == hits.triangle
    assert same.mean() > 0.995  # rays through an edge
    np.testing.assert_allclose(
        np.asarray(found.depth)[same], hits.depth[same], rtol=1e-4
    )


@pytest.mark.data
@pytest.mark.parametrize("name", ["wide", "square"])
def test_equal_to_pytorch3d(name, data_dir):
    oracle = np.load(data_dir / "oracles" / "p3d_rasterize.npz")
    options = json.loads(str(oracle[f"{name}/options"]))
    focal_u, focal_v, u, v = oracle[f"{name}/intrinsics"]
    # Its pixel centres are at halves.
    intrinsics = np.float32([[focal_u, 0, u - 0.5], [0, focal_v, v - 0.5], [0, 0, 1]])
    shape = tuple(int(x) for x in oracle[f"{name}/size_hw"])
    faces = oracle["faces"]
    assert not options.get("cull_backfaces", False)
    found = render(oracle["verts"], faces, intrinsics, shape)
    stable = oracle[f"{name}/stable"]
    assert stable.mean() > 0.9
    np.testing.assert_array_equal(
        np.asarray(found.face)[stable], oracle[f"{name}/pix_to_face"][stable, 0]
    )
    expected = np.maximum(oracle[f"{name}/zbuf"][stable, 0], 0)
    np.testing.assert_allclose(np.asarray(found.depth)[stable], expected, atol=2e-6)


def test_gradients_are_those_of_finite_differences(x64):
    """Inside of triangles: pixels whose face stays the same."""
    vertices, faces = sphere((0.0, 0.0, -0.8), 0.2, 1)
    vertices = jnp.asarray(vertices, jnp.float64)
    draw = functools.partial(
        rasterize.render_depth,
        faces=faces,
        intrinsics=np.float64(INTRINSICS),
        shape=(SIZE, SIZE),
    )
    direction = np.random.default_rng(0).normal(size=vertices.shape)
    step = 1e-6
    here, ahead, behind = (draw(vertices + s * step * direction) for s in (0, 1, -1))
    same = (here.face == ahead.face) & (here.face == behind.face) & (here.face >= 0)
    assert same.sum() > 100
    _, slope = jax.jvp(lambda v: draw(v).depth, (vertices,), (direction,))
    expected = (ahead.depth - behind.depth) / (2 * step)
    np.testing.assert_allclose(slope[same], expected[same], rtol=1e-4, atol=1e-6)


def test_what_is_behind_the_camera_or_has_no_area_is_not_shown():
    vertices = np.float32([[-1, -1, -1], [1, -1, -1], [0, 1, 0.5], [0, 0, -1]])
    faces = np.array([[0, 1, 2], [0, 0, 1], [3, 3, 3]])
    found = render(vertices, faces, INTRINSICS, (SIZE, SIZE))
    assert np.all(np.asarray(found.face) == rasterize.NO_FACE)
    total = lambda v: jnp.sum(  # noqa: E731
        rasterize.render_depth(v, faces, INTRINSICS, (SIZE, SIZE)).depth
    )
    assert np.isfinite(jax.grad(total)(vertices)).all()


def test_a_batch_is_its_rows():
    vertices, faces = sphere((0.0, 0.0, -0.8), 0.2, 1)
    both = np.stack([vertices, vertices * np.float32(1.1)])
    draw = lambda v: rasterize.render_depth(v, faces, INTRINSICS, (8, 8))  # noqa: E731
    found = jax.vmap(draw)(both)
    for row, own in enumerate(both):
        np.testing.assert_array_equal(found.depth[row], draw(own).depth)
