"""Averages of the scores of many samples, and tables of them in any format.

The dictionaries are those of `metrics.json`: a run (`training.evaluate.evaluate`) holds
one `average` per protocol, of the predictions and of every baseline.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import rich.box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from pixel2mesh_jax.evaluation import protocols, published_scores
from pixel2mesh_jax.evaluation.protocols import Scores

# Keys of `average` that hold means, and what to call them.
MEANS = {
    "mean_over_categories": "mean over categories",
    "mean_over_samples": "mean over samples",
}
CSV_HEADER = ("protocol", "group", "samples", "system", "score", "value")
SAMPLES_HEADER = ("view", "category", "protocol", "score", "value")


class Row(NamedTuple):
    """One line of a table.

    Attributes:
      group: category, or a key of `MEANS`.
      system: whose scores; "" for ours.
      count: of the samples, or of the categories averaged; None where not known.
      scores: of the predictions.
      baselines: scores of each baseline, by its name; None beside published scores.
    """

    group: str
    system: str
    count: int | None
    scores: Mapping[str, float | int]
    baselines: Mapping[str, Mapping[str, float | int] | None]

    @property
    def label(self) -> str:
        """First cell of the line."""
        return self.system or MEANS.get(self.group, self.group)


def average(rows: Sequence[tuple[str, Scores]], categories: Sequence[str] = ()) -> dict:
    """Averages the scores of many samples.

    Args:
      rows: category and scores of every sample.
      categories: all names of the data set, in the order wanted. Others that occur in
        `rows` follow, sorted.

    Returns:
      `per_category` (category -> `count` and mean scores), `mean_over_categories`,
      `mean_over_samples`, and `categories_without_samples`, the names left out.
      noahcao/Pixel2Mesh counts these as 0 in its mean over categories.
    """
    rows_of = {}
    for category, scores in rows:
        rows_of.setdefault(category, []).append(scores)
    names = [*categories, *sorted(set(rows_of).difference(categories))]
    means = {
        name: mean_over_samples(rows_of[name]) for name in names if name in rows_of
    }
    return {
        "per_category": {
            name: {"count": len(rows_of[name]), **scores}
            for name, scores in means.items()
        },
        "mean_over_categories": mean_over_categories(means),
        "mean_over_samples": mean_over_samples([scores for _, scores in rows]),
        "categories_without_samples": [name for name in names if name not in rows_of],
    }


def mean_over_samples(rows: Sequence[Scores]) -> Scores:
    """Every sample that has a score counts the same; empty without samples."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        name: float(np.mean([row[name] for row in rows if name in row]))
        for name in names
    }


def mean_over_categories(per_category: Mapping[str, Scores]) -> Scores:
    """Every category that has samples counts the same."""
    return mean_over_samples(list(per_category.values()))


def rows_of(run: Mapping, protocol: str) -> list[Row]:
    """Lines of the table of a protocol: categories, then `MEANS`.

    Each is followed by what others have published for it, if the run has scored all of
    the samples that they have.
    """
    own, nothing = run["protocols"][protocol], dict.fromkeys(run["baselines"])
    others = _published(run, protocol)
    counts = {
        "mean_over_categories": len(own["per_category"]),
        "mean_over_samples": run["num_samples"],
    }
    rows = []
    for group, scores in _groups(own).items():
        count = counts.get(group, scores.get("count"))
        rows.append(Row(group, "", count, scores, _of_baselines(run, protocol, group)))
        rows += [
            Row(group, system.system, None, system.scores[group], nothing)
            for system in others
            if group in system.scores
        ]
    return rows


def headings(run: Mapping, protocol: str) -> list[str]:
    """Of the columns after the label: count, scores, headline of every baseline."""
    columns = protocols.PROTOCOLS[protocol].columns
    return [
        "samples",
        *(column.heading for column in columns),
        *(f"{name}: {columns[0].heading}" for name in run["baselines"]),
    ]


def cells(row: Row, protocol: str) -> list[str]:
    """Text below the `headings`."""
    columns = protocols.PROTOCOLS[protocol].columns
    return [
        "" if row.count is None else str(row.count),
        *(column.text(row.scores) for column in columns),
        *(
            "" if scores is None else columns[0].text(scores)
            for scores in row.baselines.values()
        ),
    ]


def notes(run: Mapping, protocol: str) -> list[str]:
    """What the reader of a table has to know beside its numbers."""
    found = []
    own = run["protocols"][protocol]
    if own["categories_without_samples"]:
        names = ", ".join(own["categories_without_samples"])
        found.append(f"Left out, no samples: {names}.")
    for score, need in protocols.PROTOCOLS[protocol].needs.items():
        if own["per_category"] and score not in own["mean_over_samples"]:
            found.append(f"No {score}: the data lack what it needs, {need}.")
    for remark, count in run.get("remarks", {}).items():
        found.append(f"Of {count} of {run['num_samples']} samples: {remark}.")
    return found + _about_published(run, protocol)


def empty_table(title: str, head: Sequence[str]) -> Table:
    """A table for the terminal: labels to the left, numbers to the right."""
    table = Table(title=title, title_justify="left", box=rich.box.SIMPLE_HEAD)
    # Our own labels stay on one line, however many baselines stand beside them.
    table.add_column(head[0], min_width=max(map(len, MEANS.values())))
    for heading in head[1:]:
        table.add_column(heading.replace(" ", "\n"), justify="right", no_wrap=True)
    return table


def print_whole(table: Table, console: Console) -> None:
    """Prints a table; where the terminal is too narrow, lines break, no number does."""
    unlimited = console.options.update(max_width=1000)
    needed = Measurement.get(console, unlimited, table).minimum
    if needed > console.width:
        table.width = needed
    console.print(table, crop=False)


def csv_text(run: Mapping) -> str:
    """All scores, one per line, in units without factors; `CSV_HEADER` on top."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for protocol in run["protocols"]:
        for row in rows_of(run, protocol):
            writer.writerows(_csv_lines(protocol, row))
    return file.getvalue()


def samples_csv_text(samples: Sequence[Mapping]) -> str:
    """All scores of every sample, one per line, numbered in the order of the split."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(SAMPLES_HEADER)
    for number, sample in enumerate(samples, start=1):
        for protocol, scores in sample["scores"].items():
            for metric, value in scores.items():
                row = (number, sample["category"], protocol, metric, value)
                writer.writerow(row)
    return file.getvalue()


def markdown_text(run: Mapping) -> str:
    """A table per protocol, as in print."""
    parts = []
    for protocol in run["protocols"]:
        rows = [
            [
                _bold(row.label) if row.group in MEANS else row.label,
                *cells(row, protocol),
            ]
            for row in rows_of(run, protocol)
        ]
        explanation = protocols.PROTOCOLS[protocol].explanation
        head = ["category", *headings(run, protocol)]
        table = markdown_table(head, rows)
        parts += [f"## {protocol}", explanation, table, *notes(run, protocol)]
    return "\n\n".join(parts) + "\n"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """First column to the left, the others to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )


def _csv_lines(protocol, row) -> Iterator[tuple]:
    systems = [(row.system or "this run", row.scores)]
    systems += [item for item in row.baselines.items() if item[1] is not None]
    for system, scores in systems:
        for name, value in scores.items():
            if name != "count":
                yield protocol, row.group, row.count, system, name, value


def _of_baselines(run, protocol, group):
    """Scores of every baseline in a category or mean; empty where it has none."""
    return {
        name: _groups(averages[protocol]).get(group, {})
        for name, averages in run["baselines"].items()
    }


def _groups(averages):
    return {**averages["per_category"], **_means(averages)}


def _means(averages):
    return {name: averages[name] for name in MEANS if averages[name]}


def _published(run, protocol):
    """Only runs that say what they scored can be compared with others."""
    if "dataset" not in run:
        return ()
    return published_scores.beside(protocol, run["dataset"], run["split"], run["limit"])


def _about_published(run, protocol):
    systems = _published(run, protocol)
    if systems:
        sources = ", ".join(dict.fromkeys(system.source for system in systems))
        return [f"Published scores from {sources}."]
    datasets = published_scores.datasets_of(protocol)
    if not datasets or "dataset" not in run:
        return []
    return [
        f"Published scores exist for the whole {published_scores.SPLIT} split of "
        f"{', '.join(datasets)}; this is {_what(run)}."
    ]


def _what(run):
    part = f"{run['limit']} samples of " if run["limit"] else ""
    return f"{part}the {run['split']} split of {run['dataset']}"


def _bold(text):
    return f"**{text}**"
