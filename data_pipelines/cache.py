"""Finished objects on disk, so that a build can be killed and started again.

One npz file (no pickle) per object, written under a temporary name and then renamed: a
file that is there is complete.
"""

import hashlib
import io
import logging
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import threading
from collections.abc import Iterator
from concurrent import futures

import numpy as np

from data_pipelines import records
from data_pipelines.outcomes import MakeExamples, Outcome, attempt
from data_pipelines.views import Item, Options
from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.errors import InputError


def path_of(folder: pathlib.Path, item: Item) -> pathlib.Path:
    """Where the finished object lies or will lie."""
    return folder / f"{hashlib.sha256(repr(item).encode()).hexdigest()[:32]}.npz"


def fill(
    folder: pathlib.Path,
    items: list[Item],
    make_examples: MakeExamples,
    options: Options,
    workers: int,
) -> Iterator[Outcome]:
    """Builds the objects that are not there yet.

    Args:
      folder: of the cache.
      items: any number of objects; those that are there are skipped.
      make_examples: importable function that builds one object.
      options: second argument of `make_examples`.
      workers: processes; with 1, this one does the work.

    Yields:
      What became of every object, in any order.

    Raises:
      InputError: a worker process died (out of memory); the message says what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = []
    for item in items:
        if path_of(folder, item).exists():
            yield _finished(folder, item)
        else:
            missing.append(item)
    if workers == 1 or len(missing) < 2:
        for item in missing:
            yield _build(folder, item, make_examples, options)
        return
    context = multiprocessing.get_context("spawn")
    with futures.ProcessPoolExecutor(workers, context, _start_worker) as pool:
        jobs = [
            pool.submit(_build, folder, item, make_examples, options)
            for item in missing
        ]
        try:
            for job in futures.as_completed(jobs):
                yield job.result()
        except futures.process.BrokenProcessPool as error:
            raise InputError(
                "a worker process was killed, perhaps for lack of memory; run the same "
                "command with fewer --workers to go on from here"
            ) from error


def load(folder: pathlib.Path, item: Item) -> Iterator[tuple[str, dict]]:
    """Key and features of all views of a finished object."""
    with np.load(path_of(folder, item), allow_pickle=False) as arrays:
        for view in arrays["view"]:
            prefix = f"{view}/"
            names = [name for name in arrays.files if name.startswith(prefix)]
            fields = {name.removeprefix(prefix): arrays[name] for name in names}
            yield records.record(fields, item.category, item.object_id, int(view))


def _finished(folder, item):
    with np.load(path_of(folder, item), allow_pickle=False) as arrays:
        views, warnings = len(arrays["view"]), tuple(arrays["warnings"].tolist())
    return Outcome(item.split, item.object_id, views, warnings)


def _build(folder, item, make_examples, options):
    examples, outcome = attempt(item, make_examples, options)
    if not outcome.failure:
        _save(path_of(folder, item), examples, outcome.warnings)
    return outcome


def _save(path, examples, warnings):
    arrays = {
        "view": np.array([example.view_index for example in examples], np.int64),
        "warnings": np.array(warnings, np.str_),
    }
    for example in examples:
        for name, array in records.arrays_of(example).items():
            arrays[f"{example.view_index}/{name}"] = array
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_atomically(path, content.getvalue())


def _start_worker():
    """Makes a worker quiet, and end when the build is killed."""
    logging.getLogger("trimesh").setLevel(logging.ERROR)
    parent = multiprocessing.parent_process()

    def watch():
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
