"""Meshes that cost no training: what a depth map says by itself."""

import functools

import jax
import numpy as np

from pixel2mesh_jax.geometry import camera, frustum, isosurface
from pixel2mesh_jax.structures import Batch, HostMesh

# Of a pixel, above which its depth counts.
COVERED = 0.5
# Neighbouring depths that differ by more than this share are two surfaces.
MAX_JUMP = 0.05
# Rays and layers of the closed shell.
RESOLUTION = 64


def depth_map(batch: Batch, row: int) -> HostMesh | None:
    """The visible side alone, open: two triangles between four pixels.

    None for a view without depth.
    """
    depth = np.asarray(batch.depth[row]) * (np.asarray(batch.mask[row]) >= COVERED)
    if not depth.any():
        return None
    corners = np.stack([depth[:-1, :-1], depth[1:, :-1], depth[1:, 1:], depth[:-1, 1:]])
    near, far = corners.min(axis=0), corners.max(axis=0)
    rows, columns = np.nonzero((near > 0) & (far - near < MAX_JUMP * far))
    if not len(rows):
        return None
    first = rows * depth.shape[1] + columns
    below, right = first + depth.shape[1], first + 1
    # Rows run down: top left, bottom left, bottom right is counter-clockwise.
    triangles = [(first, below, below + 1), (first, below + 1, right)]
    faces = np.concatenate([np.stack(three, axis=1) for three in triangles])
    points = camera.unproject(depth, np.asarray(batch.intrinsics[row]))
    vertices = points.reshape(-1, 3).astype(np.float32)
    used, faces = np.unique(faces, return_inverse=True)
    return HostMesh(vertices[used], faces.reshape(-1, 3))


def closed_shell(batch: Batch, row: int) -> HostMesh | None:
    """The visible side, closed to a shell of `isosurface.SHELL` cells.

    None for a view without depth.
    """
    if not np.any(np.asarray(batch.depth[row]) > 0):
        return None
    views = (batch.rgb, batch.depth, batch.mask, batch.intrinsics)
    placement, depth, base = jax.device_get(_look(*(array[row] for array in views)))
    volume = frustum.unpack(placement.astype(np.float64))
    surface = isosurface.extract(isosurface.shell(base, depth, volume), volume)
    if not len(surface.faces):
        return None
    return HostMesh(surface.vertices, surface.faces)


BASELINES = {"depth map alone": depth_map, "closed shell": closed_shell}


@functools.partial(jax.jit)
def _look(rgb, depth, mask, intrinsics):
    volume = frustum.view_volume(depth, mask, intrinsics)
    seen = frustum.look(rgb, depth, mask, intrinsics, volume, RESOLUTION, RESOLUTION)
    base = frustum.base_field(seen, volume, RESOLUTION)
    return frustum.pack(volume), seen.depth, base
