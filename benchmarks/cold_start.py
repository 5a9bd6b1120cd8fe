"""From a cold process to the first mesh: `--mode reconstruct` of one image.

The full-size network of `rgbd.py` with random weights. Ours has the compilation cache
of an earlier run, as every run but the first; the alternative has an empty one.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import jax
import numpy as np
from PIL import Image

from benchmarks.timing import Case
from configs import rgbd
from pixel2mesh_jax import methods
from pixel2mesh_jax.training import checkpoints, run_folder
from pixel2mesh_jax.training.optimizer import make_optimizer
from pixel2mesh_jax.training.start import start_state

GOALS = "goal: 6 s, 20 s without the cache"
UNWANTED = {"tensorflow", "torch"}  # packages that take seconds to import
DISTANCE = 0.8  # metres, of the shown disc


def cases() -> Iterator[Case]:
    """One image with depth to one mesh."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_untrained_run(folder / "run")
        write_image(folder)
        yield Case(
            "cold process to first mesh, rgbd.py",
            lambda: _reconstruct(folder, folder / "cache"),
            lambda: _with_empty_cache(folder),
            "empty compilation cache",
            lambda: _check(folder),
            unit="run",
            rounds=2,
            note=GOALS,
        )


def write_untrained_run(workdir: pathlib.Path) -> None:
    """A run that ended before its first step."""
    config = rgbd.get_config()
    method, tx = methods.make(config), make_optimizer(config)
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    workdir.mkdir()
    with checkpoints.open_checkpoints(workdir) as saved:
        saved.save(0, start_state(config, method, tx, method.constants, device, saved))
    run_folder.save_config(workdir, config)


def write_image(folder: pathlib.Path, size: int = 224) -> None:
    """A disc on a transparent background, and its depth beside it."""
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    disc = np.hypot(rows, columns) < size / 3
    colors = np.full((size, size, 3), 128, np.uint8)
    alpha = np.uint8(255) * disc[..., None]
    Image.fromarray(np.concatenate([colors, alpha], -1)).save(folder / "disc.png")
    np.save(folder / "disc_depth.npy", np.float32(DISTANCE) * disc)


def _check(folder):
    """Fills the cache; the program leaves out what it does not need."""
    told = _reconstruct(folder, folder / "cache", "-X", "importtime")
    assert (folder / "out" / "disc.obj").is_file()
    imported = set(re.findall(r"\| +(\w+)$", told, re.MULTILINE))
    assert "pixel2mesh_jax" in imported
    assert not imported & UNWANTED


def _with_empty_cache(folder):
    with tempfile.TemporaryDirectory() as cache:
        _reconstruct(folder, cache)


def _reconstruct(folder, cache, *options):
    """Runs the program as a user does; returns what it wrote to stderr."""
    arguments = {
        "config": "configs/rgbd.py",
        "workdir": folder / "run",
        "mode": "reconstruct",
        "input": folder / "disc.png",
        "depth": folder / "disc_depth.npy",
        "output": folder / "out",
    }
    flags = [f"--{name}={value}" for name, value in arguments.items()]
    program = [sys.executable, *options, "-m", "pixel2mesh_jax.main", *flags]
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache)}
    done = subprocess.run(
        program, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stderr
