"""What a batch may hold: one line per field of `structures.Batch`.

A new field is a line of `FIELDS`, an attribute of `Batch` and, unless records have it
already, a feature of `shards.features`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_datasets as tfds

from pixel2mesh_jax.errors import InputError


def _same(array):
    return array


def _flip_x(vectors):
    return vectors * tf.constant([-1.0, 1.0, 1.0])


def _flip_placement(placement):
    return placement * tf.constant([-1.0, 1, 1, 1, 1])


def _flip(axis):
    return lambda array: tf.reverse(array, [axis])


class FieldSource(NamedTuple):
    """Where a field of a batch comes from.

    Attributes:
      source: what makes it: "view" (resized image), "surface" and "queries" (rows
        drawn anew for every example), "record" (its one feature, as it is).
      shape: of one example; S = image size, P = surface points, Q = queries, R = voxels
        per side.
      dtype: in the batch.
      features: of a record, all that have to be decoded. The depth of a view may come
        from "estimated" instead.
      mirrored: the field of the view mirrored left-right. Those of intrinsics are made
        by `camera.flip_intrinsics`, after the batch is put together.
      option: of `data_pipelines.build` that adds the features; "" if they are always
        there.
    """

    source: str
    shape: str
    dtype: tf.DType
    features: tuple[str, ...]
    mirrored: Callable[[tf.Tensor], tf.Tensor] = _same
    option: str = ""


_volume = functools.partial(FieldSource, "record", option="--volume N")
_query = functools.partial(FieldSource, "queries", option="--num_queries N")
FIELDS = {
    "rgb": FieldSource("view", "S S 3", tf.float32, ("rgba",), _flip(1)),
    "depth": FieldSource("view", "S S", tf.float32, ("rgba", "depth"), _flip(1)),
    "mask": FieldSource("view", "S S", tf.float32, ("rgba",), _flip(1)),
    "intrinsics": FieldSource("record", "3 3", tf.float32, ("intrinsics",)),
    "points": FieldSource("surface", "P 3", tf.float32, ("points",), _flip_x),
    "normals": FieldSource(
        "surface", "P 3", tf.float32, ("points", "normals"), _flip_x
    ),
    "colors": FieldSource("surface", "P 3", tf.float32, ("points", "colors")),
    "category": FieldSource("record", "", tf.int32, ("category",)),
    "voxels": FieldSource(
        "record", "R R R", tf.bool, ("voxels",), _flip(2), "--voxels N"
    ),
    "placement": _volume("5", tf.float32, ("placement",), _flip_placement),
    "distances": _volume("R R L", tf.int8, ("distances",), _flip(1)),
    "far_colors": _volume("R R 3", tf.uint8, ("far_colors",), _flip(1)),
    "query_points": _query("Q 3", tf.float32, ("query_points",), _flip_x),
    "query_distances": _query("Q", tf.float32, ("query_distances",)),
    "query_colors": _query("Q 3", tf.float32, ("query_colors",)),
}
ALWAYS = ("category",)  # and the weight, which is of the batch and not of the records
DEFAULT = ("rgb", "depth", "mask", "intrinsics", "points", "normals", "colors")


def check(names: Sequence[str], features: tfds.features.FeaturesDict) -> None:
    """Raises InputError if a field is unknown or the records lack its features."""
    for name in names:
        if name not in FIELDS:
            raise InputError(
                f"Unknown field {name!r} of a batch; valid: {', '.join(FIELDS)}."
            )
        lacking = [key for key in FIELDS[name].features if key not in features]
        if lacking:
            raise InputError(
                f"The records have no {', '.join(lacking)}, which the field {name!r} "
                f"needs; build the data set with {FIELDS[name].option}."
            )


def all_of(features: tfds.features.FeaturesDict) -> tuple[str, ...]:
    """The default fields, and the optional ones whose rows need not be drawn."""
    optional = [
        name
        for name, field in FIELDS.items()
        if field.option
        and field.source == "record"
        and features.keys() >= set(field.features)
    ]
    return (*DEFAULT, *optional)


def features_of(names: Sequence[str], depth_source: str) -> set[str]:
    """Features of a record that the fields need.

    Args:
      names: of the fields.
      depth_source: "rendered" or "estimated", see `datasets.choose_depth`.
    """
    needed = {feature for name in names for feature in FIELDS[name].features}
    if depth_source == "estimated" and "depth" in needed:
        needed = needed - {"depth"} | {"estimated"}
    return needed
