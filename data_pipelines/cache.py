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
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import NamedTuple

import numpy as np
from PIL import Image

from data_pipelines.views import Item, Options
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import meshes
from pixel2mesh_jax.structures import Example

MakeExamples = Callable[[Item, Options], list[Example]]


class Failure(NamedTuple):
    """An object that could not be built, and why."""

    item: Item
    reason: str


def path_of(folder: pathlib.Path, item: Item) -> pathlib.Path:
    """Where the finished object lies or will lie."""
    return folder / f"{hashlib.sha256(repr(item).encode()).hexdigest()[:32]}.npz"


def fill(
    folder: pathlib.Path,
    items: list[Item],
    make_examples: MakeExamples,
    options: Options,
    workers: int,
) -> Iterator[Failure | None]:
    """Builds the objects that are not there yet.

    Args:
      folder: of the cache.
      items: any number of objects; those that are there are skipped.
      make_examples: importable function that builds one object.
      options: second argument of `make_examples`.
      workers: processes; with 1, this one does the work.

    Yields:
      Per object, in any order: None, or the reason why it could not be built.

    Raises:
      InputError: a worker process died (out of memory); the message says what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [item for item in items if not path_of(folder, item).exists()]
    yield from [None] * (len(items) - len(missing))
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


def load(folder: pathlib.Path, item: Item) -> Iterator[dict]:
    """Features of all views of a finished object, see `shards.features`."""
    with np.load(path_of(folder, item), allow_pickle=False) as arrays:
        for view in arrays["view"]:
            prefix = f"{view}/"
            names = [name for name in arrays.files if name.startswith(prefix)]
            fields = {name.removeprefix(prefix): arrays[name] for name in names}
            yield {
                **fields,
                "rgba": io.BytesIO(fields["rgba"].tobytes()),
                "category": item.category,
                "object_id": item.object_id,
                "view": int(view),
            }


def count(folder: pathlib.Path, item: Item) -> int:
    """Number of views of a finished object."""
    with np.load(path_of(folder, item), allow_pickle=False) as arrays:
        return len(arrays["view"])


def _build(folder, item, make_examples, options):
    try:
        examples = make_examples(item, options)
    except InputError as error:
        return Failure(item, str(error))
    except Exception as error:  # one bad object must not stop the others
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return Failure(item, reason)
    _save(path_of(folder, item), examples)
    return None


def _save(path, examples):
    arrays = {"view": np.array([example.view_index for example in examples])}
    for example in examples:
        for name, array in _arrays_of(example).items():
            arrays[f"{example.view_index}/{name}"] = array
    content = io.BytesIO()
    np.savez(content, **arrays)
    meshes.write_atomically(path, content.getvalue())


def _arrays_of(example: Example) -> dict[str, np.ndarray]:
    """The features of an example, see `shards.features`; the picture as PNG bytes."""
    view, surface, field = example.view, example.surface, example.field
    png = io.BytesIO()
    Image.fromarray(view.rgba).save(png, "PNG")
    arrays = {
        "rgba": np.frombuffer(png.getvalue(), np.uint8),
        "depth": view.depth,
        "intrinsics": view.intrinsics,
        "points": surface.points,
        "normals": surface.normals.astype(np.float16),
        "colors": surface.colors,
    }
    if view.estimated is not None:
        arrays["estimated"] = view.estimated.astype(np.float16)
    if example.voxels is not None:
        arrays["voxels"] = example.voxels.astype(np.uint8)
    if field is not None:
        arrays["query_points"] = field.points
        arrays["query_distances"] = field.distances
        arrays["query_colors"] = field.colors
    return arrays


def _start_worker():
    """Makes a worker quiet, and end when the build is killed."""
    logging.getLogger("trimesh").setLevel(logging.ERROR)
    parent = multiprocessing.parent_process()

    def watch():
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
