"""Shards on disk -> deterministic, sharded, prefetched numpy batches.

A stream of numbers says which record is read next (`order`), the records are read by
random access (`record_files`), and tf.data decodes, augments and batches them in
parallel. A batch of training is a function of (seed, step) alone, whether a run started
there or got there; augmentation is seeded by (seed, number of the example in the
stream). Resuming, sharing among processes and limits cost nothing: no record is read
that does not end in a batch, and no feature is decoded that nobody asked for.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines.streaming import fields as batch_fields
from data_pipelines.streaming import order
from data_pipelines.streaming.datasets import (
    Path,
    check_has,
    choose_depth,
    dataset_info,
    open_dataset,
)
from data_pipelines.streaming.preparation import ExampleSettings, parser, preparation
from data_pipelines.streaming.record_files import Records
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.structures import Batch

tf.config.set_visible_devices([], "GPU")  # the accelerator belongs to JAX


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
    fields: Sequence[str] = batch_fields.DEFAULT,
    num_queries: int | None = None,
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
      fields: of `Batch`, see `fields.FIELDS`; the others are None.
      num_queries: query points per example, drawn anew in every epoch; None = all.

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
    settings = ExampleSettings(
        fields=tuple(fields),
        image_size=image_size,
        num_points=num_points,
        depth_source=choose_depth(info, depth_source),
        seed=seed,
        color_jitter=color_jitter,
        flip=flip,
        num_queries=num_queries,
    )
    records = Records(builder, split)
    local = batch_size // process_count
    first = start_step * batch_size + process_index * local

    def number_of(index):  # the examples of this process, batch by batch
        return first + index // local * batch_size + index % local

    def read(number):
        return records[order.record_of(int(number), len(records), seed)]

    numbers = tf.data.Dataset.counter().map(number_of)
    dataset = _examples(numbers, read, builder, settings)
    return _batches(dataset, local, builder, settings)


def eval_batches(
    name: str,
    data_dir: Path,
    *,
    split: str,
    batch_size: int,
    image_size: int,
    num_points: int | None = None,
    limit: int | None = None,
    places: Sequence[int] | None = None,
    depth_source: str = "auto",
    fields: Sequence[str] | None = None,
    process_index: int = 0,
    process_count: int = 1,
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
        the largest of the dataset is taken and smaller sets repeat points at random.
      limit: at most so many examples, evenly spread over the split.
      places: only these of those, by their number.
      depth_source: of `Batch.depth`; see `datasets.choose_depth`.
      fields: of `Batch`, see `fields.FIELDS`; the others are None. Without it: those
        of `fields.all_of`.
      process_index: of this process, which sees its contiguous part of the examples.
      process_count: parts; none if they are fewer examples than processes.

    Raises:
      InputError: the dataset or split does not exist, is empty or lacks a field.
    """
    builder, info = open_dataset(name, data_dir), dataset_info(name, data_dir)
    if fields is None:
        fields = batch_fields.all_of(builder.info.features)
    settings = ExampleSettings(
        fields=tuple(fields),
        image_size=image_size,
        num_points=num_points or info.max_points,
        depth_source=choose_depth(info, depth_source),
    )
    records = Records(builder, split)
    chosen = order.spread(len(records), limit)
    if places is not None:
        chosen = chosen[list(places)]
    mine = order.share(chosen, process_index, process_count)
    filled = np.concatenate([mine, np.repeat(mine[:1], -len(mine) % batch_size)])
    numbers = tf.data.Dataset.from_tensor_slices(filled)
    dataset = _examples(numbers, records.__getitem__, builder, settings)
    return (
        batch._replace(weight=_weight(step * batch_size, batch_size, len(mine)))
        for step, batch in enumerate(_batches(dataset, batch_size, builder, settings))
    )


def example_ids(
    name: str, data_dir: Path, *, split: str, limit: int | None = None
) -> list[tuple[str, int]]:
    """(object_id, view) of the examples of `eval_batches`, in the same order."""
    rows = _decoded(name, data_dir, split, limit, {"object_id", "view"})
    return [(row["object_id"].decode(), int(row["view"])) for row in rows]


def decoded_records(
    name: str, data_dir: Path, split: str, limit: int | None
) -> Iterator[dict[str, np.ndarray]]:
    """Whole records, `limit` of them evenly spread over the split; None = all.

    Raises:
      InputError: the dataset or split does not exist or is empty.
    """
    yield from _decoded(name, data_dir, split, limit, None)


def _decoded(name, data_dir, split, limit, features):
    builder = open_dataset(name, data_dir)
    records, known = Records(builder, split), builder.info.features
    parse = parser(known, set(known) if features is None else features)
    for index in order.spread(len(records), limit):
        row = parse(records[int(index)])
        yield {key: value.numpy() for key, value in row.items()}


def _examples(
    numbers: tf.data.Dataset,
    read: Callable[[np.int64], bytes],
    builder: tfds.core.DatasetBuilder,
    settings: ExampleSettings,
) -> tf.data.Dataset:
    """Reads and prepares the records of a stream of numbers, in its order."""
    features = builder.info.features
    batch_fields.check(settings.fields, features)
    prepare = preparation(features, settings)

    def example(number):
        record = tf.numpy_function(read, [number], tf.string, stateful=False)
        return prepare(number, tf.ensure_shape(record, []))

    return numbers.map(example, tf.data.AUTOTUNE, deterministic=True)


def _batches(
    examples: tf.data.Dataset,
    batch_size: int,
    builder: tfds.core.DatasetBuilder,
    settings: ExampleSettings,
) -> Iterator[Batch]:
    """Numpy batches; the cameras follow the resized and mirrored images."""
    height, width = builder.info.features["rgba"].shape[:2]
    scale = settings.image_size / width, settings.image_size / height
    missing = dict.fromkeys(Batch._fields)
    dataset = examples.batch(batch_size).prefetch(tf.data.AUTOTUNE)
    for found in dataset.as_numpy_iterator():
        flipped = found.pop("flipped")[:, None, None]
        if "intrinsics" in found:
            intrinsics = camera.resize_intrinsics(found["intrinsics"], *scale)
            mirrored = camera.flip_intrinsics(intrinsics, settings.image_size)
            found["intrinsics"] = np.where(flipped, mirrored, intrinsics)
        weight = np.ones(len(flipped), np.float32)
        yield Batch(**{**missing, "weight": weight, **found})


def _weight(first: int, batch_size: int, count: int) -> np.ndarray:
    """1 for the examples first, first + 1, ... that are below `count`, else 0."""
    return (np.arange(first, first + batch_size) < count).astype(np.float32)
