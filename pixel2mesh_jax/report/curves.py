"""The scalars of a run as curves: one small panel per quantity, inline SVG."""

import io
import json
import pathlib
from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from pixel2mesh_jax.errors import InputError

# Step numbers and values of one scalar.
Curve = tuple[np.ndarray, np.ndarray]

# Layout: panels per row, inches of a panel, points per curve (more are averaged).
COLUMNS = 3
PANEL_SIZE = (3.4, 2.3)
MAX_POINTS = 300
# Curves of fewer points get a dot at each.
FEW_POINTS = 10
# Reads on light and on dark pages.
LINE_COLOR = "#3b82c4"
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
    "lines.linewidth": 1.6,
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

    The value axis is logarithmic where all values are positive. Names without "/" come
    first.
    """
    names = sorted(scalars, key=lambda name: (name.count("/"), name))
    rows = max(-(-len(names) // COLUMNS), 1)
    with matplotlib.rc_context(_STYLE):
        width, height = PANEL_SIZE
        figure = Figure((width * COLUMNS, height * rows), layout="constrained")
        axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axis, name in zip(axes, names, strict=False):
            _draw_panel(axis, name, *scalars[name])
        for axis in axes[len(names) :]:
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


def _draw_panel(axis, name, steps, values):
    steps, values = thinned(steps, values)
    marker = "o" if len(steps) < FEW_POINTS else None
    axis.plot(steps, values, color=LINE_COLOR, marker=marker, markersize=3)
    if (values > 0).all():
        axis.set_yscale("log")
    axis.set_title(name)
    axis.grid(True)
    axis.margins(x=0.02)


def thinned(
    steps: np.ndarray, values: np.ndarray, max_points: int = MAX_POINTS
) -> Curve:
    """Means of consecutive points, so that a long run stays a small image."""
    parts = min(max_points, len(steps))
    return tuple(
        np.array([part.mean() for part in np.array_split(array, parts)])
        for array in (steps, values)
    )


def _svg(figure):
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :].replace(_PAGE_COLOR, "currentColor")
