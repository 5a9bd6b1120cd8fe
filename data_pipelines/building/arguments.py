"""What the command line of `data_pipelines.build` offers, in groups."""

import argparse
import pathlib

from etils import epath

from data_pipelines.building.options import DEPTHS, SPLITS, Options
from data_pipelines.depth_estimation import estimators
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import units


def add_source(parser: argparse.ArgumentParser) -> None:
    """Where the data comes from."""
    parser.add_argument("--source", type=pathlib.Path, required=True, help="folder")


def add_counts(parser: argparse.ArgumentParser) -> None:
    """How many procedural shapes."""
    for split, count in zip(SPLITS, Options().objects, strict=True):
        parser.add_argument(
            f"--{split}",
            type=_natural,
            default=count,
            help=f"objects per category (default {count})",
        )


def add_up(parser: argparse.ArgumentParser) -> None:
    """How mesh files are to be read."""
    parser.add_argument(
        "--up", choices=("y", "z"), default="y", help="axis that points up in the files"
    )


def add_size(parser: argparse.ArgumentParser) -> None:
    """How large the images are."""
    parser.add_argument(
        "--size", type=int, choices=(137, 224), default=Options().size, help="pixels"
    )


def add_measured(parser: argparse.ArgumentParser) -> None:
    """How measured depth and masks are to be read."""
    parser.add_argument(
        "--depth_unit",
        type=_depth_unit,
        default=Options().depth_unit,
        metavar="UNIT",
        help=f"metres per value of the depth maps, or {', '.join(units.UNITS)} "
        "(default: what the camera file says, else mm for integers and m for floats)",
    )
    parser.add_argument(
        "--label",
        type=_natural,
        default=Options().label,
        metavar="N",
        help="value of the object in the masks (default: the largest area)",
    )


def add_renderings(parser: argparse.ArgumentParser) -> None:
    """Where images of models lie."""
    parser.add_argument(
        "--renderings",
        type=_folder,
        default=Options().renderings,
        metavar="DIR",
        help="renderings of 3D-R2N2, <synset>/<model>/rendering/NN.png "
        "(default: those in --source; none there: rendered here)",
    )


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Which annotated objects of a photo are of use."""
    for name in ("truncated", "occluded"):
        parser.add_argument(
            f"--{name}",
            action="store_true",
            help=f"take {name} objects as well (default: skip them)",
        )


def add_views(parser: argparse.ArgumentParser) -> None:
    """How many images are rendered."""
    parser.add_argument(
        "--views",
        type=_positive,
        default=Options().views,
        help="images per object",
    )


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Of images that are rendered here, and points that are drawn here."""
    default = Options()
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


def add_solids(parser: argparse.ArgumentParser) -> None:
    """Of what is known about the inside of a model."""
    default = Options()
    parser.add_argument(
        "--voxels",
        type=_grid,
        default=default.voxels,
        metavar="N",
        help="adds the occupancy of N x N x N voxels of the view volume (Mesh R-CNN: "
        "48)",
    )
    parser.add_argument(
        "--volume",
        type=_grid,
        default=default.volume,
        metavar="N",
        help="adds the signed distances in N x N x N cells around the visible object, "
        "for configs/rgbd_sdf.py (64)",
    )
    parser.add_argument(
        "--num_queries",
        type=_natural,
        default=default.num_queries,
        metavar="N",
        help="adds N points per object with signed distance and colour, for implicit "
        "models",
    )
    parser.add_argument(
        "--uniform_queries",
        type=_share,
        default=default.uniform_queries,
        metavar="SHARE",
        help="of these points, from 0 to 1, anywhere around the object; the others are "
        f"near its surface (default {default.uniform_queries:.3f}, as DeepSDF; with "
        "0.3 an implicit model leaves no loose parts far away, docs/ladder.md)",
    )


def check_queries(parser: argparse.ArgumentParser, values: dict) -> None:
    """Ends the program if there are no points to be mixed."""
    usual = Options().uniform_queries
    if values.get("uniform_queries", usual) != usual and not values["num_queries"]:
        parser.error("--uniform_queries is a share of --num_queries N, which is 0")


def add_depth(parser: argparse.ArgumentParser) -> None:
    """What the records say about depth."""
    parser.add_argument(
        "--depth",
        choices=DEPTHS,
        default=Options().depth,
        help="what the records hold: depth of the scene, of --estimator, or both",
    )
    parser.add_argument(
        "--estimator",
        type=_estimator,
        default=Options().estimator,
        metavar="NETWORK",
        help=f"for --depth estimated or both: {estimators.NETWORKS}",
    )


def check_depth(parser: argparse.ArgumentParser, values: dict) -> None:
    """Ends the program if depth and its estimator do not go together."""
    estimated, named = values["depth"] != "rendered", values["estimator"] != "none"
    if estimated and not named:
        parser.error(
            f"--depth {values['depth']} needs --estimator {estimators.NETWORKS}"
        )
    if named and not estimated:
        parser.error("--estimator needs --depth estimated or --depth both")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Where the shards go, and who makes them."""
    parser.add_argument(
        "--data_dir", type=_data_dir, required=True, help="where to write"
    )
    parser.add_argument(
        "--workers", type=_positive, help="processes (default: one per core)"
    )
    parser.add_argument(
        "--beam_pipeline_options",
        default="",
        metavar="NAME=VALUE,...",
        help="build on Apache Beam with these pipeline options, as in `tfds build`",
    )


def check_output(parser: argparse.ArgumentParser, values: dict) -> None:
    """Ends the program if the workers are not those of the build."""
    on_beam = bool(values["beam_pipeline_options"])
    if on_beam and values["workers"] is not None:
        parser.error(
            "--workers is of a build without Beam; with --beam_pipeline_options say "
            "direct_num_workers=N or what your runner calls it"
        )
    if not on_beam and not isinstance(values["data_dir"], pathlib.Path):
        parser.error(
            f"--data_dir {values['data_dir']} is remote: give --beam_pipeline_options, "
            "or build into a local folder and copy it"
        )


def _data_dir(text):
    """A local folder, or one of a cloud (gs://, s3://)."""
    return epath.Path(text) if "://" in text else pathlib.Path(text).absolute()


def _estimator(text):
    try:
        return estimators.resolve(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _depth_unit(text):
    try:
        units.parse(text) if text else None
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _folder(text):
    """Absolute path; "" (the default, which argparse converts too) stays empty."""
    return str(pathlib.Path(text).absolute()) if text else text


def _positive(text):
    return _integer(text, 1)


def _natural(text):
    return _integer(text, 0)


def _grid(text):
    """Voxels per side: 0 for none, else at least the two ends of the volume."""
    return 0 if text == "0" else _integer(text, 2)


def _share(text):
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return share


def _integer(text, minimum):
    if not text.isdecimal() or int(text) < minimum:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number of at least {minimum}"
        )
    return int(text)
