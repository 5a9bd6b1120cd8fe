"""Random batches of the right form."""

import numpy as np

from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.structures import Batch

SIZE = 32  # pixels


def make_batch(seed=0, batch_size=2, num_points=50):
    """Noise seen by the training camera; a function of the seed."""
    rng = np.random.default_rng(seed)
    uniform = lambda *shape: rng.random(shape, dtype=np.float32)  # noqa: E731
    image = (batch_size, SIZE, SIZE)
    return Batch(
        rgb=uniform(*image, 3),
        depth=0.6 + 0.4 * uniform(*image),
        mask=np.ones(image, np.float32),
        intrinsics=np.tile(camera.r2n2_intrinsics(SIZE), (batch_size, 1, 1)),
        points=0.4 * uniform(batch_size, num_points, 3) - np.float32([0.2, 0.2, 1.0]),
        normals=uniform(batch_size, num_points, 3) - 0.5,
        colors=uniform(batch_size, num_points, 3),
        category=np.zeros(batch_size, np.int32),
        weight=np.ones(batch_size, np.float32),
    )
