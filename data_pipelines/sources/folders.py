"""How a user's folder is divided: `<split>/<category>/` or `<category>/`."""

import pathlib

from data_pipelines.building.options import SPLITS
from pixel2mesh_jax.errors import InputError


def category_folders(source: pathlib.Path) -> list[tuple[str | None, pathlib.Path]]:
    """(split, folder) of every category, in the order of their names.

    Args:
      source: folder of category folders (their split is None), or of split folders.

    Raises:
      InputError: no such folder, or other folders beside those of the splits.
    """
    if not source.is_dir():
        raise InputError(f"--source {source}: no such folder")
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
