"""kill -9 at random moments: afterwards the same command ends with the same files.

    python -m benchmarks.faults [--kills 50] [--only build train] [--clock] [--seed 0]

Each program is run once to its end. Then, in an empty folder, it is started again and
again and killed at random moments of the first half of that time, ten times, before it
may end. What it leaves is compared file by file: bytes, the numbers of checkpoints and
of records, JSON without times. TensorBoard files hold times and are not compared. A
file too many is a difference. With `--clock`, the time of day jumps by up to two days
all the while, except in the first run; builds and reconstructions alone, for threads of
tf.data wait until times of the kernel's clock, which does not jump along.
"""

import argparse
import contextlib
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
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import jax
import numpy as np
import tensorflow_datasets as tfds
from orbax.checkpoint import v1 as ocp

from benchmarks import clock

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
        (*CLI, "reconstruct", "images", "--output", "meshes"),
        "meshes",
    ),
}


UNDER_ANY_CLOCK = ("build", "reconstruct")


class Outcome(NamedTuple):
    """What became of a program.

    Attributes:
      seconds: of the run that came to its end.
      kills: that hit it.
      differences: of what it left in the end, in words.
    """

    seconds: float
    kills: int
    differences: list[str]


def torture(
    program: Program,
    ready: pathlib.Path,
    kills: int,
    rng: random.Random,
    environment: Mapping[str, str],
) -> Outcome:
    """Kills a program so many times.

    Args:
      program: the command.
      ready: folder with what it needs; receives what it makes.
      kills: how many.
      rng: decides the moments.
      environment: of all runs but the first.
    """
    untouched = pathlib.Path(tempfile.mkdtemp())
    _copy(ready, untouched)
    _run(program, ready)  # compiles, and keeps what it has compiled
    expected = contents(ready / program.makes)
    first = _chain(program, untouched, expected, environment, ())
    hits, differences = 0, first.differences
    for _ in range(kills):  # not for ever: what is done leaves nothing to kill
        if hits >= kills:
            break
        count = min(KILLS_PER_CHAIN, kills - hits)
        moments = [rng.uniform(0, first.seconds / 2) for _ in range(count)]
        found = _chain(program, untouched, expected, environment, moments)
        hits += found.kills
        differences += found.differences
    shutil.rmtree(untouched)
    return Outcome(first.seconds, hits, differences)


def _chain(program, untouched, expected, environment, moments):
    """Kills a program at each of the moments, then lets it end and compares."""
    with tempfile.TemporaryDirectory() as folder:
        _copy(untouched, pathlib.Path(folder))
        hits = sum([_kill(program, folder, environment, then) for then in moments])
        start = time.monotonic()
        try:
            _run(program, folder, environment)
        except subprocess.CalledProcessError as error:
            ends = [f"exit code {error.returncode}: {error.stderr}"]
        else:
            ends = []
        seconds = time.monotonic() - start
        found = contents(pathlib.Path(folder) / program.makes)
    return Outcome(seconds, hits, ends + compare(expected, found))


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


def _kill(program, folder, environment, seconds):
    """Whether it was still alive then."""
    nowhere = subprocess.DEVNULL
    how = _how(program, folder, environment)
    running = subprocess.Popen(**how, stdout=nowhere, stderr=nowhere)
    try:
        running.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
        return True
    return False


def _run(program, folder, environment=MappingProxyType({})):
    """To its end."""
    how = _how(program, folder, environment)
    subprocess.run(**how, check=True, capture_output=True, text=True)


def _how(program, folder, environment):
    ours = {"PYTHONPATH": str(REPOSITORY), "JAX_PLATFORMS": "cpu"}
    return {
        "args": [sys.executable, *program.arguments],
        "cwd": folder,
        "env": os.environ | ours | environment,
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
    parser.add_argument("--clock", action="store_true", help="a clock that jumps")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    _say("| program | seconds | kills | differences |\n|---|--:|--:|--:|")
    failed = False
    clocks = clock.jumping(random.Random(options.seed)) if options.clock else None
    with (
        clocks or contextlib.nullcontext({}) as environment,
        tempfile.TemporaryDirectory() as folder,
    ):
        ready = pathlib.Path(folder)
        _copy(REPOSITORY / "examples", ready / "images")
        chosen = set(options.only) & set(UNDER_ANY_CLOCK if options.clock else PROGRAMS)
        for name, program in PROGRAMS.items():
            if name not in chosen:
                _run(program, ready)  # others need what it makes
                continue
            rng = random.Random(f"{options.seed} {name}")
            found = torture(program, ready, options.kills, rng, environment)
            row = (name, f"{found.seconds:.0f}", found.kills, len(found.differences))
            _say(f"| {' | '.join(map(str, row))} |")
            for line in found.differences:
                _say(f"    {line}")
            failed |= bool(found.differences)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
