"""Whole programs as subprocesses, small ones, and what they leave."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence

import jax

from pixel2mesh_jax.training import checkpoints

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SMALL = (
    "--config.image_size=32",
    "--config.num_points=100",
    "--config.model.encoder_width=0.05",
    "--config.model.hidden_features=8",
    "--config.model.last_features=8",
    "--config.model.num_blocks=1",
    "--config.log_every=1",
    "--config.checkpoint_every=2",
    "--config.eval_every=0",
    "--config.eval_limit=4",
)
TIMEOUT = 300  # seconds that one program may take


def command(module, *arguments):
    return [sys.executable, "-m", module, *map(str, arguments)]


def environment(num_devices=1, **variables):
    return os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(num_devices),
        **variables,
    }


def start(module, *arguments, num_devices=1):
    """Runs a program to its end."""
    (done,) = start_together([environment(num_devices)], module, *arguments)
    return done


def start_together(
    environments: Sequence[Mapping[str, str]], module, *arguments
) -> list[subprocess.CompletedProcess]:
    """Runs one program in several environments at the same time, to the end."""
    running = []
    try:
        for variables in environments:
            program = subprocess.Popen(
                command(module, *arguments),
                cwd=REPOSITORY,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            running.append(program)
        said = [program.communicate(timeout=TIMEOUT) for program in running]
    finally:
        for program in running:
            program.kill()
            program.communicate()
    return [
        subprocess.CompletedProcess(program.args, program.returncode, *texts)
        for program, texts in zip(running, said, strict=True)
    ]


def model(*arguments, num_devices=1, config="configs/rgbd.py:tiny"):
    return start(
        "pixel2mesh_jax.main", "--config", config, *arguments, num_devices=num_devices
    )


def build_data(folder):
    """The embedded data set, one object per category and split."""
    few = ("--train", 1, "--val", 1, "--test", 1, "--views", 1, "--num_points", 300)
    built = start(
        "data_pipelines.build", "procedural_shapes", "--data_dir", folder, *few
    )
    assert built.returncode == 0, built.stderr


def train_flags(workdir, data, num_steps=10):
    return (
        "--workdir",
        workdir,
        f"--config.data_dir={data}",
        f"--config.num_steps={num_steps}",
        "--config.batch_size=8",
        *SMALL,
    )


def losses_of(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["loss"] for row in rows if "loss" in row]


def state_of(workdir):
    """The whole state, on one device whatever it was trained on."""
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    with checkpoints.open_checkpoints(workdir) as saved:
        step = saved.latest.step
        like = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device),
            saved.metadata(step).metadata,
        )
        return saved.load(step, like)
