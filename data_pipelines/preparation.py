"""One record of a shard -> one example of a batch: decoded, resized, augmented."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines import augment
from pixel2mesh_jax.geometry import depth as depth_maps
from pixel2mesh_jax.structures import VolumeTarget

# Fields of a record that belong to its view volume.
VOLUME = VolumeTarget._fields


class Recipe(NamedTuple):
    """How a record becomes an example of a batch.

    Attributes:
      image_size: pixels; the records are resized.
      num_points: surface points per example.
      depth_source: "rendered" or "estimated".
      seed: of the augmentation.
      color_jitter: amount of brightness, contrast and saturation jitter, 0 = none.
      flip: whether to mirror half of the examples.
      voxels: whether the example has the occupancy of the record.
      volume: whether it has the signed distances of the record.
    """

    image_size: int
    num_points: int
    depth_source: str
    seed: int = 0
    color_jitter: float = 0.0
    flip: bool = False
    voxels: bool = False
    volume: bool = False


def preparation(
    features: tfds.features.FeaturesDict, recipe: Recipe
) -> Callable[[tf.Tensor, dict], dict[str, tf.Tensor]]:
    """Returns the function (number, record) -> fields of `Batch`, and `flipped`.

    Args:
      features: of the records, whose images are still encoded.
      recipe: see `Recipe`. What is random depends on its seed and on the number alone.
    """

    def prepare(number, record):
        seed = tf.stack([tf.constant(recipe.seed, tf.int64), number])
        jitter_seed, flip_seed, point_seed = tf.unstack(tf.random.split(seed, 3))
        rgba = tf.cast(features["rgba"].decode_example(record["rgba"]), tf.float32)
        rgb, alpha = rgba[..., :3] / 255, rgba[..., 3:] / 255
        depth = _depth(features, record, alpha, recipe.depth_source)
        if recipe.color_jitter:
            rgb = augment.jitter_colors(rgb, alpha, recipe.color_jitter, jitter_seed)
        rgb, mask, depth = augment.resize_view(rgb, alpha, depth, recipe.image_size)
        flipped = recipe.flip & (tf.random.stateless_uniform([], flip_seed) < 0.5)
        example = {
            "rgb": rgb,
            "depth": depth,
            "mask": mask,
            "intrinsics": record["intrinsics"],
            **augment.sample_surface(record, recipe.num_points, point_seed),
            "category": tf.cast(record["category"], tf.int32),
            "weight": tf.ones([]),
            "flipped": flipped,
        }
        if recipe.voxels:
            example["voxels"] = tf.cast(record["voxels"], tf.bool)
        if recipe.volume:
            example |= augment.flip_volume(_volume(features, record), flipped)
        return augment.flip_example(example, flipped)

    return prepare


def _volume(features, record):
    """The fields of `VolumeTarget`, decoded."""
    encoded = [name for name in VOLUME if name != "placement"]
    fields = {name: features[name].decode_example(record[name]) for name in encoded}
    return {"placement": record["placement"], **fields}


def _depth(features, record, alpha, source):
    """(S, S, 1) metres, 0 = missing; see `geometry.depth.depth_from_relative`."""
    if source == "rendered":
        return features["depth"].decode_example(record["depth"])[..., None]
    estimated = features["estimated"].decode_example(record["estimated"])
    relative = tf.cast(estimated, tf.float32)[..., None]
    inverse = depth_maps.RELATIVE_OFFSET + depth_maps.RELATIVE_SLOPE * relative
    return tf.where(alpha >= depth_maps.COVERED, 1 / inverse, 0.0)
