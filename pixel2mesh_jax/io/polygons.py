"""Polygons -> triangles, as modelling programs show them.

A convex polygon becomes a fan from its first corner, a quadrilateral with a notch is
cut at the notch, any other concave polygon loses its ears (mapbox/earcut) in the plane
of its normal. Polygons need not be flat.
"""

import mapbox_earcut
import numpy as np
from jaxtyping import Float, Int

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import mesh_limits

# A corner turns the wrong way if the sine of its angle is below this.
REFLEX = -1e-9


def triangulate(
    vertices: Float[np.ndarray, "V 3"],
    corners: Int[np.ndarray, " C"],
    sizes: Int[np.ndarray, " P"],
) -> tuple[Int[np.ndarray, "F 3"], Int[np.ndarray, " F"]]:
    """Cuts polygons into triangles of the same winding, in the order of the polygons.

    Args:
      vertices: of the file.
      corners: vertices of all polygons behind one another.
      sizes: corners per polygon; those of fewer than three corners vanish.

    Returns:
      Places in `corners`, three per triangle; and the polygon of every triangle.

    Raises:
      InputError: a corner is no vertex, or there are too many of them.
    """
    mesh_limits.check_indices(corners, len(vertices))
    if len(sizes) and sizes.max() > mesh_limits.MAX_POLYGON:
        raise InputError(
            f"a face has {sizes.max():,} corners; at most "
            f"{mesh_limits.MAX_POLYGON:,} are read"
        )
    mesh_limits.check_counts(len(vertices), int(np.maximum(sizes - 2, 0).sum()))
    starts = np.cumsum(sizes) - sizes
    places, owners = [np.zeros((0, 3), np.int64)], [np.zeros(0, np.int64)]
    for size in np.unique(sizes[sizes >= 3]):
        polygon = np.flatnonzero(sizes == size)
        rows = starts[polygon][:, None] + np.arange(size)
        local, owner = _triangles_of(vertices[corners[rows]])
        places.append(starts[polygon][owner][:, None] + local)
        owners.append(polygon[owner])
    order = np.argsort(np.concatenate(owners), kind="stable")
    return np.concatenate(places)[order], np.concatenate(owners)[order]


def _triangles_of(points):
    """Corner numbers (F, 3) and polygons (F,) of P polygons of N corners (P, N, 3)."""
    count, size, _ = points.shape
    fan = np.stack(
        [np.zeros(size - 2, int), np.arange(1, size - 1), np.arange(2, size)], axis=1
    )
    local = np.repeat(fan[None], count, axis=0)
    lists = None
    if size > 3:
        reflex, normal = _reflex_corners(points)
        if size == 4:
            local[reflex[:, 1] | reflex[:, 3]] = [[0, 1, 3], [1, 2, 3]]
        else:
            lists = list(local)
            for i in np.flatnonzero(reflex.any(axis=1)):
                lists[i] = _clip_ears(points[i], normal[i], fan)
    if lists is None:
        return local.reshape(-1, 3), np.repeat(np.arange(count), size - 2)
    owner = np.repeat(np.arange(count), [len(one) for one in lists])
    return np.concatenate(lists), owner


def _reflex_corners(points):
    """Whether corners turn the wrong way (P, N); normals of the polygons (P, 3)."""
    before, after = np.roll(points, 1, axis=1), np.roll(points, -1, axis=1)
    with np.errstate(invalid="ignore", over="ignore"):  # not finite: said elsewhere
        center = points - points[:, :1]
        normal = np.cross(center, np.roll(center, -1, axis=1)).sum(axis=1)
        turn = np.cross(points - before, after - points)
        sine = np.einsum("pnc,pc->pn", turn, normal)
        scale = np.linalg.norm(points - before, axis=2)
        scale *= np.linalg.norm(after - points, axis=2)
        scale *= np.linalg.norm(normal, axis=1)[:, None]
        return sine < REFLEX * scale, normal


def _clip_ears(points, normal, fan):
    """Triangles of one polygon, wound as it is; the fan if it has no inside."""
    if not np.isfinite(points).all():
        return fan
    drop = np.abs(normal).argmax()
    flat = np.ascontiguousarray(np.delete(points - points[0], drop, axis=1))
    largest = np.abs(flat).max()
    flat = flat / (largest if largest > 0 else 1.0)
    ears = mapbox_earcut.triangulate_float64(flat, np.array([len(flat)], np.uint32))
    ears = ears.reshape(-1, 3).astype(int)
    if not len(ears):
        return fan
    following = np.roll(flat, -1, axis=0)
    turned = _cross(flat, following).sum() < 0
    a, b, c = flat[ears[:, 0]], flat[ears[:, 1]], flat[ears[:, 2]]
    wrong = (_cross(b - a, c - a) < 0) != turned
    return np.where(wrong[:, None], ears[:, ::-1], ears)


def _cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
