"""The scalars of a run as curves: one small panel per quantity, inline SVG."""

import io
import json
import pathlib
from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pixel2mesh_jax.errors import InputError

# Step numbers and values of one scalar.
Curve = tuple[np.ndarray, np.ndarray]

# Layout: panels per row, inches of a panel, points per curve (more are averaged).
COLUMNS = 3
PANEL_SIZE = (3.4, 2.3)
MAX_POINTS = 300
# Line colours that read on light and on dark pages.
PALETTE = ("#3b82c4", "#e07b39", "#4caf7a", "#b05fc0", "#c9a227")
# Text and axes are drawn in this colour; the text colour of the page replaces it.
_PAGE_COLOR = "#010203"
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pixel2mesh_jax",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": _PAGE_COLOR,
    "axes.labelcolor": _PAGE_COLOR,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _PAGE_COLOR,
    "xtick.color": _PAGE_COLOR,
    "ytick.color": _PAGE_COLOR,
    "grid.color": "#808080",
    "grid.alpha": 0.25,
}


def read_scalars(path: str | pathlib.Path) -> dict[str, Curve]:
    """Reads `metrics.jsonl`: one object per line, `{"step": 10, "train/loss": 0.5}`.

    Values that are not numbers are left out. The last line may be incomplete, as an
    interrupted run leaves it.

    Raises:
      InputError: no such file, or a line that is not such an object.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    points: dict[str, dict[int, float]] = {}
    for row in _rows(path):
        for name, value in row.items():
            if name != "step" and isinstance(value, int | float):
                points.setdefault(name, {})[row["step"]] = float(value)
    return {
        name: (np.array(list(values)), np.array(list(values.values())))
        for name, values in points.items()
    }


def curves_svg(scalars: Mapping[str, Curve]) -> str:
    """Draws the scalars over the steps, `<svg>...</svg>` with a transparent ground.

    Scalars that differ only in what stands before the last "/" (train/loss, val/loss)
    share a panel. The value axis is logarithmic where all values are positive.
    """
    panels: dict[str, dict[str, Curve]] = {}
    for name, curve in scalars.items():
        panels.setdefault(name.rpartition("/")[2], {})[name] = curve
    rows = -(-len(panels) // COLUMNS)
    with matplotlib.rc_context(_STYLE):
        width, height = PANEL_SIZE
        figure = Figure((width * COLUMNS, height * max(rows, 1)), layout="constrained")
        axes = figure.subplots(max(rows, 1), COLUMNS, squeeze=False).ravel()
        for axis, (title, curves) in zip(axes, panels.items(), strict=False):
            _draw_panel(axis, title, curves)
        for axis in axes[len(panels) :]:
            axis.remove()
        return _svg(figure)


def _rows(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError:
            if number == len(lines):
                return
            raise InputError(f"{path}, line {number}: not JSON") from None
        if not isinstance(row, dict) or "step" not in row:
            raise InputError(f'{path}, line {number}: expected an object with "step"')
        yield row


def _draw_panel(axis: Axes, title: str, curves: Mapping[str, Curve]) -> None:
    for number, (name, curve) in enumerate(curves.items()):
        steps, values = _thinned(*curve)
        axis.plot(
            steps,
            values,
            color=PALETTE[number % len(PALETTE)],
            linewidth=1.6,
            marker="o" if len(steps) < 10 else None,
            markersize=3,
            label=name.rpartition("/")[0] or name,
        )
    if all((values > 0).all() for _, values in curves.values()):
        axis.set_yscale("log")
    axis.set_title(title)
    axis.grid(True)
    axis.margins(x=0.02)
    if len(curves) > 1:
        axis.legend(frameon=False, fontsize=8)


def _thinned(steps, values):
    """Means of consecutive points, so that a long run stays a small picture."""
    parts = min(MAX_POINTS, len(steps))
    return tuple(
        np.array([part.mean() for part in np.array_split(array, parts)])
        for array in (steps, values)
    )


def _svg(figure):
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :].replace(_PAGE_COLOR, "currentColor")
