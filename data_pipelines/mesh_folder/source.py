"""Which objects a folder of mesh files holds, and how one becomes records."""

import collections
import pathlib

from data_pipelines.views import SPLITS, Item, Options, examples_of_surface, split_of
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import meshes
from pixel2mesh_jax.structures import Example


def find_items(source: pathlib.Path) -> tuple[list[Item], dict[str, int]]:
    """Lists the mesh files of `source/<split>/<category>/` or `source/<category>/`.

    Without split folders, objects are split by the hash of their name.

    Returns:
      The objects in order of their paths, and the number of other files by suffix.

    Raises:
      InputError: no such folder, split folders beside others, or no mesh file.
    """
    if not source.is_dir():
        raise InputError(f"--source {source}: no such folder")
    items, ignored = [], collections.Counter()
    for split, category in _categories(source):
        for path in sorted(category.iterdir()):
            if path.suffix.lower() in meshes.LOAD_SUFFIXES and path.is_file():
                items.append(_item(path, split, category.name))
            else:
                ignored[path.suffix.lower() or path.name] += 1
    if not items:
        valid = ", ".join(meshes.LOAD_SUFFIXES)
        raise InputError(
            f"--source {source}: no mesh files; expected <category>/* or "
            f"<split>/<category>/* with one of {valid}"
        )
    return items, dict(sorted(ignored.items()))


def make_examples(item: Item, options: Options) -> list[Example]:
    """Reads, normalises and renders one file. Raises InputError if it cannot."""
    surface = meshes.load_surface(item.files[0])
    return examples_of_surface(meshes.normalize(surface, options.up), item, options)


def _categories(source):
    """(split or None, folder) of every category folder."""
    folders = _folders(source)
    splits = [folder for folder in folders if folder.name in SPLITS]
    if not splits:
        return [(None, folder) for folder in folders]
    if len(splits) != len(folders):
        others = ", ".join(f.name for f in folders if f.name not in SPLITS)
        raise InputError(
            f"--source {source}: folders {others} stand beside the split folders; "
            f"expected only {', '.join(SPLITS)}"
        )
    return [(split.name, folder) for split in splits for folder in _folders(split)]


def _folders(parent):
    return sorted(
        path
        for path in parent.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    )


def _item(path, split, category):
    object_id = f"{category}/{path.name}"
    status = path.stat()
    return Item(
        split=split or split_of(object_id),
        category=category,
        object_id=object_id,
        files=(str(path.resolve()),),
        stamp=f"{status.st_size}-{status.st_mtime_ns}",
    )
