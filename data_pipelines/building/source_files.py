"""What a data set was built from, so that a source that has changed is noticed."""

import json
from collections.abc import Sequence

from etils import epath

from data_pipelines.building import cache
from data_pipelines.building.options import Item

FILE_NAME = "source_files.json"  # beside the shards
_NAMED = 3  # objects per kind of change


def write(folder: epath.PathLike, items: Sequence[Item]) -> None:
    """Writes what the objects of a source were, by name."""
    stamps = {_name(item): cache.key_of(item) for item in items}
    text = json.dumps(stamps, indent=0, sort_keys=True) + "\n"
    (epath.Path(folder) / FILE_NAME).write_text(text)


def differences(folder: epath.PathLike, items: Sequence[Item]) -> str:
    """How the objects of a source differ from those that were built; "" if not at all.

    Files are told apart by size or time of their last change, as the source says.
    """
    path = epath.Path(folder) / FILE_NAME
    if not path.exists():
        return ""
    there = json.loads(path.read_text())
    here = {_name(item): cache.key_of(item) for item in items}
    kinds = {
        "added": here.keys() - there.keys(),
        "removed": there.keys() - here.keys(),
        "changed": {name for name in here if there.get(name, here[name]) != here[name]},
    }
    return "; ".join(_say(kind, names) for kind, names in kinds.items() if names)


def _name(item):
    return f"{item.split}/{item.object_id}"


def _say(kind, names):
    some = sorted(names)[:_NAMED]
    more = ["..."] if len(names) > _NAMED else []
    return f"{len(names)} {kind} ({', '.join([*some, *more])})"
