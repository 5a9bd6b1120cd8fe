"""Every method of the house and two toys, small, and batches for them."""

import importlib

import numpy as np
import pytest

from configs import common
from pixel2mesh_jax import methods
from tests.batches import SIZE, make_batch

BATCH = 4
TOYS = {"box": "tests.methods.box", "ball": "tests.methods.ball"}
# Config of each method of the house, and the changes that make it small.
SMALL_CASCADE = {"encoder_width": 0.05, "hidden_features": 8, "num_stages": 1}
HOUSE = {
    "frustum": ("rgbd_sdf", {"resolution": 8, "layers": 8, "widths": (8, 8)}),
    "frustum_mesh": (
        "rgbd_sdf_refined",
        {
            "resolution": 8,
            "layers": 8,
            "widths": (8, 8),
            "max_vertices": 400,
            "max_faces": 800,
            "hidden_features": 8,
        },
    ),
    "implicit": (
        "implicit",
        {
            "encoder_width": 0.05,
            "image_features": (4,) * 5,
            "grid_resolution": 8,
            "grid_channels": (4,) * 3,
            "grid_features": (4,) * 3,
            "fourier_features": 8,
            "hidden_features": 16,
            "num_queries": 64,
        },
    ),
    "mesh_rcnn": (
        "rgbd_mesh_rcnn",
        {
            "encoder": "resnet18",
            "encoder_width": 0.05,
            "resolution": 8,
            "max_vertices": 400,
            "max_faces": 800,
            "voxel_features": 8,
            "hidden_features": 8,
        },
    ),
    "pixel2mesh": ("rgbd", {**SMALL_CASCADE, "last_features": 8, "num_blocks": 1}),
    "pixel2mesh_plus": (
        "rgbd_plus",
        {**SMALL_CASCADE, "last_features": 8, "num_blocks": 1},
    ),
    "pixel2mesh2": (
        "rgb_resnet18",
        {**SMALL_CASCADE, "num_blocks": 1, "scales": (3,)},
    ),
    "refinement": (
        "rgbd_pixel2mesh_r50",
        {**SMALL_CASCADE, "num_blocks": 1, "encoder": "resnet18"},
    ),
}
# What frustum_mesh does, frustum and mesh_rcnn do as well, and what pixel2mesh_plus
# does, pixel2mesh; they compile for minutes.
SLOW = ("frustum_mesh", "pixel2mesh_plus")
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in (*HOUSE, *TOYS)
]


def config_of(name, **changes):
    if name in TOYS:
        methods.METHODS[name] = TOYS[name]
        config = common.short(common.experiment(name, ("rgb", "depth")))
    else:
        module, model = HOUSE[name]
        config = importlib.import_module(f"configs.{module}").get_config("tiny")
        config.model.update(model)
    config.image_size, config.num_points, config.batch_size = SIZE, 20, BATCH
    config.num_steps, config.log_every, config.checkpoint_every = 4, 1, 2
    config.eval_every = 0
    if "extract" in config:
        config.extract.resolution, config.extract.chunk = 16, 512
    config.update(changes)
    return config


def batch_of(method, seed=0, batch_size=BATCH):
    """Noise, and an object in the middle of the image."""
    batch = make_batch(seed, batch_size, num_points=20)
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    disc = (np.hypot(rows, columns) < SIZE / 3).astype(np.float32)
    batch = batch._replace(mask=batch.mask * disc, depth=batch.depth * disc)
    extra = {
        name: np.zeros((batch_size, *field.shape), field.dtype)
        for name, field in method.fields.items()
        if getattr(batch, name) is None
    }
    if "placement" in extra:
        extra["placement"] += np.float32([0, 0, 0.5, 0.6, 0.5])
    if "distances" in extra:  # inside behind what is seen, as an untrained network says
        extra["distances"][:, 2:-2, 2:-2, 1:] = -40
    if "query_points" in extra:  # around the object, which is a ball
        noise = np.random.default_rng(seed).random(extra["query_points"].shape)
        extra["query_points"] += np.float32(noise * 0.6 - [0.3, 0.3, 1.1])
        away = extra["query_points"] - np.float32([0, 0, -0.8])
        extra["query_distances"] += np.linalg.norm(away, axis=-1) - np.float32(0.2)
    if "voxels" in extra:
        extra["voxels"][:] = True  # as an untrained network says
    return batch._replace(**extra)
