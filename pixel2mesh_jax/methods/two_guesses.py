"""The mean of what a network says of an image and of its mirror image.

A network that was trained on mirrored images too errs differently about the two, so
their mean errs less than either.
"""

import jax
import numpy as np

from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.methods.method import Call
from pixel2mesh_jax.structures import Batch, VolumeOutputs


def one_guess(call: Call, batch: Batch) -> VolumeOutputs:
    """Volumes of the views, on the host."""
    return jax.device_get(call("__call__", batch))


def mean_guess(call: Call, batch: Batch) -> VolumeOutputs:
    """The same with a mean for what is guessed.

    Distances and colours of the far side are mean values, the distance from the camera
    is a geometric mean; everything else follows from the view and is that of the image.
    """
    calls = [call("__call__", views) for views in (batch, mirrored_views(batch))]
    one, other = jax.device_get(calls)
    return one._replace(
        distances=(one.distances + other.distances[:, :, ::-1]) / 2,
        far_colors=(one.far_colors + other.far_colors[:, :, ::-1]) / 2,
        near=np.sqrt(one.near * other.near),
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
