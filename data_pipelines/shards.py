"""The record of a shard, and the TFDS builder that all data sets share."""

import json
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from data_pipelines import cache
from data_pipelines.views import REPORT_NAME, SPLITS, VERSION, Item


def features(size: int, categories: tuple[str, ...]) -> tfds.features.FeaturesDict:
    """One view of one object; units and frames as in `pixel2mesh_jax.structures`.

    Args:
      size: width and height of the pictures.
      categories: class names.
    """
    tensor = tfds.features.Tensor
    return tfds.features.FeaturesDict(
        {
            "rgba": tfds.features.Image(
                shape=(size, size, 4),
                encoding_format="png",
                doc="straight sRGB colour and coverage",
            ),
            "depth": tensor(
                shape=(size, size),
                dtype=np.float32,
                encoding="zlib",
                doc="metres along -z, 0 = missing",
            ),
            "intrinsics": tensor(shape=(3, 3), dtype=np.float32, doc="pixels"),
            "points": tensor(
                shape=(None, 3),
                dtype=np.float32,
                encoding="bytes",
                doc="metres, camera frame",
            ),
            "normals": tensor(
                shape=(None, 3),
                dtype=np.float16,
                encoding="bytes",
                doc="unit, camera frame, sign arbitrary",
            ),
            "colors": tensor(
                shape=(None, 3),
                dtype=np.uint8,
                encoding="bytes",
                doc="sRGB at the points; no rows if the source has no colours",
            ),
            "category": tfds.features.ClassLabel(names=list(categories)),
            "object_id": tfds.features.Text(),
            "view": np.int32,
        }
    )


class DeterministicWriter(tfds.core.ExampleWriter):
    """Writes equal records as equal bytes; protobuf leaves map order to chance."""

    def write(self, path, examples):
        canonical = ((key, _canonical(record)) for key, record in examples)
        return super().write(path, canonical)


def _canonical(record: bytes) -> bytes:
    return tf.train.Example.FromString(record).SerializeToString(deterministic=True)


class ViewsBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Writes finished objects of the cache to shards.

    A subclass lives beside the README.md and CITATIONS.bib that describe its data. It
    is not registered with TFDS (`skip_registration`): if it were, `tfds.builder(name)`
    would take size and categories from here instead of from the files.

    Attributes:
      HAS_DEPTH: the depth maps are measured or rendered, not all zero.
      HAS_COLORS: the points have colours.
    """

    VERSION = tfds.core.Version(VERSION)
    HAS_DEPTH = True
    HAS_COLORS = True
    url_infos = None  # nothing is downloaded: no list of checksums to look for

    def __init__(
        self,
        *,
        folder: pathlib.Path | None = None,
        items: tuple[Item, ...] = (),
        categories: tuple[str, ...] = (),
        size: int = 137,
        report: dict | None = None,
        **kwargs,
    ):
        """Takes what `data_pipelines.build` has prepared.

        Args:
          folder: of the cache.
          items: the objects that lie there complete.
          categories: class names, in the order of their labels.
          size: width and height of the pictures in pixels.
          report: written beside the shards as `REPORT_NAME`.
          **kwargs: see `tfds.core.DatasetBuilder`.
        """
        self._report = report
        self._folder, self._items = folder, items
        self._categories, self._size = categories, size
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=features(self._size, self._categories),
            metadata=tfds.core.MetadataDict(
                has_depth=self.HAS_DEPTH,
                has_colors=self.HAS_COLORS,
                image_size=self._size,
            ),
        )

    def _example_writer(self) -> DeterministicWriter:
        return DeterministicWriter(self.info.file_format)

    def _split_generators(self, dl_manager) -> dict[str, Iterator]:
        del dl_manager
        report = json.dumps(self._report, indent=2) + "\n"
        (self.data_path / REPORT_NAME).write_text(report)  # still under another name
        used = {item.split for item in self._items}
        return {
            split: self._generate_examples(split) for split in SPLITS if split in used
        }

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict]]:
        for item in self._items:
            if item.split == split:
                for record in cache.load(self._folder, item):
                    yield f"{item.object_id}/{record['view']}", record
