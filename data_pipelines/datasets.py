"""Which datasets are on disk and what they offer."""

import logging
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow_datasets as tfds

from pixel2mesh_jax.errors import InputError

Path = str | pathlib.Path

# TFDS warns its own callers that it will rename an attribute of its own.
logging.getLogger("absl").addFilter(
    lambda record: "`FeatureConnector.dtype` is deprecated" not in record.getMessage()
)


class DatasetInfo(NamedTuple):
    """What a dataset on disk offers.

    Attributes:
      name: name of the folder and of the builder.
      categories: names; `Batch.category` indexes them.
      has_depth: whether the views carry depth.
      has_colors: whether the surface points carry colours.
      num_examples: views per split.
    """

    name: str
    categories: tuple[str, ...]
    has_depth: bool
    has_colors: bool
    num_examples: dict[str, int]


def dataset_info(name: str, data_dir: Path) -> DatasetInfo:
    """Describes a built dataset; raises InputError if it is not in `data_dir`."""
    info = open_dataset(name, data_dir).info
    return DatasetInfo(
        name=name,
        categories=tuple(info.features["category"].names),
        has_depth=bool(info.metadata["has_depth"]),
        has_colors=bool(info.metadata["has_colors"]),
        num_examples={key: split.num_examples for key, split in info.splits.items()},
    )


def check_has(info: DatasetInfo, require: Sequence[str]) -> None:
    """Raises InputError if the dataset lacks one of "depth", "colors"."""
    offers = {"depth": info.has_depth, "colors": info.has_colors}
    for need in require:
        if not offers[need]:
            valid = [key for key, has in offers.items() if has] or ["nothing"]
            raise InputError(
                f"Dataset '{info.name}' has no {need}, which the configuration needs; "
                f"beside rgb it has: {', '.join(valid)}."
            )


def open_dataset(name: str, data_dir: Path) -> tfds.core.DatasetBuilder:
    """The newest version of a dataset; raises InputError if it is not there."""
    folder = pathlib.Path(data_dir)
    versions = [path.parent for path in folder.glob(f"{name}/*/dataset_info.json")]
    versions = [path for path in versions if tfds.core.Version.is_valid(path.name)]
    if not versions:
        raise InputError(_missing_dataset(name, folder))
    newest = max(versions, key=lambda path: tfds.core.Version(path.name))
    return tfds.builder_from_directory(newest)


def _missing_dataset(name: str, folder: pathlib.Path) -> str:
    found = sorted({path.parts[-3] for path in folder.glob("*/*/dataset_info.json")})
    source = "" if name == "procedural_shapes" else " --source DIR"
    return (
        f"Dataset '{name}' was not found in '{folder}'. Build it with: "
        f"python -m data_pipelines.build {name}{source} --data_dir {folder} "
        f"(datasets there: {', '.join(found) or 'none'})"
    )
