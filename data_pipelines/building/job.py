"""The command line of `data_pipelines.build`: which data set, from where, how."""

import hashlib
import json
import os
import pathlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from etils import epath

from data_pipelines.building import arguments
from data_pipelines.building.options import SPLITS, VERSION, Options
from data_pipelines.depth_estimation import estimators
from pixel2mesh_jax.command_line import Parser


class Job(NamedTuple):
    """What a command line asks for.

    Attributes:
      name: of the data set.
      data_dir: the shards go to `data_dir/name/VERSION`.
      source: folder, None for procedural data.
      options: see `options.Options`.
      workers: processes of a build without Beam.
      beam_pipeline_options: what to tell Apache Beam; empty for a build without it.
    """

    name: str
    data_dir: pathlib.Path | epath.Path
    source: pathlib.Path | None
    options: Options
    workers: int
    beam_pipeline_options: str = ""

    @property
    def shards(self) -> pathlib.Path | epath.Path:
        return self.data_dir / self.name / VERSION

    @property
    def cache(self) -> pathlib.Path:
        key = json.dumps([self.name, str(self.source), self.options._asdict()])
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        return self.data_dir / ".cache" / f"{self.name}-{digest}"

    @property
    def lock(self) -> pathlib.Path:
        return self.data_dir / ".cache" / f"{self.name}.lock"


def parse(command_line: Sequence[str] | None) -> Job:
    """Reads the command line; ends the program with code 2 if it is wrong."""
    parser = Parser(
        prog="python -m data_pipelines.build",
        description="Builds a data set of views for training.",
    )
    names = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name, (text, groups) in DATA_SETS.items():
        sub = names.add_parser(name, help=text)
        for add_arguments in (*groups, arguments.add_depth, arguments.add_output):
            add_arguments(sub)
    values = vars(parser.parse_args(command_line))
    arguments.check_depth(parser, values)
    arguments.check_output(parser, values)
    arguments.check_queries(parser, values)
    return _job(values)


def command(
    name: str,
    data_dir: pathlib.Path,
    source: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> str:
    """The command line that builds a data set.

    Args:
      name: one of `DATA_SETS`.
      data_dir: where to write.
      source: folder; None where it is not known, which is then called DIR.
      options: by name of `Options`; those that are missing or not offered for this
        data set keep their default.
    """
    words = ["python", "-m", "data_pipelines.build", name]
    if name != "procedural_shapes":
        words += ["--source", source or "DIR"]
    words += ["--data_dir", str(data_dir)]
    defaults = Options()._asdict()
    for key, value in (options or {}).items():
        if key in defaults and key != "estimator_stamp" and value != defaults[key]:
            words += _flags(key, value)
    return shlex.join(words)


def _flags(key, value):
    """An option as words of a command line."""
    if key == "objects":
        pairs = zip(SPLITS, value, Options().objects, strict=True)
        return [f"--{split}={count}" for split, count, usual in pairs if count != usual]
    return [f"--{key}"] if value is True else [f"--{key}", str(value)]


def _job(values):
    options = {name: values[name] for name in Options._fields if name in values}
    if values["name"] == "procedural_shapes":
        options["objects"] = tuple(values[split] for split in SPLITS)
    options["estimator_stamp"] = estimators.stamp(values["estimator"])
    return Job(
        name=values["name"],
        data_dir=values["data_dir"],
        source=values["source"].absolute() if "source" in values else None,
        options=Options(**options),
        workers=values["workers"] or os.cpu_count(),
        beam_pipeline_options=values["beam_pipeline_options"],
    )


# Name -> one line of help, and what its command line offers.
DATA_SETS = {
    "procedural_shapes": (
        "shapes from formulas",
        (
            arguments.add_counts,
            arguments.add_size,
            arguments.add_views,
            arguments.add_sampling,
            arguments.add_solids,
        ),
    ),
    "mesh_folder": (
        "any folder of mesh files",
        (
            arguments.add_source,
            arguments.add_up,
            arguments.add_size,
            arguments.add_views,
            arguments.add_sampling,
            arguments.add_solids,
        ),
    ),
    "p2m_shapenet": ("the released Pixel2Mesh data", (arguments.add_source,)),
    "rgbd_folder": (
        "any folder of images with measured depth",
        (
            arguments.add_source,
            arguments.add_size,
            arguments.add_sampling,
            arguments.add_measured,
        ),
    ),
    "shapenet_r2n2": (
        "ShapeNetCore, with the renderings of 3D-R2N2 if there are",
        (
            arguments.add_source,
            arguments.add_renderings,
            arguments.add_size,
            arguments.add_views,
            arguments.add_sampling,
            arguments.add_solids,
        ),
    ),
    "pix3d": (
        "photos of Pix3D with aligned models",
        (
            arguments.add_source,
            arguments.add_flags,
            arguments.add_size,
            arguments.add_sampling,
            arguments.add_solids,
        ),
    ),
}
