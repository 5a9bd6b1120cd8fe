"""One record of a shard -> one example of a batch: decoded, resized, augmented."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines.streaming import augment, fields
from pixel2mesh_jax.geometry import depth as depth_maps


class ExampleSettings(NamedTuple):
    """How a record becomes an example of a batch.

    Attributes:
      fields: names of `fields.FIELDS`; nothing else is decoded.
      image_size: pixels; the records are resized.
      num_points: surface points per example.
      depth_source: "rendered" or "estimated".
      seed: of the augmentation.
      color_jitter: amount of brightness, contrast and saturation jitter, 0 = none.
      flip: whether to mirror half of the examples.
      num_queries: query points per example; None = all that the record has.
    """

    fields: tuple[str, ...]
    image_size: int
    num_points: int
    depth_source: str
    seed: int = 0
    color_jitter: float = 0.0
    flip: bool = False
    num_queries: int | None = None


def preparation(
    features: tfds.features.FeaturesDict, settings: ExampleSettings
) -> Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]:
    """Returns the function (number, record) -> fields of an example, and `flipped`.

    The record is the serialized `tf.train.Example`. What is random depends on the seed
    of the settings and on the number alone, not on the fields that are asked for.

    Args:
      features: of the records.
      settings: see `ExampleSettings`.
    """
    names = (*fields.ALWAYS, *settings.fields)
    parse = parser(features, fields.features_of(names, settings.depth_source))

    def prepare(number, serialized):
        record = parse(serialized)
        seed = tf.stack([tf.constant(settings.seed, tf.int64), number])
        jitter_seed, flip_seed, point_seed = tf.unstack(tf.random.split(seed, 3))
        flipped = tf.random.stateless_uniform([], flip_seed) < 0.5
        if not settings.flip:
            flipped = tf.zeros_like(flipped)
        made = {}
        if _from("view", names):
            made |= _view(record, settings, jitter_seed)
        if _from("surface", names):
            made |= augment.sample_surface(record, settings.num_points, point_seed)
        if _from("queries", names):
            made |= augment.sample_queries(record, settings.num_queries, point_seed)
        for name in _from("record", names):
            made[name] = record[fields.FIELDS[name].features[0]]
        return {**_finish(made, names, flipped), "flipped": flipped}

    return prepare


def parser(
    features: tfds.features.FeaturesDict, names: set[str]
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Returns the function that decodes these features of a record and no others."""
    wanted = tfds.features.FeaturesDict({name: features[name] for name in names})
    return wanted.deserialize_example


def _from(source, names):
    return [name for name in names if fields.FIELDS[name].source == source]


def _finish(made, names, flipped):
    """The fields in their type, mirrored where `flipped` is true."""
    example = {}
    for name in names:
        field = fields.FIELDS[name]
        value = tf.cast(made[name], field.dtype)
        example[name] = tf.cond(
            flipped, functools.partial(field.mirrored, value), lambda value=value: value
        )
    return example


def _view(record, settings, seed):
    """Colours, coverage and, if it is asked for, depth of the resized image."""
    rgba = tf.cast(record["rgba"], tf.float32)
    rgb, alpha = rgba[..., :3] / 255, rgba[..., 3:] / 255
    if settings.color_jitter:
        rgb = augment.jitter_colors(rgb, alpha, settings.color_jitter, seed)
    depth = _depth(record, alpha) if "depth" in settings.fields else None
    rgb, mask, depth = augment.resize_view(rgb, alpha, depth, settings.image_size)
    return {"rgb": rgb, "mask": mask, "depth": depth}


def _depth(record, alpha):
    """(S, S, 1) metres, 0 = missing; see `geometry.depth.depth_from_relative`."""
    if "depth" in record:
        return record["depth"][..., None]
    relative = tf.cast(record["estimated"], tf.float32)[..., None]
    inverse = depth_maps.RELATIVE_OFFSET + depth_maps.RELATIVE_SLOPE * relative
    return tf.where(alpha >= depth_maps.COVERED, 1 / inverse, 0.0)
