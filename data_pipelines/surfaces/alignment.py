"""Images made elsewhere and the mesh that they show: depth, and whether they agree.

A wrong model, frame or pose does not stop a training, it only ruins it. So the
silhouette of the mesh is compared with the mask of its image before both are used.
"""

import numpy as np
from jaxtyping import Bool, Float, UInt8

from data_pipelines.surfaces.render import SUPERSAMPLE
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.structures import View

# Least overlap (intersection over union) of mask and silhouette, mean over the images
# of an object. 79 models against masks widened by the filter of Blender: 0.74 to 0.96;
# turned by 90 degrees, 0.45 in the median. Poses made by hand (Pix3D) come near 0.9.
MIN_OVERLAP = 0.5


def view_with_depth(
    rgba: UInt8[np.ndarray, "S S 4"],
    scene: raycast.Scene,
    camera_from_scene: Float[np.ndarray, "4 4"],
    intrinsics: Float[np.ndarray, "3 3"],
) -> tuple[View, Bool[np.ndarray, "S S"]]:
    """Adds to an image the depth of the mesh at the very same camera.

    Args:
      rgba: the image; its alpha is the mask of the object.
      scene: the mesh, metres.
      camera_from_scene: rigid transform.
      intrinsics: pinhole matrix in pixels.

    Returns:
      The view, whose depth is missing (0) outside the mask and where no mesh is, and
      the silhouette: the pixels that see some of the mesh.
    """
    size = len(rgba)
    hits = raycast.cast_scene(
        scene, camera_from_scene, intrinsics, (size, size), SUPERSAMPLE
    )
    center = slice(SUPERSAMPLE // 2, None, SUPERSAMPLE)
    depth = np.where(rgba[..., 3] > 0, hits.depth[center, center], 0)
    rays = (hits.triangle >= 0).reshape(size, SUPERSAMPLE, size, SUPERSAMPLE)
    view = View(rgba, depth.astype(np.float32), np.asarray(intrinsics, np.float32))
    return view, rays.any(axis=(1, 3))


def overlap(
    mask: Bool[np.ndarray, "H W"], silhouette: Bool[np.ndarray, "H W"]
) -> float:
    """Intersection over union; 0 if both are empty."""
    return float((mask & silhouette).sum() / max((mask | silhouette).sum(), 1))


def check_overlap(mean_overlap: float) -> None:
    """Raises InputError if mesh and images do not agree, see `MIN_OVERLAP`."""
    if mean_overlap < MIN_OVERLAP:
        raise InputError(
            "the mesh does not fit its images: its silhouette overlaps their mask by "
            f"{mean_overlap:.2f}, expected at least {MIN_OVERLAP}"
        )
