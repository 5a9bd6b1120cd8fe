"""Tables of several runs that were scored on the same samples."""

import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import protocols, score_tables
from pixel2mesh_jax.evaluation.score_tables import MEANS

# What has to be the same in `metrics.json` of all runs, and how it is called.
SAMPLES = {
    "dataset": "data set",
    "split": "split",
    "limit": "eval.limit",
    "num_samples": "number of samples",
}


class Run(NamedTuple):
    """A trained and evaluated model.

    Attributes:
      name: in tables.
      metrics: what is in `metrics.json`.
      config: its settings, nested.
    """

    name: str
    metrics: Mapping[str, Any]
    config: Mapping[str, Any]


class Cell(NamedTuple):
    """Text of a table cell; `best` of its column (or row) if higher or lower wins."""

    text: str
    best: bool = False


class Table(NamedTuple):
    """A table for any medium: the first column holds labels.

    Attributes:
      title: of the table.
      head: one heading per column.
      rows: one cell per heading.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def check_comparable(runs: Sequence[Run]) -> None:
    """Numbers of different samples must not stand side by side.

    Raises:
      InputError: the runs were scored on different samples, or by no common protocol.
    """
    for key, meaning in SAMPLES.items():
        values = [run.metrics.get(key) for run in runs]
        if None in values:
            run = runs[values.index(None)]
            raise InputError(
                f"metrics.json of {run.name} does not say its {meaning}: evaluate the "
                "run again with --mode eval."
            )
        if len(set(values)) > 1:
            found = ", ".join(
                f"{run.name}: {value}" for run, value in zip(runs, values, strict=True)
            )
            raise InputError(
                f"The runs differ in the {meaning} they were scored on: {found}."
            )
    counts = [_samples_of_categories(run) for run in runs]
    if any(count != counts[0] for count in counts):
        raise InputError(
            "The runs were scored on other categories or numbers of samples in them; "
            "evaluate all of them on the same data."
        )
    common_protocols(runs)


def common_protocols(runs: Sequence[Run]) -> tuple[str, ...]:
    """Protocols by which all runs were scored; InputError if there are none."""
    of_runs = [tuple(run.metrics["protocols"]) for run in runs]
    common = [name for name in of_runs[0] if all(name in names for names in of_runs)]
    if not common:
        found = "; ".join(
            f"{run.name}: {', '.join(names)}"
            for run, names in zip(runs, of_runs, strict=True)
        )
        raise InputError(f"The runs have no evaluation protocol in common: {found}.")
    return tuple(common)


def mean_table(runs: Sequence[Run], protocol: str) -> Table:
    """Per mean one row per run, with the baselines first and published scores last.

    Scores that no run has are left out.

    Args:
      runs: comparable, see `check_comparable`.
      protocol: name.
    """
    columns = [
        column
        for column in protocols.PROTOCOLS[protocol].columns
        if any(column.score in _means(run, protocol) for run in runs)
    ]
    rows = [row for mean in MEANS for row in _mean_rows(runs, protocol, mean, columns)]
    head = ("run", "mean over", *(column.heading for column in columns))
    return Table(f"Protocol {protocol}", head, tuple(rows))


def category_table(runs: Sequence[Run], protocol: str) -> Table:
    """One row per category with the headline score of every run."""
    column = protocols.PROTOCOLS[protocol].columns[0]
    own = [run.metrics["protocols"][protocol] for run in runs]
    rows = []
    for group in (*own[0]["per_category"], *MEANS):
        scores = [
            averages["per_category"].get(group, averages.get(group)) for averages in own
        ]
        winners = best([row.get(column.score) for row in scores], column)
        cells = [
            Cell(column.text(row), number in winners)
            for number, row in enumerate(scores)
        ]
        count = str(scores[0].get("count", ""))
        rows.append((Cell(MEANS.get(group, group)), Cell(count), *cells))
    return Table(
        f"Protocol {protocol}: {column.heading}",
        ("category", "samples", *(run.name for run in runs)),
        tuple(rows),
    )


def difference_table(runs: Sequence[Run]) -> Table:
    """The settings in which the runs differ, one per row."""
    settings = [dict(_flattened(run.config)) for run in runs]
    names = sorted(set(itertools.chain.from_iterable(settings)))
    rows = []
    for name in names:
        values = [_shown(flat.get(name)) for flat in settings]
        if len(set(values)) > 1:
            rows.append((Cell(name), *(Cell(value) for value in values)))
    return Table(
        "Settings that differ", ("setting", *(r.name for r in runs)), tuple(rows)
    )


def tables(runs: Sequence[Run]) -> list[Table]:
    """All of the above: what is known of the runs without images."""
    found = []
    for protocol in common_protocols(runs):
        found += [mean_table(runs, protocol), category_table(runs, protocol)]
    return [*found, difference_table(runs)]


def csv_text(runs: Sequence[Run]) -> str:
    """All scores of all runs, one per line, in units without factors."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("run", *score_tables.CSV_HEADER))
    for run in runs:
        lines = csv.reader(io.StringIO(score_tables.csv_text(run.metrics)))
        writer.writerows([run.name, *line] for line in itertools.islice(lines, 1, None))
    return file.getvalue()


def markdown_text(runs: Sequence[Run]) -> str:
    """All tables; the best run of a column is bold."""
    parts = ["# Comparison", f"{samples_text(runs)}."]
    for table in tables(runs):
        rows = [
            [f"**{cell.text}**" if cell.best else cell.text for cell in row]
            for row in table.rows
        ]
        parts += [f"## {table.title}", score_tables.markdown_table(table.head, rows)]
    return "\n\n".join(parts) + "\n"


def best(values: Sequence[float | None], column: protocols.Column) -> set[int]:
    """Numbers of the values that win, as printed; nobody if all are equal."""
    rounded = [
        None if value is None else round(value * column.factor, column.decimals)
        for value in values
    ]
    present = [value for value in rounded if value is not None]
    if len(set(present)) < 2:
        return set()
    winner = max(present) if column.higher_is_better else min(present)
    return {number for number, value in enumerate(rounded) if value == winner}


def samples_text(runs: Sequence[Run]) -> str:
    """What all runs were scored on, in words."""
    metrics = runs[0].metrics
    return (
        f"{metrics['num_samples']} views of the {metrics['split']} split of "
        f"{metrics['dataset']}"
    )


def _means(run, protocol, mean="mean_over_samples"):
    return run.metrics["protocols"][protocol][mean]


def _mean_rows(runs, protocol, mean, columns):
    scores = [_means(run, protocol, mean) for run in runs]
    winners = [best([row.get(c.score) for row in scores], c) for c in columns]
    labelled = [
        (name, averages[protocol][mean])
        for name, averages in runs[0].metrics["baselines"].items()
    ]
    num_before = len(labelled)
    labelled += [(run.name, row) for run, row in zip(runs, scores, strict=True)]
    labelled += [
        (row.system, row.scores)
        for row in score_tables.rows_of(runs[0].metrics, protocol)
        if row.system and row.group == mean
    ]
    what = Cell(MEANS[mean].removeprefix("mean over "))
    for number, (label, row) in enumerate(labelled, start=-num_before):  # runs from 0
        cells = [
            Cell(column.text(row), number in numbers)
            for column, numbers in zip(columns, winners, strict=True)
        ]
        yield (Cell(label), what, *cells)


def _samples_of_categories(run):
    averages = next(iter(run.metrics["protocols"].values()), {"per_category": {}})
    return {name: row["count"] for name, row in averages["per_category"].items()}


def _flattened(config, prefix="") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _shown(value):
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "–" if value is None else str(value)
