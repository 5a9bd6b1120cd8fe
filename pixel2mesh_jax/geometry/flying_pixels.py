"""Depth of sensors that is not of the object: beside its edges and in its holes.

A pixel that sees two surfaces gets a depth between them, which hangs in the air; a mask
that is a few pixels too wide takes in what is behind the object; in a hole, single
pixels get any depth. All of them make fins and crumbs on a mesh.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from pixel2mesh_jax.geometry import depth_parts

# A surface of a larger slope to the image (tangent) is no surface between two pixels.
BETWEEN = 4.0
# Pixels from the border of a mask inward that may belong to what is behind; and the
# slope from which one of them differs from the inside.
BORDER = 4
BEHIND = 3.0
# Parts of the depth map of an object below this part of its pixels are noise in a hole.
SPECK = 0.002


def flying_pixels(
    depth: Float[np.ndarray, "H W"],
    mask: Bool[np.ndarray, "H W"],
    focal: float,
) -> Bool[np.ndarray, "H W"]:
    """Where the depth of an object is not its own.

    Args:
      depth: of the whole scene, along the optical axis, in any unit, 0 = missing. What
        is missing outside of the mask gives no reason to doubt what is inside.
      mask: the object.
      focal: pixels.
    """
    inside = mask & (depth > 0)
    wrong = between_surfaces(depth, focal) | behind_the_object(depth, mask, focal)
    labels = depth_parts.label(inside & ~wrong, depth, focal)
    sizes = np.bincount(labels.ravel())
    return inside & (wrong | (sizes[labels] < SPECK * np.count_nonzero(mask)))


def between_surfaces(
    depth: Float[np.ndarray, "H W"], focal: float
) -> Bool[np.ndarray, "H W"]:
    """Far behind a surface, and as far before the next one, or that is missing.

    Both surfaces go on without such a step, which those beside a steep face do not.
    """
    found = np.zeros(depth.shape, bool)
    for axis in (0, 1):
        line = np.moveaxis(depth, axis, 0)
        two_before, before, here, after, two_after = (
            line[start : len(line) - 4 + start] for start in range(5)
        )
        step = BETWEEN * here / focal
        rises = _stands_out(two_before, before, here, after, two_after, step)
        falls = _stands_out(two_after, after, here, before, two_before, step)
        np.moveaxis(found, axis, 0)[2:-2] |= (here > 0) & (rises | falls)
    return found


def _stands_out(beyond_near, near, here, far, beyond_far, step):
    """The middle one of five is a step behind one side and before the other."""
    behind = (near > 0) & (here - near > step) & _goes_on(near, beyond_near, step)
    before = (far - here > step) & _goes_on(far, beyond_far, step)
    return behind & (before | (far <= 0))


def _goes_on(depth, beyond, step):
    return (beyond <= 0) | (np.abs(beyond - depth) <= step)


def behind_the_object(
    depth: Float[np.ndarray, "H W"], mask: Bool[np.ndarray, "H W"], focal: float
) -> Bool[np.ndarray, "H W"]:
    """At the border of the mask, like what is outside and unlike what is inside."""
    inside = mask & (depth > 0)
    core = inside & ndimage.binary_erosion(mask, iterations=BORDER, border_value=1)
    outside = ~mask & (depth > 0)
    if not core.any() or not outside.any():
        return np.zeros(depth.shape, bool)
    to_core, depth_of_core = _nearest(core, depth)
    to_outside, depth_outside = _nearest(outside, depth)
    step = BEHIND * depth / focal
    unlike = depth - depth_of_core > step * to_core
    like = np.abs(depth - depth_outside) < step * to_outside
    return inside & ~core & unlike & like & (to_outside <= BORDER)


def _nearest(there, depth):
    """Distance in pixels to the nearest pixel of a set, and its depth."""
    distance, (rows, columns) = ndimage.distance_transform_edt(
        ~there, return_indices=True
    )
    return distance, depth[rows, columns]
