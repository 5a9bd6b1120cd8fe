"""What was built and what was not, for people and for `build_report.json`."""

import collections
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from data_pipelines.building.job import Job
from data_pipelines.building.options import SPLITS
from data_pipelines.building.results import BuildResult


def choices(job: Job) -> dict:
    """What decides about the records."""
    source = None if job.source is None else str(job.source)
    return {"source": source, "options": job.options._asdict()}


def make_report(
    job: Job, ignored_files: dict[str, int], results: Sequence[BuildResult]
) -> dict:
    """Counts and names, ready for JSON; independent of the order of the results."""
    results = sorted(results)
    built = [result for result in results if not result.failure]
    objects, views = collections.Counter(), collections.Counter()
    for result in built:
        objects[result.split] += 1
        views[result.split] += result.views
    return {
        "name": job.name,
        **choices(job),
        "objects": {split: objects[split] for split in SPLITS},
        "views": {split: views[split] for split in SPLITS},
        "skipped": [
            {"object": result.object_id, "reason": result.failure}
            for result in results
            if result.failure
        ],
        "warnings": [
            {"object": result.object_id, "warning": warning}
            for result in built
            for warning in result.warnings
        ],
        "ignored_files": ignored_files,
    }


def print_report(report: dict, console: Console) -> None:
    """Names what was skipped or is odd, counts the rest."""
    lines = [f"skipped {row['object']}: {row['reason']}" for row in report["skipped"]]
    lines += [
        f"warning: {row['object']}: {row['warning']}" for row in report["warnings"]
    ]
    for line in lines:
        console.print(line, style="yellow", markup=False, highlight=False)
    table = Table("split", "objects", "views")
    for split in SPLITS:
        table.add_row(split, str(report["objects"][split]), str(report["views"][split]))
    console.print(table)
    console.print(f"{len(report['skipped'])} objects skipped", highlight=False)
    if report["ignored_files"]:
        kinds = ", ".join(f"{n} {kind}" for kind, n in report["ignored_files"].items())
        console.print(f"other files in the source, not used: {kinds}", highlight=False)
