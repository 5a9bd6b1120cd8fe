"""Objects built by processes, some of which may die.

Readers, ray casters and winding numbers are libraries in C++: a bad file can take the
process along. Whoever builds an object leaves a note beside its place in the cache and
takes it away afterwards, so a note that stays behind names an object that was in flight
when a process died. Such objects are built again one at a time, in a process of their
own: the innocent are built, and one that takes that process along too has failed.
"""

import logging
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures

from data_pipelines.building.options import Item
from data_pipelines.building.results import BuildResult
from pixel2mesh_jax.errors import InputError

DIED = (
    "the process that built it died, twice: a library crashed on it, or the memory did "
    "not suffice"
)

_USELESS = "the worker processes end before they build anything; --workers 1 shows why"

Build = Callable[[Item], BuildResult]  # picklable where there are processes


def note_of(place: pathlib.Path) -> pathlib.Path:
    """The note that says that the object of this place is being built."""
    return place.with_suffix(".building")


def run(
    items: Sequence[Item],
    build: Build,
    place_of: Callable[[Item], pathlib.Path],
    workers: int,
) -> Iterator[BuildResult]:
    """Builds objects, those that were in flight at a death last.

    Args:
      items: objects.
      build: builds one object, and holds its note meanwhile.
      place_of: where the finished object will lie.
      workers: processes; with 1, this one does the work as long as nothing dies.

    Yields:
      What became of every object, in any order.

    Raises:
      InputError: processes cannot be started.
      Exception: what `build` raises; nothing more is begun then.
    """
    notes = {item: note_of(place_of(item)) for item in items}
    suspects = [item for item in items if notes[item].exists()]
    waiting = [item for item in items if item not in suspects]
    if workers == 1 or len(waiting) < 2:
        yield from map(build, waiting)
        waiting = []
    while waiting:
        broken = []
        yield from _together(waiting, build, workers, broken)
        in_flight = [item for item in broken if notes[item].exists()]
        if len(broken) == len(waiting) and not in_flight:
            raise InputError(_USELESS)
        suspects += in_flight
        waiting = [item for item in broken if item not in in_flight]
    yield from _one_by_one(suspects, build, notes)


def _together(items, build, workers, broken):
    """Results; puts into `broken` what was not built because a process died."""
    with _pool(workers) as pool:
        jobs = {pool.submit(build, item): item for item in items}
        try:
            for job in futures.as_completed(jobs):
                try:
                    result = job.result()
                except futures.process.BrokenProcessPool:
                    broken.append(jobs[job])
                else:
                    yield result
        except BaseException:  # also when the caller gives up
            pool.shutdown(cancel_futures=True)
            raise


def _one_by_one(items, build, notes):
    """Results; the death of the process is one."""
    left = list(items)
    while left:
        with _pool(1) as pool:
            try:
                while left:
                    notes[left[0]].unlink(missing_ok=True)
                    yield pool.submit(build, left[0]).result()
                    del left[0]
            except futures.process.BrokenProcessPool:
                item = left.pop(0)
                if not notes[item].exists():
                    raise InputError(_USELESS) from None
                yield BuildResult(item.split, item.object_id, failure=DIED)


def _pool(workers):
    context = multiprocessing.get_context("spawn")
    return futures.ProcessPoolExecutor(workers, context, _start_worker)


def _start_worker():
    """Makes a worker quiet, deaf to Ctrl-C, and end when the build is killed."""
    logging.getLogger("trimesh").setLevel(logging.ERROR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the build, which ends the workers
    parent = multiprocessing.parent_process()

    def watch():
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
