"""Which way is up, and where the sides of an object are, without knowing the object.

An object stands on a plane that the depth map shows, or else its box is smallest when
its sides are upright: as it is for cars, chairs and cabinets.
"""

import numpy as np
from jaxtyping import Float
from scipy import spatial

from pixel2mesh_jax.geometry import foreground

# Elevations of the camera above the horizon of the object that are tried, degrees.
ELEVATIONS = np.arange(-10.0, 82.0, 2.0)
# Turns around the up axis that are tried; a box repeats itself after 90 degrees.
TURNS = np.arange(-45.0, 45.0, 3.0)
# Cosine of the largest angle between the normal of a ground and the up of the image:
# what is steeper may be a wall.
GROUND_COSINE = np.cos(np.deg2rad(75.0))
# OpenCV's axes (y down, z forward) in those of OpenGL.
TO_OPENGL = np.array([1.0, -1.0, -1.0])


def ground_up(
    surroundings: Float[np.ndarray, "H W"], intrinsics: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "3"] | None:
    """Up, as the plane says that most of the surroundings lie on.

    Args:
      surroundings: depth of what is not the object, 0 = missing.
      intrinsics: pixels.

    Returns:
      A unit vector in the camera frame (OpenGL), or None without such a plane, or if it
      is so steep that it may be a wall.
    """
    points = foreground.unprojected(surroundings, intrinsics)[surroundings > 0]
    plane = foreground.supporting_plane(points)
    if plane is None:
        return None
    up = plane.normal * TO_OPENGL
    return up if up[1] >= GROUND_COSINE else None


def rotation(
    points: Float[np.ndarray, "N 3"], up: Float[np.ndarray, "3"] | None = None
) -> Float[np.ndarray, "3 3"]:
    """Turns the camera frame into that of the object.

    x is right, y up, z towards the viewer as nearly as the sides of the object allow;
    among these turns the box of the points is smallest.

    Args:
      points: of the object, camera frame (OpenGL).
      up: unit vector, if it is known. By default the camera is taken to be level, and
        how far it looks down is found.
    """
    hull = points[spatial.ConvexHull(points).vertices].astype(np.float64)
    tried = _pitches() if up is None else _to_y(up)[None]
    moved = np.einsum("pij,nj->pni", tried, hull)
    heights = np.ptp(moved[..., 1], axis=1)
    sides = np.einsum("tij,pnj->ptni", _turns()[:, ::2, ::2], moved[..., ::2])
    volumes = heights[:, None] * np.ptp(sides, axis=2).prod(axis=-1)
    pitch, turn = np.unravel_index(np.argmin(volumes), volumes.shape)
    return _turns()[turn] @ tried[pitch]


def _pitches():
    """(P, 3, 3); up of an object seen from elevation e is (0, cos e, sin e)."""
    angles = np.deg2rad(ELEVATIONS)
    up = np.stack([np.zeros_like(angles), np.cos(angles), np.sin(angles)], axis=-1)
    return np.stack([_to_y(one) for one in up])


def _to_y(up):
    """The smallest rotation that makes `up` the y axis."""
    axis = np.cross(up, [0.0, 1.0, 0.0])
    angle = np.arctan2(np.linalg.norm(axis), up[1])
    length = np.linalg.norm(axis)
    if length < 1e-9:
        axis, length = np.array([1.0, 0.0, 0.0]), 1.0
    return spatial.transform.Rotation.from_rotvec(axis / length * angle).as_matrix()


def _turns():
    """(T, 3, 3); around y."""
    angles = np.deg2rad(TURNS)[:, None] * np.array([0.0, 1.0, 0.0])
    return spatial.transform.Rotation.from_rotvec(angles).as_matrix()
