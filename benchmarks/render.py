"""Textured 137 px views with depth: ours against trimesh's own ray casting."""

from collections.abc import Iterator

import numpy as np
import PIL.Image
import trimesh
from jaxtyping import Float

from benchmarks.timing import Case
from data_pipelines.procedural_shapes import families
from data_pipelines.surfaces import render as renderer
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import meshes
from pixel2mesh_jax.rendering import raycast

SIZE = 137  # pixels
NUM_VIEWS = 5  # of one object, as the data sets have
TEXTURE_SIZE = 256  # pixels
SUBDIVISIONS = 5  # of an icosphere: 20,480 faces
GOAL = 60  # views per second and core
INTRINSICS = camera.r2n2_intrinsics(SIZE)


def cases() -> Iterator[Case]:
    """A textured ball of 20,480 faces, and a painted chair."""
    chair = families.make_shape("chair", np.random.default_rng(0))
    for name, mesh in (("textured ball", textured_ball()), ("painted chair", chair)):
        surface = meshes.normalize(meshes.surface_from_mesh(mesh))
        yield _case(f"render {name}, {len(mesh.faces):,} faces", surface)


def textured_ball() -> trimesh.Trimesh:
    """A ball with a random image around it."""
    ball = trimesh.creation.icosphere(SUBDIVISIONS)
    x, y, z = ball.vertices.T
    uv = np.stack([np.arctan2(z, x) / (2 * np.pi) + 0.5, y / 2 + 0.5], axis=1)
    pixels = np.random.default_rng(0).integers(
        0, 256, (TEXTURE_SIZE, TEXTURE_SIZE, 3), np.uint8
    )
    image = PIL.Image.fromarray(pixels)
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=image)
    ball.visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    return ball


def _case(name, surface):
    rng = np.random.default_rng(0)
    viewpoints = [renderer.sample_viewpoint(rng) for _ in range(NUM_VIEWS)]

    def ours():
        scene = raycast.make_scene(surface.vertices, surface.faces)
        return [
            renderer.render(surface, viewpoint, INTRINSICS, SIZE, scene)
            for viewpoint in viewpoints
        ]

    def other():
        mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
        return [plain_trimesh(mesh, viewpoint) for viewpoint in viewpoints]

    def check():
        for view, depth in zip(ours(), other(), strict=True):
            np.testing.assert_allclose(view.depth, depth, atol=1e-5)

    return Case(
        name,
        ours,
        other,
        "trimesh rays, depth only",
        check,
        amount=NUM_VIEWS,
        unit="view",
        per_second_goal=GOAL,
    )


def plain_trimesh(
    mesh: trimesh.Trimesh, viewpoint: renderer.Viewpoint
) -> Float[np.ndarray, "S S"]:
    """Depth as one writes it with `mesh.ray`, without colours and anti-aliasing.

    It casts as many rays as our renderer.
    """
    transform = camera.camera_from_object(*viewpoint)
    rotation, shift = transform[:3, :3], transform[:3, 3]
    factor = renderer.SUPERSAMPLE
    fine = camera.resize_intrinsics(INTRINSICS, factor, factor)
    side = SIZE * factor
    rays = camera.pixel_rays((side, side), fine).reshape(-1, 3) @ rotation
    origins = np.broadcast_to(-shift @ rotation, rays.shape)
    locations, index, _ = mesh.ray.intersects_location(
        origins, rays, multiple_hits=False
    )
    depth = np.zeros(side * side)
    depth[index] = -camera.transform_points(locations, transform)[:, 2]
    center = slice(factor // 2, None, factor)
    return depth.reshape(side, side)[center, center]
