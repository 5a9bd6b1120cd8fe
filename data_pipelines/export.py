"""Writes views of a dataset as files, as a user would bring them.

    python -m data_pipelines.export procedural_shapes --count 3 --output views

Every view becomes `<name>.png` (RGBA), `<name>_depth.png` (16 bit, millimetres; only
if the dataset has depth) and `<name>_camera.json` (pinhole matrix, pixels).
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Iterator

import numpy as np
from PIL import Image

from data_pipelines import input_pipeline
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
    """(file name, decoded record) of `count` views, evenly spread over the split."""
    for record in input_pipeline.decoded_records(name, data_dir, split, count):
        object_id = record["object_id"].decode().replace("/", "_")
        yield f"{pathlib.Path(object_id).stem}_{record['view']:02d}", record


def write_view(folder: pathlib.Path, name: str, record: dict[str, np.ndarray]) -> None:
    """Writes the files of one view."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(record["rgba"]).save(folder / f"{name}.png")
    camera = {"intrinsics": record["intrinsics"].tolist()}
    (folder / f"{name}_camera.json").write_text(json.dumps(camera), encoding="utf-8")
    if record["depth"].any():
        depth = np.round(record["depth"] * MILLIMETRES).astype(np.uint16)
        Image.fromarray(depth).save(folder / f"{name}_depth.png")


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
