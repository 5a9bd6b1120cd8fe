"""Shards on disk -> deterministic, sharded, prefetched numpy batches.

The training data is one endless stream of examples: epoch after epoch, each a
permutation seeded by (seed, epoch). Batch s holds the examples
[s * batch_size, (s + 1) * batch_size) of that stream, so batches cross epochs, no
example is dropped and a dataset may be smaller than a batch. Augmentation is seeded by
(seed, number of the example in the stream). Hence a batch depends on (seed, step)
alone, whether a run started there or got there.

TFDS writes the examples in random order and the shuffle buffer holds
`SHUFFLE_BUFFER` encoded examples: the permutation is uniform for datasets up to
that size and local beyond it.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines.datasets import (
    Path,
    check_has,
    choose_depth,
    dataset_info,
    open_dataset,
)
from data_pipelines.preparation import VOLUME, Recipe, preparation
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.structures import Batch, VolumeTarget

tf.config.set_visible_devices([], "GPU")  # the accelerator belongs to JAX

SHUFFLE_BUFFER = 2048  # examples; about 0.25 MB each with 10,000 points
# Features that stay compressed until the example is known to be used.
ENCODED = ("rgba", "depth", "estimated", "distances", "far_colors")


def train_batches(
    name: str,
    data_dir: Path,
    *,
    split: str = "train",
    batch_size: int,
    image_size: int,
    num_points: int,
    seed: int,
    start_step: int = 0,
    color_jitter: float = 0.0,
    flip: bool = False,
    process_index: int = 0,
    process_count: int = 1,
    depth_source: str = "auto",
    require: Sequence[str] = (),
    volume: bool = False,
) -> Iterator[Batch]:
    """Endless batches for training; the order is a function of (seed, step).

    Args:
      name: of the dataset, a folder of `data_dir`.
      data_dir: where `data_pipelines.build` wrote it.
      split: which examples.
      batch_size: over all processes; each yields its contiguous part of every batch.
      image_size: pixels; the records are resized.
      num_points: surface points per example, drawn anew in every epoch.
      seed: of order and augmentation.
      start_step: the first batch to yield.
      color_jitter: amount of brightness, contrast and saturation jitter, 0 = none.
      flip: whether to mirror half of the examples, geometry and camera included.
      process_index: of this process.
      process_count: must divide `batch_size`.
      depth_source: of `Batch.depth`; see `datasets.choose_depth`.
      require: "depth", "colors": what the dataset must have.
      volume: whether the examples have `Batch.volume`.

    Raises:
      InputError: the dataset or split does not exist, is empty or lacks something;
        the true shape is always needed.
    """
    if batch_size % process_count:
        raise InputError(
            f"batch_size {batch_size} cannot be divided among {process_count} "
            f"processes; choose a multiple of {process_count}."
        )
    info = dataset_info(name, data_dir)
    check_has(info, ("points", *require))
    builder = open_dataset(name, data_dir)
    if volume and "distances" not in builder.info.features:
        raise InputError(
            f"Dataset '{name}' has no signed distances, which the configuration needs; "
            "build it with --volume 64."
        )
    depth = choose_depth(info, depth_source)
    recipe = Recipe(
        image_size, num_points, depth, seed, color_jitter, flip, volume=volume
    )
    local = batch_size // process_count
    numbered = _stream(builder, split, seed, start_step * batch_size)
    numbered = numbered.filter(
        lambda number, _: number % batch_size // local == process_index
    )
    dataset = numbered.map(
        preparation(builder.info.features, recipe),
        tf.data.AUTOTUNE,
        deterministic=True,
    )
    dataset = dataset.batch(local, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
    return _as_batches(dataset, builder, image_size)


def eval_batches(
    name: str,
    data_dir: Path,
    *,
    split: str,
    batch_size: int,
    image_size: int,
    num_points: int | None = None,
    limit: int | None = None,
    depth_source: str = "auto",
) -> Iterator[Batch]:
    """One pass over a split in the order of the shards, without augmentation.

    The last batch is filled up with the first example at weight 0.

    Args:
      name: of the dataset, a folder of `data_dir`.
      data_dir: where `data_pipelines.build` wrote it.
      split: which examples.
      batch_size: examples per batch.
      image_size: pixels; the records are resized.
      num_points: surface points per example. None keeps all; where the counts differ,
        the largest is taken and smaller sets repeat points at random.
      limit: at most so many examples, evenly spread over the split.
      depth_source: of `Batch.depth`; see `datasets.choose_depth`.

    Raises:
      InputError: the dataset or split does not exist, is empty or lacks that depth.
    """
    builder = open_dataset(name, data_dir)
    depth = choose_depth(dataset_info(name, data_dir), depth_source)
    records = _selected(builder, split, limit)
    if num_points is None:
        num_points = _largest_point_count(records)
    count = _selected_count(builder, split, limit)
    filling = records.take(1).repeat(-count % batch_size)
    features = builder.info.features
    voxels = "voxels" in features
    prepare = preparation(
        features, Recipe(image_size, num_points, depth, voxels=voxels)
    )
    dataset = records.concatenate(filling).map(
        prepare, tf.data.AUTOTUNE, deterministic=True
    )
    dataset = dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)
    return (
        batch._replace(weight=_weight(step * batch_size, batch_size, count))
        for step, batch in enumerate(_as_batches(dataset, builder, image_size))
    )


def example_ids(
    name: str, data_dir: Path, *, split: str, limit: int | None = None
) -> list[tuple[str, int]]:
    """(object_id, view) of the examples of `eval_batches`, in the same order."""
    records = _selected(open_dataset(name, data_dir), split, limit)
    ids = records.map(lambda _, example: (example["object_id"], example["view"]))
    return [
        (object_id.decode(), int(view)) for object_id, view in ids.as_numpy_iterator()
    ]


def decoded_records(
    name: str, data_dir: Path, split: str, limit: int
) -> Iterator[dict[str, np.ndarray]]:
    """Whole records, `limit` of them evenly spread over the split.

    Raises:
      InputError: the dataset or split does not exist or is empty.
    """
    builder = open_dataset(name, data_dir)
    features = builder.info.features
    for _, record in _selected(builder, split, limit):
        images = {
            key: features[key].decode_example(record[key]) for key in _encoded(features)
        }
        yield {key: value.numpy() for key, value in (record | images).items()}


def _records(builder: tfds.core.DatasetBuilder, split: str) -> tf.data.Dataset:
    """The records of a split in the order of the shards, images still encoded."""
    splits = builder.info.splits
    if split not in splits:
        raise InputError(
            f"Dataset '{builder.name}' has no split '{split}'; "
            f"valid: {', '.join(splits)}."
        )
    if not splits[split].num_examples:
        raise InputError(f"Split '{split}' of dataset '{builder.name}' is empty.")
    skip = tfds.decode.SkipDecoding()
    return builder.as_dataset(
        split=split,
        decoders=dict.fromkeys(_encoded(builder.info.features), skip),
        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
    )


def _encoded(features):
    return [key for key in ENCODED if key in features]


def _stream(
    builder: tfds.core.DatasetBuilder, split: str, seed: int, start: int
) -> tf.data.Dataset:
    """(number, record) of the endless stream, from number `start` on."""
    records = _records(builder, split)
    count = builder.info.splits[split].num_examples

    def epoch_records(epoch):
        shuffle_seed = tf.random.stateless_uniform(
            [], tf.stack([tf.constant(seed, tf.int64), epoch]), None, None, tf.int64
        )
        return records.shuffle(min(count, SHUFFLE_BUFFER), shuffle_seed)

    epochs = tf.data.Dataset.counter(start // count)
    stream = epochs.flat_map(epoch_records).skip(start % count)
    return stream.enumerate(start)


def _selected(
    builder: tfds.core.DatasetBuilder, split: str, limit: int | None
) -> tf.data.Dataset:
    """(number, record) of a split, or of `limit` of them evenly spread."""
    records = _records(builder, split).enumerate()
    total = builder.info.splits[split].num_examples
    count = _selected_count(builder, split, limit)
    return records.filter(lambda number, _: number * count % total < count)


def _selected_count(
    builder: tfds.core.DatasetBuilder, split: str, limit: int | None
) -> int:
    total = builder.info.splits[split].num_examples
    return total if limit is None else min(limit, total)


def _largest_point_count(records: tf.data.Dataset) -> int:
    largest = records.reduce(
        0, lambda most, item: tf.maximum(most, tf.shape(item[1]["points"])[0])
    )
    return int(largest)


def _as_batches(
    dataset: tf.data.Dataset, builder: tfds.core.DatasetBuilder, image_size: int
) -> Iterator[Batch]:
    """Numpy batches; the cameras follow the resized and mirrored images."""
    height, width = builder.info.features["rgba"].shape[:2]
    for fields in dataset.as_numpy_iterator():
        flipped = fields.pop("flipped")[:, None, None]
        intrinsics = camera.resize_intrinsics(
            fields.pop("intrinsics"), image_size / width, image_size / height
        )
        volume = {key: fields.pop(key) for key in VOLUME if key in fields}
        if volume:
            fields["volume"] = VolumeTarget(**volume)
        mirrored = camera.flip_intrinsics(intrinsics, image_size)
        yield Batch(intrinsics=np.where(flipped, mirrored, intrinsics), **fields)


def _weight(first: int, batch_size: int, count: int) -> np.ndarray:
    """1 for the examples first, first + 1, ... that are below `count`, else 0."""
    return (np.arange(first, first + batch_size) < count).astype(np.float32)
