"""One self-contained HTML page about several runs: scores, and meshes side by side."""

import html
import os
from collections.abc import Sequence

import numpy as np

from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.evaluation import protocols, run_tables
from pixel2mesh_jax.evaluation.run_tables import Run, Table
from pixel2mesh_jax.rendering import mesh_images, point_images
from pixel2mesh_jax.report import gallery, html_page

# Degrees around the object from the input camera, and above its horizon.
OTHER_SIDE = (60.0, 25.0)
# Pixels of a column of images; several views stand side by side if they fit.
COLUMN_WIDTH = 165
_CSS = """
header, main, footer { max-width: 1480px; }
.best { color: var(--accent); font-weight: 700; }
.table {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 16px 18px; margin-bottom: 16px;
}
.pair, .views { display: grid; gap: 16px; align-items: start; }
.pair { grid-template-columns: repeat(auto-fit, minmax(min(100%, 600px), 1fr)); }
.pair .table, .views article { margin: 0; min-width: 0; }
.sides { display: grid; gap: 8px; overflow-x: auto; align-items: end; }
.sides img { display: block; width: 100%; aspect-ratio: 1;
  background: #fff; border: 1px solid var(--line); border-radius: 8px;
  object-fit: contain; }
.sides .head { font-weight: 600; font-size: 14px; overflow-wrap: anywhere;
  line-height: 1.25; }
.sides .head span { display: block; font-weight: 400; font-size: 13px;
  color: var(--quiet); font-variant-numeric: tabular-nums; }
.sides .head span.best { color: var(--accent); font-weight: 700; }
"""


def write_comparison(
    path: str | os.PathLike,
    runs: Sequence[Run],
    samples: Sequence[Sequence[gallery.ReportSample]],
    command: str = "",
) -> None:
    """Writes the page; it appears complete or not at all.

    Args:
      path: of the HTML file.
      runs: comparable, see `run_tables.check_comparable`.
      samples: for every run the same views, in the same order; no views, no images.
      command: that made the page, shown as it is.
    """
    means = _of_protocols(run_tables.mean_table, runs)
    categories = _of_protocols(run_tables.category_table, runs)
    sections = [
        html_page.section("Scores", _pair(means)),
        _views_section(runs, list(zip(*samples, strict=True))),
        html_page.section("Per category", _pair(categories)),
        html_page.section("Settings", _html_table(run_tables.difference_table(runs))),
        html_page.command_block(command),
    ]
    footer = "<br>".join(
        html.escape(f"{name}: {protocols.PROTOCOLS[name].explanation}")
        for name in run_tables.common_protocols(runs)
    )
    samples_text = html.escape(run_tables.samples_text(runs))
    text = html_page.render(
        " · ".join(run.name for run in runs),
        header=[f'<p class="quiet">{samples_text} · {html_page.now()}</p>'],
        sections=sections,
        footer=footer,
        css=_CSS,
    )
    write_atomically(path, text.encode())


def _of_protocols(make_table, runs):
    return [make_table(runs, name) for name in run_tables.common_protocols(runs)]


def _pair(tables: Sequence[Table]):
    return f'<div class="pair">{"".join(map(_html_table, tables))}</div>'


def _html_table(table: Table):
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in table.head)
    body = "".join(_html_row(row) for row in table.rows)
    return (
        f'<div class="table"><h3>{html.escape(table.title)}</h3><div class="scroll">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></div>"
    )


def _html_row(row):
    label, *cells = row
    values = "".join(
        f"<td{_best_class(cell.best)}>{html.escape(cell.text)}</td>" for cell in cells
    )
    return f"<tr><th>{html.escape(label.text)}</th>{values}</tr>"


def _best_class(best):
    return ' class="best"' if best else ""


def _views_section(runs, views):
    if not views:
        return ""
    protocol = run_tables.common_protocols(runs)[0]
    articles = "\n".join(_view(runs, view, protocol) for view in views)
    width = f"minmax(min(100%, {COLUMN_WIDTH * (len(runs) + 2)}px), 1fr)"
    columns = f"grid-template-columns: repeat(auto-fit, {width})"
    return html_page.section(
        "The same views", f'<div class="views" style="{columns}">{articles}</div>'
    )


def _view(runs, view, protocol):
    """Input, truth and the mesh of every run: from the input camera, and turned."""
    first = view[0]
    texts, winners = _headline(view, protocol)
    heads = [_head("input", ""), _head("truth", "")] + [
        _head(run.name, text, number in winners)
        for number, (run, text) in enumerate(zip(runs, texts, strict=True))
    ]
    size = first.rgb.shape[0]
    same = mesh_images.input_camera(first.intrinsics, size, gallery.TILE)
    turned = mesh_images.turntable_camera(first.true_points, *OTHER_SIDE, gallery.TILE)
    image = np.round(first.rgb * 255).astype(np.uint8)
    depth = mesh_images.depth_image(first.depth) if first.depth.any() else None
    tiles = [
        _tile("image", image),
        *_seen_from(runs, view, same, "from the input camera"),
        _tile("depth", depth),
        *_seen_from(runs, view, turned, f"turned by {OTHER_SIDE[0]:.0f}°"),
    ]
    columns = f"grid-template-columns: repeat({len(heads)}, minmax(110px, 1fr))"
    return (
        f'<article><h3>{html.escape(first.category)} <span class="quiet">'
        f'{html.escape(first.name)}</span></h3><div class="sides" style="{columns}">'
        f"{''.join(heads)}{''.join(tiles)}</div></article>"
    )


def _seen_from(runs, view, viewpoint, where):
    """Tiles of the truth and of all predictions from one viewpoint."""
    first = view[0]
    colored = any(sample.mesh.colors is not None for sample in view)
    colors = first.true_colors if colored else None
    true = point_images.points_image(
        first.true_points, first.true_normals, viewpoint, colors
    )
    predicted = [
        mesh_images.mesh_image(
            sample.mesh.vertices, sample.mesh.faces, viewpoint, sample.mesh.colors
        )
        for sample in view
    ]
    names = ["truth", *(run.name for run in runs)]
    return [
        _tile(f"{name}, {where}", image)
        for name, image in zip(names, [true, *predicted], strict=True)
    ]


def _headline(view, protocol):
    """Headline score of every run for this view, and the numbers of the best."""
    chosen = protocols.PROTOCOLS[protocol]
    column = chosen.columns[0]
    true = protocols.truth(view[0].true_points, view[0].true_normals)
    scores = [
        chosen.score(chosen.represent(sample.mesh.vertices, sample.mesh.faces), true)
        for sample in view
    ]
    texts = [f"{column.heading} {column.text(row)}" for row in scores]
    return texts, run_tables.best([row[column.score] for row in scores], column)


def _head(name, text, best=False):
    score = f"<span{_best_class(best)}>{html.escape(text)}</span>" if text else ""
    return f'<div class="head">{html.escape(name)}{score}</div>'


def _tile(caption, image):
    if image is None:
        return "<div></div>"
    return (
        f'<img src="{gallery.image_url(image)}" alt="{html.escape(caption)}" '
        f'title="{html.escape(caption)}" loading="lazy">'
    )
