"""Which objects the released Pixel2Mesh data holds, and how one becomes records."""

import collections
import os
import pathlib
import re

import numpy as np

from data_pipelines.building.options import Item, Options
from data_pipelines.sources import shapenet
from data_pipelines.sources.shapenet import PAPER_SYNSETS, RENDERING_SIZE
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import dat
from pixel2mesh_jax.structures import Example, SurfaceSamples, View

CATEGORIES = tuple(PAPER_SYNSETS.values())


def find_items(
    source: pathlib.Path, options: Options
) -> tuple[list[Item], dict[str, int]]:
    """Lists the models of `source/<synset>/<model>/rendering/NN.dat`.

    Views belong to the split that published lists in `source` say, see
    `shapenet.read_splits`; without them, models are split by the hash of their name.

    Args:
      source: folder.
      options: of no influence here.

    Returns:
      The objects in order of their paths, and the number of other files by kind.

    Raises:
      InputError: no such folder, or no samples in it.
    """
    del options
    if not source.is_dir():
        raise InputError(f"--source {source}: no such folder")
    splits = shapenet.read_splits(source)
    objects, ignored = collections.defaultdict(list), collections.Counter()
    for path in sorted(source.glob("*/*/rendering/*.dat")):
        synset, model, *_ = path.parts[-4:]
        if synset not in PAPER_SYNSETS:
            ignored[f"samples of the unknown synset {synset}"] += 1
        elif not re.fullmatch(r"\d+", path.stem):
            ignored["samples whose name is not the number of a view"] += 1
        elif split := shapenet.split_of_view(splits, synset, model, int(path.stem)):
            objects[split, synset, model].append(path)
        else:
            ignored["samples that are in no split list"] += 1
    if not objects:
        raise InputError(
            f"--source {source}: no samples; expected "
            "<synset>/<model>/rendering/NN.dat with a synset of "
            + ", ".join(PAPER_SYNSETS)
        )
    return [_item(*key, paths) for key, paths in objects.items()], dict(ignored)


def make_examples(item: Item, options: Options) -> list[Example]:
    """Reads all views of a model. Raises InputError if one cannot be read."""
    del options
    return [_example(item, pathlib.Path(file)) for file in item.files]


def _example(item, path):
    points, normals = dat.load_points(path)
    view = View(
        rgba=shapenet.load_rendering(path.with_suffix(".png")),
        depth=np.zeros((RENDERING_SIZE, RENDERING_SIZE), np.float32),
        intrinsics=camera.r2n2_intrinsics(RENDERING_SIZE),
    )
    surface = SurfaceSamples(points, normals, np.zeros((0, 3), np.uint8))
    return Example(view, surface, item.category, item.object_id, int(path.stem))


def _item(split, synset, model, paths):
    files = tuple(str(path.absolute()) for path in paths)
    status = [os.stat(file) for file in files]
    return Item(
        split=split,
        category=PAPER_SYNSETS[synset],
        object_id=f"{synset}/{model}",
        files=files,
        stamp="-".join(str(file.st_mtime_ns) for file in status),
    )
