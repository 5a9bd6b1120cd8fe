"""kill -9 at random moments: afterwards the same command ends with the same files.

    python -m benchmarks.faults [--kills 50] [--only build train] [--seed 0]

Each program is run once to its end. Then, in an empty folder, it is started again and
again and killed at random moments of the first half of that time, ten times, before it
may end. What it leaves is compared file by file: bytes, the numbers of checkpoints and
of records, JSON without times. TensorBoard files hold times and are not compared. A
file too many is a difference.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
import tensorflow_datasets as tfds
from orbax.checkpoint import v1 as ocp

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
KILLS_PER_CHAIN = 10
# Facts that differ from run to run.
TIMES = ("made", "seconds")


class Program(NamedTuple):
    """A command.

    Attributes:
      arguments: of Python, in a folder that holds what earlier programs have made.
      makes: the folder that is compared.
    """

    arguments: tuple[str, ...]
    makes: str


BUILD = ("-m", "data_pipelines.build")
CLI = ("-m", "pixel2mesh_jax.cli")
SMALL = (
    "--config.image_size=64",
    "--config.num_points=200",
    "--config.model.encoder_width=0.1",
    "--config.batch_size=2",
    "--config.checkpoint_every=5",
    "--config.eval_every=10",
    "--config.num_steps=40",
    "--config.log_every=1",
)
COUNTS = ("--train", "3", "--val", "1", "--test", "1", "--views", "4")
PROGRAMS = {
    "build": Program(
        (*BUILD, "procedural_shapes", "--data_dir", "data", *COUNTS),
        "data",
    ),
    "train": Program((*CLI, "train", "rgbd:tiny", "--workdir", "run", *SMALL), "run"),
    "eval": Program((*CLI, "eval", "--workdir=run"), "run"),
    "reconstruct": Program(
        (*CLI, "reconstruct", "pictures", "--output", "meshes"),
        "meshes",
    ),
}


class Outcome(NamedTuple):
    """What became of a program.

    Attributes:
      seconds: that it takes undisturbed.
      kills: that hit it.
      differences: of what it left in the end, in words.
    """

    seconds: float
    kills: int
    differences: list[str]


def torture(
    program: Program, ready: pathlib.Path, kills: int, rng: random.Random
) -> Outcome:
    """Kills a program so many times.

    Args:
      program: the command.
      ready: folder with what it needs; receives what it makes.
      kills: how many.
      rng: decides the moments.
    """
    untouched = pathlib.Path(tempfile.mkdtemp())
    _copy(ready, untouched)
    _run(program, ready)  # compiles, and keeps what it has compiled
    expected, hits = contents(ready / program.makes), 0
    seconds, differences = _undisturbed(program, untouched, expected)
    for _ in range(0, kills, KILLS_PER_CHAIN):
        with tempfile.TemporaryDirectory() as folder:
            _copy(untouched, pathlib.Path(folder))
            for _ in range(min(KILLS_PER_CHAIN, kills - hits)):
                # what is done is not done again: later moments find nothing to kill
                hits += _kill(program, folder, rng.uniform(0, seconds / 2))
            try:
                _run(program, folder)
            except subprocess.CalledProcessError as error:
                differences.append(f"exit code {error.returncode}: {error.stderr}")
            found = contents(pathlib.Path(folder) / program.makes)
            differences += compare(expected, found)
    shutil.rmtree(untouched)
    return Outcome(seconds, hits, differences)


def _undisturbed(program, untouched, expected):
    """How long a program takes, and what differs even so."""
    with tempfile.TemporaryDirectory() as folder:
        _copy(untouched, pathlib.Path(folder))
        start = time.monotonic()
        _run(program, folder)
        seconds = time.monotonic() - start
        return seconds, compare(
            expected, contents(pathlib.Path(folder) / program.makes)
        )


def contents(folder: pathlib.Path) -> dict[str, str]:
    """What is in a folder by name, as digests of what must not differ."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or "tensorboard" in path.parts:
            continue
        if "checkpoints" in path.parts:  # time stamps; compared as numbers below
            continue
        if ".array_record" in path.name:
            continue
        if path.suffix == ".html":  # says when it was made
            found[name] = "there"
            continue
        data = _timeless(path) if path.suffix == ".json" else path.read_bytes()
        found[name] = hashlib.sha256(data).hexdigest()
    for path in sorted(folder.glob("checkpoints/*")):
        found[f"checkpoints/{path.name}"] = _digest(ocp.load(path))
    for path in sorted(folder.glob("*/*/dataset_info.json")):
        found |= _records(path.parent)
    return found


def compare(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """One line for each name that is missing, too many or different."""
    lines = []
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            lines.append(f"{name} is missing")
        elif name not in expected:
            lines.append(f"{name} is left over")
        elif expected[name] != found[name]:
            lines.append(f"{name} differs")
    return lines


def _records(folder):
    """The records of each split of a data set."""
    builder = tfds.builder_from_directory(folder)
    return {
        split: _digest(list(builder.as_data_source(split=split)))
        for split in builder.info.splits
    }


def _digest(tree):
    """Of all numbers of a tree."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        digest.update(leaf if isinstance(leaf, bytes) else np.asarray(leaf).tobytes())
    return digest.hexdigest()


def _timeless(path):
    values = json.loads(path.read_text(encoding="utf-8"))
    return json.dumps({k: v for k, v in values.items() if k not in TIMES}).encode()


def _kill(program, folder, seconds):
    """Whether it was still alive then."""
    running = _start(program, folder)
    try:
        running.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        return True
    return False


def _start(program, folder):
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(**_how(program, folder), stdout=nowhere, stderr=nowhere)


def _run(program, folder):
    """To its end."""
    how = _how(program, folder)
    subprocess.run(**how, check=True, capture_output=True, text=True)


def _how(program, folder):
    environment = {"PYTHONPATH": str(REPOSITORY), "JAX_PLATFORMS": "cpu"}
    return {
        "args": [sys.executable, *program.arguments],
        "cwd": folder,
        "env": os.environ | environment,
    }


def _say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _copy(source, target):
    shutil.copytree(source, target, dirs_exist_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="per program")
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    _say("| program | seconds | kills | differences |\n|---|--:|--:|--:|")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        ready = pathlib.Path(folder)
        _copy(REPOSITORY / "examples", ready / "pictures")
        for name, program in PROGRAMS.items():
            if name not in options.only:
                _run(program, ready)  # others need what it makes
                continue
            rng = random.Random(f"{options.seed} {name}")
            found = torture(program, ready, options.kills, rng)
            row = (name, f"{found.seconds:.0f}", found.kills, len(found.differences))
            _say(f"| {' | '.join(map(str, row))} |")
            for line in found.differences:
                _say(f"    {line}")
            failed |= bool(found.differences)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
