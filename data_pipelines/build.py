"""Builds a data set: `python -m data_pipelines.build NAME --data_dir DIR ...`.

Objects are rendered by all cores into a cache beside the data set, then TFDS writes the
shards. Killed at any moment, the same command goes on where it stopped. The shards are
a function of the source, the options and the seed, not of the number of workers.
"""

import collections
import contextlib
import importlib
import io
import json
import shutil
import sys
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from data_pipelines import cache
from data_pipelines.job import Job, parse
from data_pipelines.mesh_folder import source as mesh_folder
from data_pipelines.p2m_shapenet import source as p2m_shapenet
from data_pipelines.procedural_shapes import families
from data_pipelines.procedural_shapes import source as procedural_shapes
from data_pipelines.views import REPORT_NAME, SPLITS, VERSION, Item
from pixel2mesh_jax.errors import InputError

# Data sets that are made from a folder. A source module has `find_items(folder)`,
# `make_examples(item, options)` and, if its class names are fixed, `CATEGORIES`.
SOURCES = {"mesh_folder": mesh_folder, "p2m_shapenet": p2m_shapenet}


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
    make_examples: cache.MakeExamples


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
    failures = _render(job, plan, console)
    failed = {failure.item for failure in failures}
    built = [item for item in plan.items if item not in failed]
    report = _report(job, plan, built, failures)
    _print_report(report, console)
    if not built:
        raise InputError("none of the objects could be built; see the reasons above")
    with console.status("writing shards"):
        _write_shards(job, plan, built, report)
    _remove_cache(job)
    console.print(f"wrote {job.shards}", highlight=False)


def find(job: Job) -> Plan:
    """Lists what the source holds. Raises InputError if there is nothing."""
    if job.name == "procedural_shapes":
        items = procedural_shapes.find_items(job.options)
        if not items:
            raise InputError("--train, --val and --test are all 0: nothing to build")
        return Plan(items, families.CATEGORIES, {}, procedural_shapes.make_examples)
    source = SOURCES[job.name]
    items, ignored = source.find_items(job.source)
    categories = tuple(sorted({item.category for item in items}))
    categories = getattr(source, "CATEGORIES", categories)
    return Plan(items, categories, ignored, source.make_examples)


def _render(job, plan, console):
    """Fills the cache; returns the failures in the order of the objects."""
    failures = []
    with Progress(console=console) as progress:
        bar = progress.add_task(job.name, total=len(plan.items))
        jobs = cache.fill(
            job.cache, plan.items, plan.make_examples, job.options, job.workers
        )
        for failure in jobs:
            progress.advance(bar)
            if failure is not None:
                failures.append(failure)
    return sorted(failures)


def _report(job, plan, built, failures):
    """What was built and what was not, for people and for `build_report.json`."""
    objects = collections.Counter(item.split for item in built)
    return {
        "name": job.name,
        **_choices(job),
        "objects": {split: objects[split] for split in SPLITS},
        "views": {
            split: sum(
                cache.count(job.cache, item) for item in built if item.split == split
            )
            for split in SPLITS
        },
        "skipped": [
            {"object": failure.item.object_id, "reason": failure.reason}
            for failure in failures
        ],
        "ignored_files": plan.ignored,
    }


def _choices(job):
    source = None if job.source is None else str(job.source)
    return {"source": source, "options": job.options._asdict()}


def _print_report(report, console):
    for skipped in report["skipped"]:
        console.print(
            f"skipped {skipped['object']}: {skipped['reason']}",
            style="yellow",
            markup=False,
            highlight=False,
        )
    table = Table("split", "objects", "views")
    for split in SPLITS:
        table.add_row(split, str(report["objects"][split]), str(report["views"][split]))
    console.print(table)
    console.print(f"{len(report['skipped'])} objects skipped", highlight=False)
    if report["ignored_files"]:
        kinds = ", ".join(f"{n} {kind}" for kind, n in report["ignored_files"].items())
        console.print(f"other files in the source, not used: {kinds}", highlight=False)


def _write_shards(job, plan, built, report):
    """Lets TFDS write; the folder appears complete or not at all."""
    import tensorflow_datasets as tfds  # slow to import, and no business of the workers

    tfds.disable_progress_bar()
    module = importlib.import_module(
        f"data_pipelines.{job.name}.{job.name}_dataset_builder"
    )
    for stale in job.shards.parent.glob(f"incomplete.*_{VERSION}"):
        shutil.rmtree(stale)
    builder = module.Builder(
        data_dir=str(job.data_dir),
        folder=job.cache,
        items=tuple(built),
        categories=plan.categories,
        options=job.options,
        report=report,
    )
    with contextlib.redirect_stdout(io.StringIO()):  # TFDS speaks of downloads
        builder.download_and_prepare(download_dir=str(job.cache / "downloads"))


def _remove_cache(job):
    shutil.rmtree(job.cache, ignore_errors=True)
    with contextlib.suppress(OSError):  # other data sets are being built
        job.cache.parent.rmdir()


def _check_same_options(job):
    path = job.shards / REPORT_NAME
    if not path.is_file():
        return
    report = json.loads(path.read_text())
    there = {"source": report["source"], **report["options"]}
    asked = json.loads(json.dumps(_choices(job)))
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
