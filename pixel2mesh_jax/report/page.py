"""One self-contained HTML page about a run: images, curves, numbers.

Everything is in the file: no scripts or images from elsewhere, so it can be mailed.
"""

import html
import pathlib
from collections.abc import Mapping, Sequence

from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.evaluation import protocols, score_tables
from pixel2mesh_jax.report import curves, gallery, html_page, viewer

_FOOTER = """Chamfer: mean squared distance to the nearest neighbour, both ways
added, in m², where an object has a box diagonal of 0.57 m. F(τ): harmonic mean of the
parts of both surfaces that lie within the squared distance τ of the other. The rows of
baselines cost no training."""


def write_report(
    path: str | pathlib.Path,
    *,
    title: str,
    samples: Sequence[gallery.ReportSample],
    scalars_path: str | pathlib.Path | None = None,
    metrics: Mapping | None = None,
    config_text: str = "",
    command: str = "",
) -> None:
    """Writes the page; it appears complete or not at all.

    Args:
      path: of the HTML file.
      title: of the page.
      samples: held-out views with predictions, shown in this order, each also as a 3D
        view that the reader can turn.
      scalars_path: `metrics.jsonl` of the run; see `curves.read_scalars`.
      metrics: what `training.evaluate.evaluate` returns (`metrics.json`).
      config_text: shown as it is.
      command: that made the run, shown as it is.

    Raises:
      InputError: `scalars_path` cannot be read.
    """
    scalars = {} if scalars_path is None else curves.read_scalars(scalars_path)
    sections = [
        _samples_section(samples),
        _metrics_section(metrics),
        _curves_section(scalars),
        _config_section(config_text),
    ]
    text = html_page.render(
        title,
        header=[
            f'<p class="quiet">{html_page.now()}</p>',
            html_page.command_block(command),
            _facts(metrics, scalars),
        ],
        sections=sections,
        footer=_FOOTER,
    )
    write_atomically(path, text.encode())


def _facts(metrics, scalars):
    """The numbers that a reader looks for first."""
    facts = []
    if metrics is not None and metrics["num_samples"]:
        protocol = next(iter(metrics["protocols"]))
        own = metrics["protocols"][protocol]["mean_over_samples"]
        columns = protocols.PROTOCOLS[protocol].columns
        facts += [
            (columns[0].heading, columns[0].text(own)),
            *(
                (
                    f"{columns[0].heading}, {name}",
                    columns[0].text(averages[protocol]["mean_over_samples"]),
                )
                for name, averages in metrics["baselines"].items()
            ),
            *((column.heading, column.text(own)) for column in columns[1:2]),
            ("held-out samples", str(metrics["num_samples"])),
        ]
    if scalars:
        facts.append(("steps", str(max(int(s.max()) for s, _ in scalars.values()))))
    items = "".join(
        f"<div><dd>{value}</dd><dt>{name}</dt></div>" for name, value in facts
    )
    return f'<dl class="facts">{items}</dl>' if facts else ""


def _samples_section(shown):
    articles = "\n".join(_sample(sample) for sample in shown)
    return html_page.section("Held-out samples", articles)


def _sample(sample):
    surface_points = protocols.PROTOCOLS["surface"]
    predicted = surface_points.represent(sample.mesh.vertices, sample.mesh.faces)
    true = protocols.truth(sample.true_points, sample.true_normals)
    chamfer = 1e3 * surface_points.score(predicted, true)["chamfer"]
    groups = "".join(_group(group) for group in gallery.sample_groups(sample))
    return (
        f'<article><h3>{html.escape(sample.category)} <span class="quiet">'
        f"{html.escape(sample.name)} · chamfer ×10³ {chamfer:.2f}</span></h3>"
        f'<div class="groups">{groups}</div>'
        f"<details><summary>Turn the prediction</summary>{viewer.frame(sample.mesh)}"
        "</details></article>"
    )


def _group(group):
    tiles = "".join(
        f'<figure><img src="{gallery.image_url(image)}" '
        f'alt="{html.escape(caption)}" loading="lazy">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for caption, image in group.tiles
    )
    heading = html.escape(group.heading)
    return f'<div><h4>{heading}</h4><div class="tiles">{tiles}</div></div>'


def _metrics_section(metrics):
    if metrics is None:
        return ""
    tables = "".join(_table(metrics, protocol) for protocol in metrics["protocols"])
    return html_page.section("Metrics", f'<div class="tables">{tables}</div>')


def _table(metrics, protocol):
    rows = score_tables.rows_of(metrics, protocol)
    means = [row for row in rows if row.group in score_tables.MEANS]
    categories = [row for row in rows if row.group not in score_tables.MEANS]
    head = "".join(
        f"<th>{html.escape(heading)}</th>"
        for heading in ("category", *score_tables.headings(metrics, protocol))
    )
    body = "".join(_row(row, protocol) for row in categories)
    foot = "".join(_row(row, protocol) for row in means)
    explanation = html.escape(protocols.PROTOCOLS[protocol].explanation)
    notes = html.escape(" ".join(score_tables.notes(metrics, protocol)))
    return (
        f'<div><h3>Protocol {protocol}</h3><p class="quiet">{explanation}</p>'
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody><tfoot>{foot}</tfoot></table></div>"
        f'<p class="quiet">{notes}</p></div>'
    )


def _row(row, protocol):
    values = "".join(f"<td>{cell}</td>" for cell in score_tables.cells(row, protocol))
    kind = ' class="quiet"' if row.system else ""
    return f"<tr{kind}><th>{html.escape(row.label)}</th>{values}</tr>"


def _curves_section(scalars):
    if not scalars:
        return ""
    figure = f'<div class="curves">{curves.curves_svg(scalars)}</div>'
    return html_page.section("Training", figure)


def _config_section(config_text):
    if not config_text:
        return ""
    text = html.escape(config_text)
    return html_page.section(
        "Configuration", f"<details><summary>Show</summary><pre>{text}</pre></details>"
    )
