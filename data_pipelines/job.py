"""The command line of `data_pipelines.build`: which data set, from where, how."""

import argparse
import hashlib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from data_pipelines.views import SPLITS, VERSION, Options


class Job(NamedTuple):
    """What a command line asks for.

    Attributes:
      name: of the data set.
      data_dir: the shards go to `data_dir/name/VERSION`.
      source: folder, None for procedural data.
      options: see `views.Options`.
      workers: processes.
    """

    name: str
    data_dir: pathlib.Path
    source: pathlib.Path | None
    options: Options
    workers: int

    @property
    def shards(self) -> pathlib.Path:
        return self.data_dir / self.name / VERSION

    @property
    def cache(self) -> pathlib.Path:
        key = json.dumps([self.name, str(self.source), self.options._asdict()])
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        return self.data_dir / ".cache" / f"{self.name}-{digest}"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message):
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def parse(arguments: Sequence[str] | None) -> Job:
    """Reads the command line; ends the program with code 2 if it is wrong."""
    parser = _Parser(
        prog="python -m data_pipelines.build",
        description="Builds a data set of views for training.",
    )
    names = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    for name, (text, groups) in DATA_SETS.items():
        sub = names.add_parser(name, help=text)
        for add_arguments in (*groups, _add_output_arguments):
            add_arguments(sub)
    return _job(vars(parser.parse_args(arguments)))


def _add_source_argument(parser):
    parser.add_argument("--source", type=pathlib.Path, required=True, help="folder")


def _add_count_arguments(parser):
    for split, count in zip(SPLITS, Options().objects, strict=True):
        parser.add_argument(
            f"--{split}",
            type=_natural,
            default=count,
            help=f"objects per category (default {count})",
        )


def _add_up_argument(parser):
    parser.add_argument(
        "--up", choices=("y", "z"), default="y", help="axis that points up in the files"
    )


def _add_size_argument(parser):
    parser.add_argument(
        "--size", type=int, choices=(137, 224), default=Options().size, help="pixels"
    )


def _add_render_arguments(parser):
    """Of pictures that are rendered here, and points that are drawn here."""
    default = Options()
    parser.add_argument(
        "--views", type=_positive, default=default.views, help="pictures per object"
    )
    parser.add_argument(
        "--num_points",
        type=_positive,
        default=default.num_points,
        help="surface points per object",
    )
    parser.add_argument(
        "--seed",
        type=_natural,
        default=default.seed,
        help="of cameras, points and shapes",
    )


def _add_output_arguments(parser):
    parser.add_argument(
        "--data_dir", type=pathlib.Path, required=True, help="where to write"
    )
    parser.add_argument(
        "--workers", type=_positive, default=os.cpu_count(), help="processes"
    )


# Name -> one line of help, and what its command line offers.
DATA_SETS = {
    "procedural_shapes": (
        "shapes from formulas",
        (_add_count_arguments, _add_size_argument, _add_render_arguments),
    ),
    "mesh_folder": (
        "any folder of mesh files",
        (
            _add_source_argument,
            _add_up_argument,
            _add_size_argument,
            _add_render_arguments,
        ),
    ),
    "p2m_shapenet": ("the released Pixel2Mesh data", (_add_source_argument,)),
}


def _job(values):
    options = {name: values[name] for name in Options._fields if name in values}
    if values["name"] == "procedural_shapes":
        options["objects"] = tuple(values[split] for split in SPLITS)
    return Job(
        name=values["name"],
        data_dir=values["data_dir"].absolute(),
        source=values["source"].absolute() if "source" in values else None,
        options=Options(**options),
        workers=values["workers"],
    )


def _positive(text):
    return _integer(text, 1)


def _natural(text):
    return _integer(text, 0)


def _integer(text, minimum):
    if not text.isdecimal() or int(text) < minimum:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number of at least {minimum}"
        )
    return int(text)
