"""Builds objects on Apache Beam: on the cores of one machine, or on many machines.

Nothing is cached: every object goes from its source through `results.attempt` straight
to the shard writer of TFDS. The runner, its workers and what happens when one of them
dies are Beam's business.
"""

import json
import logging
from collections.abc import Iterator, Sequence

import apache_beam as beam
from etils import epath

from data_pipelines.building import records
from data_pipelines.building.options import SPLITS, Item, Options
from data_pipelines.building.results import BuildResult, MakeExamples, attempt

_RESULTS = "results"


class Build(beam.PTransform):
    """Keys and features of all views of some objects.

    What became of the objects is left in `folder`, see `take_results`.
    """

    def __init__(
        self,
        items: Sequence[Item],
        make_examples: MakeExamples,
        options: Options,
        folder: epath.Path,
    ):
        """Takes the objects of one split, and a folder that all workers reach."""
        super().__init__()
        self._items, self._build = items, _Build(make_examples, options)
        self._path = str(_path_of(folder, items[0].split))

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        built = (
            pipeline
            | "Objects" >> beam.Create(self._items)
            | "Spread" >> beam.Reshuffle()
            | "Build" >> beam.ParDo(self._build).with_outputs(_RESULTS, main="records")
        )
        _ = (
            built[_RESULTS]
            | "Collect" >> beam.combiners.ToList()
            | "Write results" >> beam.Map(_write_results, self._path)
        )
        return built["records"]


def take_results(folder: epath.Path) -> list[BuildResult]:
    """What became of the objects, in the order of their names; removes the files."""
    results = []
    for path in (_path_of(folder, split) for split in SPLITS):
        if path.exists():
            rows = json.loads(path.read_text())
            results += [
                BuildResult(split, name, views, tuple(warnings), *rest)
                for split, name, views, warnings, *rest in rows
            ]
            path.unlink()
    return results


class _Build(beam.DoFn):
    def __init__(self, make_examples, options):
        super().__init__()
        self._make_examples, self._options = make_examples, options

    def setup(self):
        logging.getLogger("trimesh").setLevel(logging.ERROR)

    def process(self, item) -> Iterator:
        item = Item(*item)
        examples, result = attempt(item, self._make_examples, self._options)
        for example in examples:
            arrays, view = records.arrays_of(example), example.view_index
            yield records.record(arrays, item.category, item.object_id, view)
        yield beam.pvalue.TaggedOutput(_RESULTS, tuple(result))


def _write_results(results, path):
    epath.Path(path).write_text(json.dumps(sorted(results)))


def _path_of(folder, split):
    return epath.Path(folder) / f"results-{split}.json"
