"""The record of a shard, and the TFDS builder that all data sets share."""

import functools
import json
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath

from data_pipelines.building import cache, job
from data_pipelines.building.file_format import FILE_FORMAT
from data_pipelines.building.options import REPORT_NAME, SPLITS, VERSION, Item, Options
from data_pipelines.building.results import BuildResult, MakeExamples
from pixel2mesh_jax.errors import InputError


def features(
    categories: tuple[str, ...], options: Options
) -> tfds.features.FeaturesDict:
    """One view of one object; units and frames as in `pixel2mesh_jax.structures`.

    Args:
      categories: class names.
      options: size of the images, and which optional features there are.
    """
    tensor, size = tfds.features.Tensor, options.size
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
                doc="metres, camera frame; no rows if the shape is not known",
            ),
            "normals": tensor(
                shape=(None, 3),
                dtype=np.float16,
                encoding="bytes",
                doc="unit, camera frame; outward, except in p2m_shapenet",
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
            **_optional_features(options),
        }
    )


def _optional_features(options):
    tensor, found = tfds.features.Tensor, {}
    if options.depth != "rendered":
        found["estimated"] = tensor(
            shape=(options.size, options.size),
            dtype=np.float16,
            encoding="zlib",
            doc="estimated inverse depth, [0, 1] over the object, 0 outside",
        )
    if options.voxels:
        found["voxels"] = tensor(
            shape=(options.voxels,) * 3,
            dtype=np.uint8,
            encoding="zlib",
            doc="1 = inside; view volume, index order depth, row, column",
        )
    if options.volume:
        side = options.volume
        found |= {
            "placement": tensor(
                shape=(5,), dtype=np.float32, doc="of the view volume, camera frame"
            ),
            "distances": tensor(
                shape=(side, side, side),
                dtype=np.int8,
                encoding="zlib",
                doc="signed distance in cells, truncated; index order row, column, "
                "layer",
            ),
            "far_colors": tensor(
                shape=(side, side, 3),
                dtype=np.uint8,
                encoding="zlib",
                doc="sRGB of what the rays of the volume meet last",
            ),
        }
    if options.num_queries:
        spec = functools.partial(tensor, encoding="bytes")
        found |= {
            "query_points": spec(
                shape=(None, 3), dtype=np.float32, doc="metres, camera frame"
            ),
            "query_distances": spec(
                shape=(None,), dtype=np.float32, doc="metres, negative inside"
            ),
            "query_colors": spec(
                shape=(None, 3), dtype=np.uint8, doc="sRGB of the nearest point"
            ),
        }
    return found


class DeterministicWriter(tfds.core.ExampleWriter):
    """Writes equal records as equal bytes; protobuf leaves map order to chance."""

    def write(self, path, examples):
        canonical = ((key, _canonical(record)) for key, record in examples)
        if "://" not in os.fspath(path):
            return super().write(path, canonical)
        with tempfile.TemporaryDirectory() as folder:  # array_record writes no URLs
            shard = epath.Path(folder) / "shard"
            super().write(shard, canonical)
            shard.copy(path)


def _canonical(record: bytes) -> bytes:
    return tf.train.Example.FromString(record).SerializeToString(deterministic=True)


class ViewsBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Writes finished objects of the cache to shards, or builds them on Apache Beam.

    A subclass lives beside the README.md and CITATIONS.bib that describe its data. It
    is the part of `data_pipelines.build` that speaks to TFDS, and no data set that
    `tfds build` or `tfds.load(download=True)` could make: `download_and_prepare` of a
    builder that `build` has not prepared ends in an error that names the command. What
    it has written, TFDS reads like any other data set: `tfds.data_source(name,
    data_dir=...)` or `tfds.builder_from_directory`. (`tfds.load`, `as_dataset` are of
    formats without random access.) It is not registered with TFDS
    (`skip_registration`): if it were, `tfds.builder(name)` would take size and
    categories from here instead of from the files.

    Attributes:
      HAS_DEPTH: the depth maps are measured or rendered, not all zero.
      HAS_POINTS: there are points of the true surface.
      HAS_COLORS: the points have colours.
    """

    VERSION = tfds.core.Version(VERSION)
    HAS_DEPTH = True
    HAS_POINTS = True
    HAS_COLORS = True
    url_infos = None  # nothing is downloaded: no list of checksums to look for

    def __init__(
        self,
        *,
        folder: pathlib.Path | None = None,
        items: tuple[Item, ...] = (),
        categories: tuple[str, ...] = (),
        options: Options | None = None,
        make_examples: MakeExamples | None = None,
        results: Sequence[BuildResult] = (),
        make_report: Callable[[Sequence[BuildResult]], dict] | None = None,
        **kwargs,
    ):
        """Takes what `data_pipelines.build` has prepared.

        Args:
          folder: of the cache.
          items: the objects to write; without `make_examples` they lie there complete.
          categories: class names, in the order of their labels.
          options: how the objects are built; None for the defaults.
          make_examples: builds an object on Beam; None: take it from the cache.
          results: what became of objects so far; Beam adds those of `items`.
          make_report: from all results to what is written as `REPORT_NAME`.
          **kwargs: see `tfds.core.DatasetBuilder`.
        """
        self._folder, self._items = folder, items
        self._make_examples, self._make_report = make_examples, make_report
        self._results = list(results)
        self._categories, self._options = categories, options or Options()
        super().__init__(file_format=FILE_FORMAT, **kwargs)

    def download_and_prepare(self, **kwargs) -> None:
        """Writes the data set; called by `data_pipelines.build` alone.

        Raises:
          InputError: nothing was prepared; the message names the command that does.
        """
        if self._make_report is None:
            raise InputError(
                f"The builder of '{self.name}' writes what data_pipelines.build has "
                "rendered and checked, and does nothing alone. Build it with: "
                f"{job.command(self.name, self._data_dir_root)}"
            )
        super().download_and_prepare(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        options = self._options
        metadata = tfds.core.MetadataDict(
            has_depth=self.HAS_DEPTH and options.depth != "estimated",
            has_points=self.HAS_POINTS,
            has_colors=self.HAS_COLORS,
            image_size=options.size,
        )
        if options.num_queries:
            metadata["uniform_queries"] = options.uniform_queries
        return self.dataset_info_from_configs(
            features=features(self._categories, options), metadata=metadata
        )

    def _example_writer(self) -> DeterministicWriter:
        return DeterministicWriter(self.info.file_format)

    def _split_generators(self, dl_manager) -> dict:
        del dl_manager
        parts = {
            split: [item for item in self._items if item.split == split]
            for split in SPLITS
        }
        if self._make_examples is None:
            self._write_report()
        return {
            split: self._generate_examples(items)
            for split, items in parts.items()
            if items
        }

    def _generate_examples(self, items: list[Item]):
        if self._make_examples is None:
            return self._finished_examples(items)
        from data_pipelines.building import beam_pipeline  # needs the extra [beam]

        return beam_pipeline.Build(
            items, self._make_examples, self._options, self.data_path
        )

    def _finished_examples(self, items: list[Item]) -> Iterator[tuple[str, dict]]:
        for item in items:
            yield from cache.load(self._folder, item)

    def _process_pipeline_result(self, pipeline_result) -> None:
        """Called by TFDS when Beam is done."""
        del pipeline_result
        from data_pipelines.building import beam_pipeline

        self._results += beam_pipeline.take_results(self.data_path)
        self._write_report()

    def _write_report(self) -> None:
        """Into the folder that TFDS renames at the end, with what it tells of all."""
        points = [result.points for result in self._results]
        self.info.metadata["max_points"] = max(points, default=0)
        report = json.dumps(self._make_report(self._results), indent=2) + "\n"
        (self.data_path / REPORT_NAME).write_text(report)
