"""Finished objects on disk, so that a build can be killed and started again.

One npz file (no pickle) per object, written under a temporary name, brought to the disk
and then renamed: a file that is there is complete. One that is damaged all the same is
built again.
"""

import functools
import hashlib
import io
import pathlib
import zipfile
from collections.abc import Iterator

import numpy as np

from data_pipelines.building import records, worker_pool
from data_pipelines.building.options import Item, Options
from data_pipelines.building.results import BuildResult, MakeExamples, attempt
from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.errors import InputError

# What numpy and zipfile raise on a file that is empty, cut off or overwritten.
_DAMAGE = (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile)


def key_of(item: Item) -> str:
    """32 hexadecimal digits that change when the object or one of its files does."""
    return hashlib.sha256(repr(item).encode()).hexdigest()[:32]


def path_of(folder: pathlib.Path, item: Item) -> pathlib.Path:
    """Where the finished object lies or will lie."""
    return folder / f"{key_of(item)}.npz"


def build_missing(
    folder: pathlib.Path,
    items: list[Item],
    make_examples: MakeExamples,
    options: Options,
    workers: int,
) -> Iterator[BuildResult]:
    """Builds the objects that are not there yet.

    Args:
      folder: of the cache.
      items: any number of objects; those that are there are skipped.
      make_examples: importable function that builds one object.
      options: second argument of `make_examples`.
      workers: processes; with 1, this one does the work, see `worker_pool.run`.

    Yields:
      What became of every object, in any order.

    Raises:
      OSError: the disk is full or not writable; nothing more is begun then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = []
    for item in items:
        result = _finished(folder, item)
        if result is None:
            missing.append(item)
        else:
            yield result
    build = functools.partial(
        _build, folder=folder, make_examples=make_examples, options=options
    )
    place_of = functools.partial(path_of, folder)
    yield from worker_pool.run(missing, build, place_of, workers)


def load(folder: pathlib.Path, item: Item) -> Iterator[tuple[str, dict]]:
    """Key and features of all views of a finished object.

    Raises:
      InputError: the file is damaged; it is removed, so that it will be built again.
    """
    path = path_of(folder, item)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files}
    except _DAMAGE as error:
        path.unlink(missing_ok=True)
        raise InputError(
            f"the finished object {item.object_id} was damaged on the disk ({error}); "
            "the same command builds it again"
        ) from error
    for view in content["view"]:
        prefix = f"{view}/"
        fields = {
            name.removeprefix(prefix): array
            for name, array in content.items()
            if name.startswith(prefix)
        }
        yield records.record(fields, item.category, item.object_id, int(view))


def _finished(folder, item):
    """What became of an object that lies there, or None."""
    path = path_of(folder, item)
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            views, points = len(arrays["view"]), int(arrays["points"])
            warnings = tuple(arrays["warnings"].tolist())
    except _DAMAGE:
        return None
    return BuildResult(item.split, item.object_id, views, warnings, points=points)


def _build(item, *, folder, make_examples, options):
    path = path_of(folder, item)
    note = worker_pool.note_of(path)
    note.touch()
    try:
        examples, result = attempt(item, make_examples, options)
        if not result.failure:
            _save(path, examples, result)
    finally:  # reached unless the process dies
        note.unlink(missing_ok=True)
    return result


def _save(path, examples, result):
    arrays = {
        "view": np.array([example.view_index for example in examples], np.int64),
        "warnings": np.array(result.warnings, np.str_),
        "points": np.array(result.points),
    }
    for example in examples:
        for name, array in records.arrays_of(example).items():
            arrays[f"{example.view_index}/{name}"] = array
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_atomically(path, content.getvalue())
