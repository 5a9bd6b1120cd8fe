"""Where a template has to stand: the box of an object, guessed from one view.

What is seen gives the sides of the box and where it begins; how deep it is, a guess
from that: of 320 validation views of 60 objects the depth of the true box was
`DEPTH_OF_VISIBLE` times the visible depth plus `DEPTH_OF_SIDES` times width and height,
3 cm apart in the median (a normalised object has a diagonal of 57 cm).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float

from pixel2mesh_jax.geometry import camera, frustum, templates
from pixel2mesh_jax.structures import Array

DEPTH_OF_VISIBLE = 0.85
DEPTH_OF_SIDES = 0.15
# The same from the sides alone, where no depth is known.
DEPTH_OF_SIDES_ALONE = 0.5
# Distance of the middle of a normalised object in metres, times the root of the
# diagonal of its box at z = -1; median of the same views. A constant distance is 9 cm
# off (root of the mean square), this one 7.6 cm.
DISTANCE = 0.69
# Least half side of a box, metres: a plate seen from its edge is a template all the
# same.
MIN_HALF = 0.02


class Box(NamedTuple):
    """A box along the axes of the camera frame.

    Attributes:
      center: metres.
      half: half its sides, metres.
    """

    center: Float[Array, "3"]
    half: Float[Array, "3"]


def object_box(
    depth: Float[Array, "H W"],
    mask: Float[Array, "H W"],
    intrinsics: Float[Array, "3 3"],
) -> Box:
    """The box of what a view shows; that of the ellipsoid if it shows nothing.

    Args:
      depth: metres along the optical axis, 0 = missing; all 0 if there is none, and
        the object is taken for a normalised one.
      mask: object coverage in [0, 1].
      intrinsics: pinhole matrix in pixels.
    """
    covered = mask >= frustum.COVERED
    shown = frustum.shows_depth(depth, mask)
    measured = _measured_box(depth, shown, mask, intrinsics)
    guessed = _outlined_box(covered, intrinsics)
    nothing = Box(
        jnp.array(templates.ELLIPSOID_CENTER), jnp.array(templates.ELLIPSOID_RADII)
    )
    box = _choose(jnp.any(covered), guessed, nothing)
    box = _choose(jnp.any(shown), measured, box)
    return box._replace(half=jnp.maximum(box.half, MIN_HALF))


def place(
    vertices: Float[Array, "V 3"], start: Box, wanted: Box
) -> Float[Array, "V 3"]:
    """Vertices of one box, moved and scaled along its axes into another."""
    inside = (vertices - start.center[None]) / start.half[None]
    return wanted.center[None] + wanted.half[None] * inside


def bounding_box(vertices: Float[Array, "V 3"]) -> Box:
    """Of vertices."""
    low, high = jnp.min(vertices, axis=0), jnp.max(vertices, axis=0)
    return Box((low + high) / 2, (high - low) / 2)


def _measured_box(depth, shown, mask, intrinsics):
    near, far = frustum.visible_range(depth, mask)
    inside = shown[..., None]
    points = camera.unproject(depth, intrinsics)[..., :2]
    low = jnp.min(jnp.where(inside, points, jnp.inf), axis=(0, 1))
    high = jnp.max(jnp.where(inside, points, -jnp.inf), axis=(0, 1))
    low, high = (jnp.where(jnp.any(inside), x, 0) for x in (low, high))
    sides = high - low
    length = DEPTH_OF_VISIBLE * (far - near) + DEPTH_OF_SIDES * jnp.sum(sides)
    return _box(low, high, near + length / 2, length)


def _outlined_box(covered, intrinsics):
    low, high = frustum.mask_box(covered, intrinsics)
    diagonal = jnp.maximum(jnp.sqrt(jnp.sum((high - low) ** 2)), frustum.MIN_SIZE)
    distance = DISTANCE / jnp.sqrt(diagonal)
    low, high = low * distance, high * distance
    return _box(low, high, distance, DEPTH_OF_SIDES_ALONE * jnp.sum(high - low))


def _box(low, high, distance, length):
    center = jnp.append((low + high) / 2, -distance)
    return Box(center, jnp.append((high - low) / 2, length / 2))


def _choose(condition, box, other):
    return Box(*(jnp.where(condition, a, b) for a, b in zip(box, other, strict=True)))
