"""Builds a data set: `python -m data_pipelines.build NAME --data_dir DIR ...`.

Objects are rendered by all cores into a cache beside the data set, then TFDS writes the
shards. Killed at any moment, the same command goes on where it stopped. The shards are
a function of the source, the options and the seed, not of the number of workers.
"""

import contextlib
import functools
import importlib
import io
import itertools
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from etils import epath
from rich.console import Console
from rich.progress import Progress

from data_pipelines import build_report, cache
from data_pipelines.job import Job, parse
from data_pipelines.mesh_folder import source as mesh_folder
from data_pipelines.outcomes import MakeExamples, attempt
from data_pipelines.p2m_shapenet import source as p2m_shapenet
from data_pipelines.pix3d import source as pix3d
from data_pipelines.procedural_shapes import families
from data_pipelines.procedural_shapes import source as procedural_shapes
from data_pipelines.rgbd_folder import source as rgbd_folder
from data_pipelines.shapenet_r2n2 import source as shapenet_r2n2
from data_pipelines.views import (
    REPORT_NAME,
    SPLITS,
    VERSION,
    Item,
    Options,
    load_estimator,
)
from pixel2mesh_jax.errors import InputError

# Data sets that are made from a folder. A source module has
# `find_items(folder, options)`, `make_examples(item, options)` and, if its class names
# are fixed, `CATEGORIES`.
SOURCES = {
    "mesh_folder": mesh_folder,
    "p2m_shapenet": p2m_shapenet,
    "pix3d": pix3d,
    "rgbd_folder": rgbd_folder,
    "shapenet_r2n2": shapenet_r2n2,
}


class Plan(NamedTuple):
    """What a source holds.

    Attributes:
      items: objects.
      categories: class names, in the order of their labels.
      ignored: number of files of no use, by kind.
      make_examples: builds one object.
    """

    items: list[Item]
    categories: tuple[str, ...]
    ignored: dict[str, int]
    make_examples: MakeExamples


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0, or 2 after one line about what is wrong."""
    console = Console(stderr=True, soft_wrap=True)
    job = parse(arguments)
    try:
        run(job, console)
    except (InputError, OSError) as error:  # OSError: disk full, not writable
        console.print(f"error: {error}", style="red", markup=False, highlight=False)
        return 2
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here")
        return 130
    return 0


def run(job: Job, console: Console) -> None:
    """Builds the data set unless it is there. Raises InputError, see `main`."""
    if (job.shards / "dataset_info.json").is_file():
        _check_same_options(job)
        _remove_cache(job)
        console.print(f"{job.shards} is complete, nothing to do", highlight=False)
        return
    plan = find(job)
    if job.options.depth != "rendered":
        load_estimator(job.options)  # fails before the first object is rendered
    build = _build_on_beam if job.beam_pipeline_options else _build_here
    build(job, plan, console)
    console.print(f"wrote {job.shards}", highlight=False)


def find(job: Job) -> Plan:
    """Lists what the source holds. Raises InputError if there is nothing."""
    if job.name == "procedural_shapes":
        items = procedural_shapes.find_items(job.options)
        if not items:
            raise InputError("--train, --val and --test are all 0: nothing to build")
        return Plan(items, families.CATEGORIES, {}, procedural_shapes.make_examples)
    source = SOURCES[job.name]
    items, ignored = source.find_items(job.source, job.options)
    categories = tuple(sorted({item.category for item in items}))
    categories = getattr(source, "CATEGORIES", categories)
    return Plan(items, categories, ignored, source.make_examples)


def _build_here(job, plan, console):
    """All cores fill the cache, then one writes the shards."""
    outcomes = _fill_cache(job, plan, console)
    report = build_report.make_report(job, plan.ignored, outcomes)
    build_report.print_report(report, console)
    items = _without_failed(plan.items, outcomes)
    with console.status("writing shards"):
        _write_shards(job, plan, items, outcomes, folder=job.cache)
    _remove_cache(job)


def _build_on_beam(job, plan, console):
    """Workers of Beam build the objects and write the shards."""
    options = _beam_options(job.beam_pipeline_options)
    outcomes = _hopeless(plan, job.options)
    if len(outcomes) == len(plan.items):
        report = build_report.make_report(job, plan.ignored, outcomes)
        build_report.print_report(report, console)
    items = _without_failed(plan.items, outcomes)
    with console.status("building on Apache Beam"):
        _write_shards(
            job,
            plan,
            items,
            outcomes,
            make_examples=plan.make_examples,
            beam_options=options,
        )
    report = json.loads((job.shards / REPORT_NAME).read_text())
    build_report.print_report(report, console)


def _beam_options(text):
    try:
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError:
        raise InputError(
            "--beam_pipeline_options needs Apache Beam: pip install apache-beam"
        ) from None
    return PipelineOptions([f"--{option}" for option in text.split(",")])


def _fill_cache(job, plan, console):
    """Shows how far it is; returns what became of the objects."""
    outcomes = []
    with Progress(console=console) as progress:
        bar = progress.add_task(job.name, total=len(plan.items))
        for outcome in cache.fill(
            job.cache, plan.items, plan.make_examples, job.options, job.workers
        ):
            progress.advance(bar)
            outcomes.append(outcome)
    return outcomes


def _hopeless(plan, options):
    """Failures of splits of which no object can be built; TFDS on Beam refuses these.

    Looks no further than the first good object of a split, which also shows early that
    the sources can be read.
    """
    failures = []
    for split in SPLITS:
        items = [item for item in plan.items if item.split == split]
        results = (attempt(item, plan.make_examples, options)[1] for item in items)
        failed = list(itertools.takewhile(lambda result: result.failure, results))
        if len(failed) == len(items):
            failures += failed
    return failures


def _without_failed(items, outcomes):
    failed = {(row.split, row.object_id) for row in outcomes if row.failure}
    built = [item for item in items if (item.split, item.object_id) not in failed]
    if not built:
        raise InputError("none of the objects could be built; see the reasons above")
    return built


def _write_shards(job, plan, items, outcomes, beam_options=None, **source):
    """Lets TFDS write; the folder appears complete or not at all."""
    import tensorflow_datasets as tfds  # slow to import, and no business of the workers

    tfds.disable_progress_bar()
    module = importlib.import_module(
        f"data_pipelines.{job.name}.{job.name}_dataset_builder"
    )
    for stale in job.shards.parent.glob(f"incomplete.*_{VERSION}"):
        epath.Path(stale).rmtree()
    builder = module.Builder(
        data_dir=str(job.data_dir),
        items=tuple(items),
        categories=plan.categories,
        options=job.options,
        outcomes=outcomes,
        make_report=functools.partial(build_report.make_report, job, plan.ignored),
        **source,
    )
    config = tfds.download.DownloadConfig(beam_options=beam_options)
    with (
        tempfile.TemporaryDirectory() as downloads,
        contextlib.redirect_stdout(io.StringIO()),  # TFDS speaks of downloads
    ):
        builder.download_and_prepare(download_dir=downloads, download_config=config)


def _remove_cache(job):
    if job.beam_pipeline_options:
        return
    shutil.rmtree(job.cache, ignore_errors=True)
    with contextlib.suppress(OSError):  # other data sets are being built
        job.cache.parent.rmdir()


def _check_same_options(job):
    path = job.shards / REPORT_NAME
    if not path.is_file():
        return
    report = json.loads(path.read_text())
    defaults = Options()._asdict()  # of choices that an older build did not offer
    there = {"source": report["source"], **defaults, **report["options"]}
    asked = json.loads(json.dumps(build_report.choices(job)))
    asked = {"source": asked["source"], **asked["options"]}
    different = [
        f"{name} {there.get(name)} instead of {asked[name]}"
        for name in asked
        if there.get(name) != asked[name]
    ]
    if different:
        raise InputError(
            f"{job.shards} was built with {', '.join(different)}; choose another "
            "--data_dir or delete it"
        )


if __name__ == "__main__":
    sys.exit(main())
