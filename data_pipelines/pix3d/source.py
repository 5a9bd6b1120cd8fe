"""Which annotations of Pix3D are of use, and how one becomes a record."""

import collections
import json
import pathlib

import numpy as np

from data_pipelines.building.examples import examples_of_images
from data_pipelines.building.options import Item, Options, split_of
from data_pipelines.pix3d import crops
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import limits, meshes
from pixel2mesh_jax.structures import Example

ANNOTATIONS = "pix3d.json"
CATEGORIES = (
    "bed",
    "bookcase",
    "chair",
    "desk",
    "misc",
    "sofa",
    "table",
    "tool",
    "wardrobe",
)
# Published splits of facebookresearch/meshrcnn; the first that is there counts. S1
# divides the images at random, S2 so that no model of the test set is in training.
SPLIT_LISTS = (
    {"train": "pix3d_s1_train.json", "test": "pix3d_s1_test.json"},
    {"train": "pix3d_s2_train.json", "test": "pix3d_s2_test.json"},
)
# What an annotation says about its files, and what about the pose (`crops.Pose`).
FILES = ("img", "mask", "model")
POSE = ("rot_mat", "trans_mat", "focal_length", "bbox", "img_size")
# Flags that stand for a choice of the user; "slightly" counts as occluded, as in the
# evaluation lists of Pix3D.
FLAGS = {"truncated": ("truncated",), "occluded": ("occluded", "slightly_occluded")}


def find_items(
    source: pathlib.Path, options: Options
) -> tuple[list[Item], dict[str, int]]:
    """Lists the annotated objects of `source/pix3d.json`.

    Objects belong to the split that published lists say (`SPLIT_LISTS`); without them,
    models are split by the hash of their name, so that no model is in two splits.

    Args:
      source: folder.
      options: `truncated` and `occluded` say whether to take such objects.

    Returns:
      The objects in the order of the file, and the number of others by reason.

    Raises:
      InputError: no such folder, no annotations, or none of use.
    """
    lists = _read_lists(source)
    items, ignored = [], collections.Counter()
    for row, annotation in enumerate(_read_json(source / ANNOTATIONS, list)):
        if reason := _reason_to_skip(annotation, options):
            ignored[reason] += 1
        elif split := _split(annotation, lists):
            items.append(_item(source, split, row, annotation))
        else:
            ignored["objects that are in no split list"] += 1
    if not items:
        found = ", ".join(f"{count} {reason}" for reason, count in ignored.items())
        raise InputError(
            f"{source / ANNOTATIONS}: no objects of use; found {found or 'nothing'}"
        )
    return items, dict(ignored)


def make_examples(item: Item, options: Options) -> list[Example]:
    """Cuts one object out of its photo. Raises InputError if it cannot."""
    photo, mask, model = (pathlib.Path(file) for file in item.files)
    pose = crops.check_pose(json.loads(item.details))
    rgba = crops.load_photo(photo, mask, pose.size)
    surface = meshes.load_surface(model)
    image = crops.image(rgba, surface, pose, options.size)
    examples = examples_of_images(meshes.normalize(surface), [image], item, options)
    # the colours of the models are not those of the photos
    no_colors = np.zeros((0, 3), np.uint8)
    return [
        example._replace(surface=example.surface._replace(colors=no_colors))
        for example in examples
    ]


def _read_lists(source) -> dict[str, str]:
    """Split of every image of the published lists; empty without lists."""
    for names in SPLIT_LISTS:
        paths = {split: source / name for split, name in names.items()}
        if all(path.is_file() for path in paths.values()):
            return {
                image["file_name"]: split
                for split, path in paths.items()
                for image in _read_json(path, dict).get("images", ())
            }
    return {}


def _read_json(path, kind):
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    limits.check_bytes(path, limits.MAX_ANNOTATION_BYTES)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise InputError(f"{path}: not a JSON file: nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{path}: not a JSON file: {error}") from None
    if not isinstance(content, kind):
        raise InputError(f"{path}: expected a {kind.__name__} at the top")
    return content


def _split(annotation, lists) -> str | None:
    return lists.get(annotation["img"]) if lists else split_of(annotation["model"])


def _reason_to_skip(annotation, options):
    if not isinstance(annotation, dict):
        return "annotations that are no objects"
    if any(not isinstance(annotation.get(key), str) for key in FILES):
        return f"annotations without {', '.join(FILES)}"
    if not all(_stays_inside(annotation[key]) for key in FILES):
        return "annotations of files outside of the folder"
    if annotation.get("category") not in CATEGORIES:
        return f"objects of the unknown category {annotation.get('category')!r}"
    for choice, flags in FLAGS.items():
        flagged = any(annotation.get(flag) in (True, "true") for flag in flags)
        if flagged and not getattr(options, choice):
            return f"{choice} objects (--{choice} takes them)"
    return None


def _stays_inside(name):
    """Whether a path of an annotation is relative and never climbs."""
    path = pathlib.PurePosixPath(name.replace("\\", "/"))
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _item(source, split, row, annotation):
    files = [source / annotation[key] for key in FILES]
    stamps = [path.stat().st_mtime_ns for path in files if path.is_file()]
    return Item(
        split=split,
        category=annotation["category"],
        object_id=f"{annotation['img']}:{row}",  # an image may show two objects
        files=tuple(str(path.absolute()) for path in files),
        stamp="-".join(str(stamp) for stamp in stamps),
        details=json.dumps({key: annotation.get(key) for key in POSE}),
    )
