"""What all data made from ShapeNet share: class names, published splits, renderings."""

import collections
import csv
import json
import pathlib

import numpy as np
from jaxtyping import UInt8

from data_pipelines.building.options import SPLITS, split_of
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import images

# Names of the 13 synsets that the papers use.
PAPER_SYNSETS = {
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
# All synsets of ShapeNetCore v1 and v2, the 13 first.
SYNSETS = PAPER_SYNSETS | {
    "02747177": "trash_bin",
    "02773838": "bag",
    "02801938": "basket",
    "02808440": "bathtub",
    "02818832": "bed",
    "02834778": "bicycle",
    "02843684": "birdhouse",
    "02858304": "boat",
    "02871439": "bookshelf",
    "02876657": "bottle",
    "02880940": "bowl",
    "02924116": "bus",
    "02942699": "camera",
    "02946921": "can",
    "02954340": "cap",
    "02992529": "cellphone",
    "03046257": "clock",
    "03085013": "keyboard",
    "03207941": "dishwasher",
    "03261776": "earphone",
    "03325088": "faucet",
    "03337140": "file_cabinet",
    "03467517": "guitar",
    "03513137": "helmet",
    "03593526": "jar",
    "03624134": "knife",
    "03642806": "laptop",
    "03710193": "mailbox",
    "03759954": "microphone",
    "03761084": "microwave",
    "03790512": "motorcycle",
    "03797390": "mug",
    "03928116": "piano",
    "03938244": "pillow",
    "03948459": "pistol",
    "03991062": "flowerpot",
    "04004475": "printer",
    "04074963": "remote_control",
    "04099429": "rocket",
    "04225987": "skateboard",
    "04330267": "stove",
    "04460130": "tower",
    "04468005": "train",
    "04554684": "washer",
}

RENDERING_SIZE = 137  # pixels, of the renderings of 3D-R2N2

# Lists of nywang16/Pixel2Mesh: lines that end in <synset>/<model>/rendering/NN.dat.
P2M_LISTS = {"train": "train_list.txt", "test": "test_list.txt"}
# Lists of facebookresearch/meshrcnn: {split: {synset: {model: [view, ...]}}}; its test
# set is that of Pixel2Mesh, its validation set 5 % of the training set.
MRCNN_LISTS = "pix2mesh_splits_val05.json"
# List of the ShapeNet retrieval contest (SHREC 2016), for all of ShapeNetCore.
SHREC_LIST = "all.csv"
ALL_VIEWS = None

# (synset, model) -> split -> numbers of the views, or ALL_VIEWS.
Splits = dict[tuple[str, str], dict[str, set[int] | None]]


def read_splits(*folders: pathlib.Path) -> Splits:
    """The first published split that lies in one of the folders; empty if none does.

    Looks for `MRCNN_LISTS`, `P2M_LISTS`, `SHREC_LIST`, in this order. Models may be in
    two splits with different views: in the published lists, eight are.

    Raises:
      InputError: a list cannot be understood.
    """
    for names, read in (
        ((MRCNN_LISTS,), _read_mrcnn),
        (tuple(P2M_LISTS.values()), _read_p2m),
        ((SHREC_LIST,), _read_shrec),
    ):
        for folder in folders:
            if any((folder / name).is_file() for name in names):
                return _read(read, folder, names)
    return {}


def split_of_view(splits: Splits, synset: str, model: str, view: int) -> str | None:
    """Split of one view of a model; None if the lists do not know it.

    Without lists (`splits` is empty), that of the model by the hash of its name.
    """
    if not splits:
        return split_of(model)
    for split, views in splits.get((synset, model), {}).items():
        if views is ALL_VIEWS or view in views:
            return split
    return None


def load_rendering(path: pathlib.Path) -> UInt8[np.ndarray, "137 137 4"]:
    """Reads a rendering of 3D-R2N2.

    Raises:
      InputError: unreadable, of another size, or fully transparent.
    """
    rgba = images.load_rgba(path)
    size = RENDERING_SIZE
    if rgba.shape[:2] != (size, size):
        raise InputError(
            f"{path}: {rgba.shape[1]}x{rgba.shape[0]} pixels, expected {size}x{size}"
        )
    if not rgba[..., 3].any():
        raise InputError(f"{path}: fully transparent, there is no object in it")
    return rgba


def _read(read, folder, names):
    try:
        return read(folder)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder}: {' or '.join(names)} is not the published list: "
            f"{type(error).__name__}: {error}"
        ) from error


def _read_mrcnn(folder):
    splits = collections.defaultdict(dict)
    content = json.loads((folder / MRCNN_LISTS).read_text())
    for split in SPLITS:
        for synset, models in content.get(split, {}).items():
            for model in models:
                views = set(models[model]) if isinstance(models, dict) else ALL_VIEWS
                splits[synset, model][split] = views
    return dict(splits)


def _read_p2m(folder):
    splits = collections.defaultdict(dict)
    for split, name in P2M_LISTS.items():
        path = folder / name
        for line in path.read_text().split() if path.is_file() else ():
            synset, model, _, view = pathlib.PurePosixPath(line).parts[-4:]
            number = int(pathlib.PurePosixPath(view).stem)
            splits[synset, model].setdefault(split, set()).add(number)
    return dict(splits)


def _read_shrec(folder):
    with (folder / SHREC_LIST).open(newline="") as file:
        return {
            (row["synsetId"], row["modelId"]): {row["split"]: ALL_VIEWS}
            for row in csv.DictReader(file)
        }
