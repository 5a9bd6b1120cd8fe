"""Spoilt files of every format: each is used or named, and does no other harm.

    python -m benchmarks.fuzz --minutes 10 [--only glb obj] [--out FOLDER]

Every input is a valid file, or one of several that belong together, with one to four
changes (`fuzz_mutations.py`). What is read must be usable; what is not must be refused
with `InputError` that names a file. Anything else is a finding: another exception, more
than 10 s, more than 2 GB. Findings are written to FOLDER with their files, and can be
had again with `--only FORMAT --first NUMBER --count 1`. If the process itself dies,
`FOLDER/in_flight` says at which input.
"""

import argparse
import contextlib
import faulthandler
import logging
import os
import pathlib
import random
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks import fuzz_mutations
from benchmarks.fuzz_targets import Files, Target, targets
from pixel2mesh_jax.errors import InputError

# Seconds that an input may take, and after which a process that cannot even be
# interrupted is ended with a traceback.
MOST_SECONDS = 10
LAST_SECONDS = 30
# Bytes by which the memory of the process may grow for one input.
MOST_BYTES = 2 * 2**30
# File that says which input is being read.
IN_FLIGHT = "in_flight"
# Inputs of a format before it is the turn of the next one.
TURN = 50


class Hang(BaseException):
    """An input took too long; not an Exception, so that no reader catches it."""


class Finding(NamedTuple):
    """An input that was neither used nor named.

    Attributes:
      number: of the input.
      kind: equal for equal causes.
      details: a traceback.
    """

    number: int
    kind: str
    details: str


class Tally(NamedTuple):
    """What became of the inputs of a format."""

    tried: int
    used: int
    named: int
    findings: tuple[Finding, ...]

    def __add__(self, other):
        return Tally(*(a + b for a, b in zip(self, other, strict=True)))


NOTHING = Tally(0, 0, 0, ())


def fuzz(
    name: str,
    target: Target,
    first: int,
    count: int,
    out: pathlib.Path | None = None,
) -> Tally:
    """Tries inputs `first` to `first + count - 1` of a format.

    Args:
      name: of the format; with the number it decides what an input is.
      target: see `fuzz_targets`.
      first: number of the first input.
      count: how many.
      out: folder that receives the files of the findings.
    """
    corpus, total = target.corpus(), NOTHING
    with tempfile.TemporaryDirectory() as folder, quiet() as screen:
        for number in range(first, first + count):
            files = spoilt(corpus, random.Random(f"{name} {number}"))
            if out is not None:  # stays there if the process dies
                (out / IN_FLIGHT).write_text(f"--only {name} --first {number}\n")
            tally = _attempt(target, files, number, pathlib.Path(folder), screen)
            total += tally
            if out is not None and tally.findings:
                _keep(out / f"{name}_{number}", files, tally.findings[0])
    return total


def spoilt(corpus: list[Files], rng: random.Random) -> Files:
    """Files that belong together, one of which is changed."""
    files = dict(rng.choice(corpus))
    victim = rng.choice(sorted(files))
    other = rng.choice([data for one in corpus for data in one.values()])
    files[victim] = fuzz_mutations.mutate(files[victim], other, rng)
    return files


def _attempt(target, files, number, folder, screen):
    """Reads one input; the folder is empty again afterwards."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    before, start = _peak(), time.monotonic()
    try:
        with watched(MOST_SECONDS, screen):
            target.use(folder)
        kind, details = "used", ""
    except InputError as error:
        known = any(name in str(error) for name in (*files, folder.name))
        kind, details = ("named", "") if known else ("names no file", str(error))
    except (Exception, Hang) as error:
        kind, details = _kind(error), traceback.format_exc()
    finally:
        for path in folder.iterdir():
            path.unlink()
    if _peak() - before > MOST_BYTES:
        kind, details = "memory", f"{(_peak() - before) / 2**30:.1f} GB more"
    if time.monotonic() - start > MOST_SECONDS and kind in ("used", "named"):
        kind, details = "slow", f"{time.monotonic() - start:.0f} s"
    if kind in ("used", "named"):
        return Tally(1, int(kind == "used"), int(kind == "named"), ())
    return Tally(1, 0, 0, (Finding(number, kind, details),))


def _kind(error):
    """Type of an exception and where it came from, equal for equal causes."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = [frame for frame in frames if frame.name != _stop.__name__][-1]
    file = pathlib.Path(frame.filename).name
    return f"{type(error).__name__} in {file}:{frame.lineno}"


def _stop(signum, frame):
    raise Hang(f"more than {MOST_SECONDS} s")


@contextlib.contextmanager
def watched(seconds: float, screen: int) -> Iterator[None]:
    """Raises Hang after some time; ends the process if that does not help.

    Args:
      seconds: time.
      screen: number of the file for a last traceback.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    previous = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(LAST_SECONDS, exit=True, file=screen)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def quiet() -> Iterator[int]:
    """Without warnings, which spoilt files cause by the thousand, also those of C.

    Yields:
      Number of the file that standard error goes to otherwise.
    """
    logging.disable(logging.ERROR)
    sys.stdout.flush()
    saved, nowhere = [os.dup(1), os.dup(2)], os.open(os.devnull, os.O_WRONLY)
    faulthandler.enable(saved[1])
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield saved[1]
    finally:
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
        faulthandler.disable()
        for number in (*saved, nowhere):
            os.close(number)
        logging.disable(logging.NOTSET)


def _peak():
    """Most memory that this process has held so far, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _keep(folder, files, finding):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "finding.txt").write_text(f"{finding.kind}\n\n{finding.details}\n")


def report(tallies: dict[str, Tally]) -> str:
    """A table of the formats, and each kind of finding once."""
    lines = ["| format | tried | used | named | findings |", "|---|---|---|---|---|"]
    kinds = []
    for name, tally in tallies.items():
        lines.append(
            f"| {name} | {tally.tried:,} | {tally.used:,} | {tally.named:,} | "
            f"{len(tally.findings)} |"
        )
        numbers: dict[str, list[int]] = {}
        for finding in tally.findings:
            numbers.setdefault(finding.kind, []).append(finding.number)
        for kind, found in numbers.items():
            kinds.append(f"{name}: {kind} ({len(found)}, the first is {found[0]})")
    return "\n".join([*lines, "", *kinds])


def main(arguments: list[str] | None = None) -> int:
    """Returns 1 if there is any finding."""
    known = targets()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only", nargs="+", choices=known, default=list(known))
    parser.add_argument("--first", type=int, default=0, help="number of an input")
    parser.add_argument("--count", type=int, help="inputs per format at most")
    parser.add_argument("--out", type=pathlib.Path, help="folder for findings")
    options = parser.parse_args(arguments)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * options.minutes
    tallies = dict.fromkeys(options.only, NOTHING)
    most = options.count or sys.maxsize
    while time.monotonic() < end and any(t.tried < most for t in tallies.values()):
        for name, tally in tallies.items():
            count = min(TURN, most - tally.tried)
            if count and time.monotonic() < end:
                first = options.first + tally.tried
                more = fuzz(name, known[name], first, count, options.out)
                tallies[name] = tally + more
    sys.stdout.write(report(tallies) + "\n")
    return int(any(tally.findings for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
