"""Which objects a folder of mesh files holds, and how one becomes records."""

import collections
import pathlib

from data_pipelines.building.examples import examples_of_surface
from data_pipelines.building.options import Item, Options, split_of
from data_pipelines.sources import folders
from data_pipelines.surfaces.mesh_checks import warn_of_defects
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import meshes
from pixel2mesh_jax.structures import Example


def find_items(
    source: pathlib.Path, options: Options
) -> tuple[list[Item], dict[str, int]]:
    """Lists the mesh files of `source/<split>/<category>/` or `source/<category>/`.

    Without split folders, objects are split by the hash of their name.

    Args:
      source: folder.
      options: of no influence here.

    Returns:
      The objects in order of their paths, and the number of other files by suffix.

    Raises:
      InputError: no such folder, split folders beside others, or no mesh file.
    """
    del options
    items, ignored = [], collections.Counter()
    for split, category in folders.category_folders(source):
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
    warn_of_defects(surface)
    return examples_of_surface(meshes.normalize(surface, options.up), item, options)


def _item(path, split, category):
    object_id = f"{category}/{path.name}"
    status = path.stat()
    return Item(
        split=split or split_of(object_id),
        category=category,
        object_id=object_id,
        files=(str(path.absolute()),),  # of a link, its own name and neighbours
        stamp=f"{status.st_size}-{status.st_mtime_ns}",
    )
