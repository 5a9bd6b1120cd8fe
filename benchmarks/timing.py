"""Our program and an alternative that does the same work, timed in turn.

The two take turns (A B A B ...), so that what else the machine does hits both alike.
Times are medians; the spread is half the range between the quartiles, relative to the
median.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks import operations

# Rounds of one case; it ends earlier, but not before `MIN_ROUNDS`, after this time.
MAX_ROUNDS = 15
MIN_ROUNDS = 3
MAX_SECONDS = 6.0


class Case(NamedTuple):
    """Work that two programs can do.

    Attributes:
      name: what is measured.
      ours: does the work once and waits for the result.
      other: does the same work in another way.
      other_name: what the alternative is.
      check: raises `AssertionError` unless both give the same result.
      amount: units of work in one call.
      other_amount: the same for the alternative; None if it is equal.
      unit: of the work, singular.
      goal: smallest ratio that is wanted, or None.
      per_second_goal: fewest units per second that are wanted of ours, or None.
      note: what else was measured of both, for example memory.
      operations: floating-point operations of one call of ours, if they are known.
      rounds: how many; None for as many as there is time for, after a warm-up.
    """

    name: str
    ours: Callable[[], object]
    other: Callable[[], object]
    other_name: str
    check: Callable[[], None]
    amount: float | int = 1
    other_amount: float | int | None = None
    unit: str = "call"
    goal: float | int | None = None
    per_second_goal: float | int | None = None
    note: str = ""
    operations: float | int = 0
    rounds: int | None = None


class Timing(NamedTuple):
    """A row of the table.

    Attributes:
      name: what was measured.
      unit: of the work.
      ours_ms: milliseconds per unit, ours.
      other_ms: milliseconds per unit, the alternative.
      other_name: what the alternative is.
      ratio: how many times faster ours is.
      spread: of our times, relative.
      goal: what is wanted, in words; empty if nothing.
      note: what else was measured.
    """

    name: str
    unit: str
    ours_ms: float
    other_ms: float
    other_name: str
    ratio: float
    spread: float
    goal: str
    note: str


def measure(case: Case) -> Timing:
    """Checks that both do the same, then times them in turn."""
    case.check()
    ours, other = _times(case)
    other_amount = case.amount if case.other_amount is None else case.other_amount
    low, median, high = np.percentile(ours, (25, 50, 75)) * 1000 / case.amount
    other_ms = np.median(other) * 1000 / other_amount
    return Timing(
        name=case.name,
        unit=case.unit,
        ours_ms=float(median),
        other_ms=float(other_ms),
        other_name=case.other_name,
        ratio=float(other_ms / median),
        spread=float((high - low) / 2 / median),
        goal=_goal(case),
        note=case.note or _share_of_machine(case, float(np.median(ours))),
    )


def _times(case) -> tuple[list[float], list[float]]:
    """Seconds of every round."""
    if case.rounds is None:
        _seconds(case.ours)
        _seconds(case.other)
    ours, other = [], []
    end = time.perf_counter() + MAX_SECONDS
    while _goes_on(case, len(ours), end):
        ours.append(_seconds(case.ours))
        other.append(_seconds(case.other))
    return ours, other


def _goes_on(case, done, end):
    if case.rounds is not None:
        return done < case.rounds
    return done < MIN_ROUNDS or (done < MAX_ROUNDS and time.perf_counter() < end)


def _goal(case):
    if case.per_second_goal is not None:
        return f"{case.per_second_goal:g} {case.unit}s/s"
    return "" if case.goal is None else f"ratio {case.goal:g}"


def _share_of_machine(case, seconds):
    """Our rate against that of one large product of matrices."""
    if not case.operations:
        return ""
    ours, possible = case.operations / seconds, operations.machine_rate()
    return f"{ours / 1e9:.0f} of {possible / 1e9:.0f} GFLOP/s ({ours / possible:.0%})"


def _seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
