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
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress

from data_pipelines import tensorflow_extra  # noqa: F401

# isort: split
from data_pipelines.building import build_report, cache, source_files
from data_pipelines.building.examples import load_estimator
from data_pipelines.building.file_format import check_platform
from data_pipelines.building.job import Job, parse
from data_pipelines.building.options import REPORT_NAME, SPLITS, VERSION, Options
from data_pipelines.building.plan import find
from data_pipelines.building.results import attempt
from pixel2mesh_jax import file_locks
from pixel2mesh_jax.atomic_files import publish_folder
from pixel2mesh_jax.errors import InputError


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
    if _is_complete(job, console):
        return
    check_platform()
    with _alone(job):
        if _is_complete(job, console):  # another build has just ended
            return
        plan = find(job)
        if job.options.depth != "rendered":
            load_estimator(job.options)  # fails before the first object is rendered
        build = _build_on_beam if job.beam_pipeline_options else _build_here
        build(job, plan, console)
        _remove_cache(job)
    console.print(f"wrote {job.shards}", highlight=False)


def _is_complete(job, console):
    """Whether there is nothing to do; raises InputError if something else is there."""
    if not (job.shards / "dataset_info.json").is_file():
        return False
    _check_same_options(job)
    _check_same_source(job, console)
    _remove_cache(job)
    console.print(f"{job.shards} is complete, nothing to do", highlight=False)
    return True


def _alone(job):
    """Keeps other builds of this data set off its folder."""
    if _is_remote(job):
        return contextlib.nullcontext()  # no locks there; TFDS renames at the end
    return file_locks.hold(
        job.lock,
        f"{job.shards} is being written by another build",
        "choose another --data_dir",
    )


def _is_remote(job):
    return not isinstance(job.data_dir, pathlib.Path)


def _build_here(job, plan, console):
    """All cores fill the cache, then one writes the shards."""
    results = _fill_cache(job, plan, console)
    report = build_report.make_report(job, plan.ignored, results)
    build_report.print_report(report, console)
    items = _without_failed(plan.items, results)
    with console.status("writing shards"):
        _write_shards(job, plan, items, results, folder=job.cache)


def _build_on_beam(job, plan, console):
    """Workers of Beam build the objects and write the shards."""
    options = _beam_options(job.beam_pipeline_options)
    results = _hopeless(plan, job.options)
    if len(results) == len(plan.items):
        report = build_report.make_report(job, plan.ignored, results)
        build_report.print_report(report, console)
    items = _without_failed(plan.items, results)
    with console.status("building on Apache Beam"):
        _write_shards(
            job,
            plan,
            items,
            results,
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
    results = []
    with Progress(console=console) as progress:
        bar = progress.add_task(job.name, total=len(plan.items))
        for result in cache.build_missing(
            job.cache, plan.items, plan.make_examples, job.options, job.workers
        ):
            progress.advance(bar)
            results.append(result)
    return results


def _hopeless(plan, options):
    """Failures of splits of which no object can be built; TFDS on Beam refuses these.

    Looks no further than the first good object of a split, which also shows early that
    the sources can be read.
    """
    failures = []
    for split in SPLITS:
        items = [item for item in plan.items if item.split == split]
        tried = (attempt(item, plan.make_examples, options)[1] for item in items)
        failed = list(itertools.takewhile(lambda result: result.failure, tried))
        if len(failed) == len(items):
            failures += failed
    return failures


def _without_failed(items, results):
    failed = {(row.split, row.object_id) for row in results if row.failure}
    built = [item for item in items if (item.split, item.object_id) not in failed]
    if not built:
        raise InputError("none of the objects could be built; see the reasons above")
    return built


def _write_shards(job, plan, items, results, beam_options=None, **source):
    """Lets TFDS write; the folder appears complete or not at all."""
    if _is_remote(job):
        _run_builder(job, job.data_dir, plan, items, results, beam_options, source)
        source_files.write(job.shards, plan.items)
        return
    staging = job.cache / "staging"
    shutil.rmtree(staging, ignore_errors=True)  # of a build that was killed
    _run_builder(job, staging, plan, items, results, beam_options, source)
    finished = staging / job.name / VERSION
    source_files.write(finished, plan.items)
    publish_folder(finished, job.shards)


def _run_builder(job, data_dir, plan, items, results, beam_options, source):
    import tensorflow_datasets as tfds  # slow to import, and no business of the workers

    tfds.disable_progress_bar()
    module = importlib.import_module(
        f"data_pipelines.{job.name}.{job.name}_dataset_builder"
    )
    builder = module.Builder(
        data_dir=str(data_dir),
        items=tuple(items),
        categories=plan.categories,
        options=job.options,
        results=results,
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
    if not _is_remote(job):
        shutil.rmtree(job.cache, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty: other data sets are being built
            job.cache.parent.rmdir()


def _check_same_source(job, console):
    """Raises InputError if files were added, removed or changed since the build."""
    if job.source is not None and not job.source.is_dir():
        console.print(f"{job.source} is not there: not compared", highlight=False)
        return
    different = source_files.differences(job.shards, find(job).items)
    if different:
        raise InputError(
            f"{job.shards} was built from other files; since then: {different}. Delete "
            "it to build it anew, or choose another --data_dir"
        )


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
