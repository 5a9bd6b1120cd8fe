"""Writes views of a dataset as files, as a user would bring them.

    python -m data_pipelines.export procedural_shapes --count 3 --output views

Every view becomes `<name>.png` (RGBA), `<name>_depth.png` (16 bit, millimetres; only
if the dataset has depth) and `<name>_camera.json` (pinhole matrix, pixels). Other files
are never overwritten; the same command again is without effect.
"""

import argparse
import collections
import io
import json
import pathlib
import sys
from collections.abc import Iterator

import numpy as np
from PIL import Image

from data_pipelines import tensorflow_extra  # noqa: F401

# isort: split
from data_pipelines import input_pipeline
from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.errors import InputError

MILLIMETRES = 1000  # per metre


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0, or 2 after one line about what is wrong."""
    options = _parse(arguments)
    try:
        views = read_views(options.name, options.data_dir, options.split, options.count)
        for name, view in views:
            write_view(pathlib.Path(options.output), name, view)
    except (InputError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def read_views(
    name: str, data_dir: str, split: str, count: int
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """(file name, decoded record) of `count` views, evenly spread over the split.

    The names are those of the objects without their suffix, numbered where two objects
    would share one (`chair/a.glb` and `chair/a.obj`).
    """
    given = collections.Counter()
    for record in input_pipeline.decoded_records(name, data_dir, split, count):
        object_id = record["object_id"].decode().replace("/", "_")
        view_name = f"{pathlib.Path(object_id).stem}_{record['view']:02d}"
        given[view_name] += 1
        again = given[view_name]
        yield view_name if again == 1 else f"{view_name}-{again}", record


def write_view(folder: pathlib.Path, name: str, record: dict[str, np.ndarray]) -> None:
    """Writes the files of one view.

    Raises:
      InputError: another file of that name is there; nothing of the view is written.
    """
    files = {f"{name}{suffix}": content for suffix, content in _files_of(record)}
    for file_name, content in files.items():
        path = folder / file_name
        if path.exists() and path.read_bytes() != content:
            raise InputError(
                f"{path} is there already and is another file; choose another --output "
                "or delete it"
            )
    for file_name, content in files.items():
        write_atomically(folder / file_name, content)


def _files_of(record):
    """(end of the name, content) of the files of a view."""
    yield ".png", _png(record["rgba"])
    camera = {"intrinsics": record["intrinsics"].tolist()}
    yield "_camera.json", json.dumps(camera).encode()
    if record["depth"].any():
        depth = np.round(record["depth"] * MILLIMETRES)
        if depth.max() > np.iinfo(np.uint16).max:
            raise InputError(
                f"a depth of {record['depth'].max():.1f} m does not fit into 16-bit "
                "millimetres"
            )
        yield "_depth.png", _png(depth.astype(np.uint16))


def _png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="dataset, a folder of --data_dir")
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--split", default="test")
    parser.add_argument("--count", type=int, default=3, help="how many views")
    parser.add_argument("--output", required=True, help="folder, made if missing")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
