"""Which datasets are on disk and what they offer."""

import json
import logging
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow_datasets as tfds

from data_pipelines.building.options import REPORT_NAME, VERSION
from pixel2mesh_jax.errors import InputError

Path = str | pathlib.Path
DEPTH_SOURCES = ("auto", "rendered", "estimated")

# TFDS warns its own callers that it will rename an attribute of its own.
logging.getLogger("absl").addFilter(
    lambda record: "`FeatureConnector.dtype` is deprecated" not in record.getMessage()
)


class DatasetInfo(NamedTuple):
    """What a dataset on disk offers.

    Attributes:
      name: name of the folder and of the builder.
      categories: names; `Batch.category` indexes them.
      has_depth: whether the views carry measured or rendered depth.
      has_estimated: whether the views carry estimated depth.
      has_points: whether the true shape is known, as surface points.
      has_colors: whether the surface points carry colours.
      num_examples: views per split.
      max_points: the largest number of surface points of a view.
    """

    name: str
    categories: tuple[str, ...]
    has_depth: bool
    has_estimated: bool
    has_points: bool
    has_colors: bool
    num_examples: dict[str, int]
    max_points: int


def dataset_info(name: str, data_dir: Path) -> DatasetInfo:
    """Describes a built dataset; raises InputError if it is not in `data_dir`."""
    info = open_dataset(name, data_dir).info
    return DatasetInfo(
        name=name,
        categories=tuple(info.features["category"].names),
        has_depth=bool(info.metadata["has_depth"]),
        has_estimated="estimated" in info.features,
        has_points=bool(info.metadata["has_points"]),
        has_colors=bool(info.metadata["has_colors"]),
        num_examples={key: split.num_examples for key, split in info.splits.items()},
        max_points=int(info.metadata["max_points"]),
    )


def check_has(info: DatasetInfo, require: Sequence[str]) -> None:
    """Raises InputError if the dataset lacks one of "depth", "points", "colors"."""
    offers = {
        "depth": info.has_depth or info.has_estimated,
        "points": info.has_points,
        "colors": info.has_colors,
    }
    for need in require:
        if not offers[need]:
            valid = [key for key, has in offers.items() if has] or ["nothing"]
            raise InputError(
                f"Dataset '{info.name}' has no {need}, which the configuration needs; "
                f"beside rgb it has: {', '.join(valid)}."
            )


def choose_depth(info: DatasetInfo, source: str) -> str:
    """Which depth the batches hold: "rendered" or "estimated".

    Args:
      info: of the dataset.
      source: one of `DEPTH_SOURCES`. "auto" is rendered (or measured) depth if there is
        some, else estimated depth.

    Raises:
      InputError: unknown source, or the dataset lacks it.
    """
    has = {"rendered": info.has_depth, "estimated": info.has_estimated}
    if source == "auto":
        only_estimated = info.has_estimated and not info.has_depth
        return "estimated" if only_estimated else "rendered"
    if source not in has:
        valid = ", ".join(DEPTH_SOURCES)
        raise InputError(f"Unknown depth_source {source!r}; valid: {valid}.")
    if not has[source]:
        raise InputError(
            f"Dataset '{info.name}' has no {source} depth, as depth_source asks; "
            f"it has: {', '.join(name for name in has if has[name]) or 'none'}."
        )
    return source


def open_dataset(name: str, data_dir: Path) -> tfds.core.DatasetBuilder:
    """The newest version of a dataset that this program reads.

    Raises:
      InputError: it is not there, or only as written by an older or newer program.
    """
    folder = pathlib.Path(data_dir)
    versions = [path.parent for path in folder.glob(f"{name}/*/dataset_info.json")]
    versions = [path for path in versions if tfds.core.Version.is_valid(path.name)]
    if not versions:
        raise InputError(_missing_dataset(name, folder))
    readable = [path for path in versions if _major(path) == VERSION.split(".")[0]]
    if not readable:
        raise InputError(_other_version(name, max(versions, key=_version)))
    return tfds.builder_from_directory(max(readable, key=_version))


def _version(path):
    return tfds.core.Version(path.name)


def _major(path):
    return str(_version(path).major)


def _missing_dataset(name, folder):
    from data_pipelines.building import (
        job,  # slow to import, for no more than this message
    )

    found = sorted({path.parts[-3] for path in folder.glob("*/*/dataset_info.json")})
    there = f"(datasets there: {', '.join(found) or 'none'})"
    missing = f"Dataset '{name}' was not found in '{folder}'"
    if name not in job.DATA_SETS:
        known = ", ".join(job.DATA_SETS)
        return f"{missing}; those that can be built: {known} {there}"
    return f"{missing}. Build it with: {job.command(name, folder)} {there}"


def _other_version(name, path):
    """Says how to build a dataset again, as it was built before."""
    from data_pipelines.building import job

    text = (
        f"Dataset '{name}' in '{path}' has records of version {path.name}; this "
        f"program reads version {VERSION}."
    )
    if name not in job.DATA_SETS:
        return text
    report = {}
    if (path / REPORT_NAME).is_file():
        report = json.loads((path / REPORT_NAME).read_text())
    command = job.command(
        name, path.parents[1], report.get("source"), report.get("options", {})
    )
    return f"{text} Build it again with: {command}"
