"""Which objects the released Pixel2Mesh data holds, and how one becomes records."""

import collections
import os
import pathlib
import re

import numpy as np

from data_pipelines.views import Item, Options, split_of
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.io import dat, images
from pixel2mesh_jax.structures import Example, SurfaceSamples, View

# Names of the 13 synsets of ShapeNetCore v1 that the papers use.
SYNSETS = {
    "02691156": "airplane",
    "02828884": "bench",
    "02933112": "cabinet",
    "02958343": "car",
    "03001627": "chair",
    "03211117": "display",
    "03636649": "lamp",
    "03691459": "speaker",
    "04090263": "rifle",
    "04256520": "sofa",
    "04379243": "table",
    "04401088": "phone",
    "04530566": "watercraft",
}
CATEGORIES = tuple(SYNSETS.values())
IMAGE_SIZE = 137  # pixels, of the renderings of 3D-R2N2
# Files of the release that say which views belong to which split.
SPLIT_LISTS = {"train": "train_list.txt", "test": "test_list.txt"}


def find_items(source: pathlib.Path) -> tuple[list[Item], dict[str, int]]:
    """Lists the models of `source/<synset>/<model>/rendering/NN.dat`.

    Views belong to the split that `train_list.txt` and `test_list.txt` in `source` say;
    without these files, models are split by the hash of their name.

    Returns:
      The objects in order of their paths, and the number of other files by kind.

    Raises:
      InputError: no such folder, or no samples in it.
    """
    if not source.is_dir():
        raise InputError(f"--source {source}: no such folder")
    lists = _read_lists(source)
    objects, ignored = collections.defaultdict(list), collections.Counter()
    for path in sorted(source.glob("*/*/rendering/*.dat")):
        synset, model, _, name = path.parts[-4:]
        split = lists.get((synset, model, name)) if lists else split_of(model)
        if synset not in SYNSETS:
            ignored[f"samples of the unknown synset {synset}"] += 1
        elif not re.fullmatch(r"\d+", path.stem):
            ignored["samples whose name is not the number of a view"] += 1
        elif split is None:
            ignored["samples that are in neither split list"] += 1
        else:
            objects[split, synset, model].append(path)
    if not objects:
        raise InputError(
            f"--source {source}: no samples; expected "
            "<synset>/<model>/rendering/NN.dat with a synset of " + ", ".join(SYNSETS)
        )
    return [_item(*key, paths) for key, paths in objects.items()], dict(ignored)


def make_examples(item: Item, options: Options) -> list[Example]:
    """Reads all views of a model. Raises InputError if one cannot be read."""
    del options
    return [_example(item, pathlib.Path(file)) for file in item.files]


def _example(item, path):
    points, normals = dat.load_points(path)
    picture = path.with_suffix(".png")
    rgba = images.load_rgba(picture)
    if rgba.shape[:2] != (IMAGE_SIZE, IMAGE_SIZE):
        raise InputError(
            f"{picture}: {rgba.shape[1]}x{rgba.shape[0]} pixels, "
            f"expected {IMAGE_SIZE}x{IMAGE_SIZE}"
        )
    if not rgba[..., 3].any():
        raise InputError(f"{picture}: fully transparent, there is no object in it")
    view = View(
        rgba=rgba,
        depth=np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32),
        intrinsics=camera.r2n2_intrinsics(IMAGE_SIZE),
    )
    surface = SurfaceSamples(points, normals, np.zeros((0, 3), np.uint8))
    return Example(view, surface, item.category, item.object_id, int(path.stem))


def _read_lists(source) -> dict[tuple[str, str, str], str]:
    """Split of every (synset, model, file name) of the lists; empty without lists."""
    lists = {}
    for split, name in SPLIT_LISTS.items():
        path = source / name
        if path.is_file():
            for line in path.read_text().split():
                synset, model, _, view = pathlib.PurePosixPath(line).parts[-4:]
                lists[synset, model, view] = split
    return lists


def _item(split, synset, model, paths):
    files = tuple(str(path.resolve()) for path in paths)
    status = [os.stat(file) for file in files]
    return Item(
        split=split,
        category=SYNSETS[synset],
        object_id=f"{synset}/{model}",
        files=files,
        stamp="-".join(str(file.st_mtime_ns) for file in status),
    )
