"""The image beside the mesh: what was taken for the object, and its depth."""

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from scipy import ndimage

from pixel2mesh_jax.inference.evidence import Evidence
from pixel2mesh_jax.io import images
from pixel2mesh_jax.rendering import mesh_images

# How much white covers what is not the object; brightest grey of depth that is not.
FADED = 0.7
GREYS = (0.92, 0.72)  # of the nearest and the farthest pixel
OUTLINE = (249, 115, 22)  # sRGB
OUTLINE_PART = 1 / 200  # width of the outline, in parts of the longer side
GAP = 1 / 50  # between both images, likewise


def side_by_side(evidence: Evidence) -> UInt8[np.ndarray, "H W 3"]:
    """The image and, if there is depth, its colours; the object has an outline."""
    inside = evidence.image[..., 3] >= images.OPAQUE_LEVEL
    line = outline(inside)
    parts = [_marked(cut_out(evidence.image), line)]
    if evidence.depth is not None:
        gap = round(GAP * max(inside.shape))
        parts.append(np.full((len(inside), gap, 3), 255, np.uint8))
        parts.append(_marked(depth_colors(evidence.depth, inside), line))
    return np.concatenate(parts, axis=1)


def cut_out(rgba: UInt8[np.ndarray, "H W 4"]) -> UInt8[np.ndarray, "H W 3"]:
    """The image on white; what is not the object is faint.

    Where that has one colour everywhere, files have hidden nothing there: it is white.
    """
    hidden = rgba[rgba[..., 3] == 0]
    if len(hidden) and not np.ptp(hidden, axis=0).any():
        rgba = np.where(rgba[..., 3:] == 0, np.uint8(255), rgba)
    covered = np.maximum(rgba[..., 3:] / 255, 1 - FADED)
    return np.round(rgba[..., :3] * covered + 255 * (1 - covered)).astype(np.uint8)


def depth_colors(
    depth: Float32[np.ndarray, "H W"], inside: Bool[np.ndarray, "H W"]
) -> UInt8[np.ndarray, "H W 3"]:
    """Depth in colours on the object, near = bright, and in light grey around it.

    Args:
      depth: in any unit; white where it is missing (0).
      inside: the object, whose range the colours span.
    """
    colors = mesh_images.depth_image(depth, inside.astype(np.float32))
    around = ~inside & (depth > 0)
    if not around.any():
        return colors
    near, far = np.percentile(depth[around], (1, 99))
    part = np.clip((depth[around] - near) / max(far - near, 1e-6), 0, 1)
    grey = GREYS[0] + part * (GREYS[1] - GREYS[0])
    colors[around] = np.round(255 * grey[:, None]).astype(np.uint8)
    return colors


def outline(inside: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Pixels just outside of an object; at the border of the image there are none."""
    width = max(1, round(OUTLINE_PART * max(inside.shape)))
    return ndimage.binary_dilation(inside, iterations=width) & ~inside


def _marked(image, line):
    return np.where(line[..., None], np.uint8(OUTLINE), image)
