"""Scalars of trainings that went on from each other, as one image.

    python -m benchmarks.learning_curves RUN RUN... --output docs/learning_curves.png

Each run began with the weights that the one before ended with
(`--config.init_from`), so their steps are counted on. Dotted lines stand between runs.
"""

import argparse
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from pixel2mesh_jax.report import curves
from pixel2mesh_jax.report.curves import Curve
from pixel2mesh_jax.training import scalars

# Scalar -> title and factor of a panel.
PANELS = {
    "loss": ("training loss", 1.0),
    "val/chamfer": ("validation: chamfer x1000", 1e3),
    "val/f_score_1e-4": ("validation: F(1e-4) %", 100.0),
}
PANEL_SIZE = (3.4, 2.6)  # inches
DPI = 100
MAX_POINTS = 60  # of a curve; neighbours are averaged


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning_curves", description=__doc__.splitlines()[0]
    )
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--first_step", type=int, default=0, help="of the first run")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    options = parser.parse_args(arguments)
    read = [curves.read_scalars(run / scalars.FILE_NAME) for run in options.runs]
    joined, ends = join(read, options.first_step)
    figure = draw(joined, ends)
    figure.savefig(options.output, dpi=DPI, metadata={"Software": None})
    return 0


def join(
    runs: Sequence[Mapping[str, Curve]], first_step: int = 0
) -> tuple[dict[str, Curve], list[int]]:
    """Counts the steps of the runs on.

    Args:
      runs: scalars of each, as `curves.read_scalars` gives them.
      first_step: that came before them.

    Returns:
      The scalars of `PANELS` that there are, and the last step of every run.
    """
    parts, ends, before = {}, [], first_step
    for found in runs:
        for name in PANELS.keys() & found.keys():
            steps, values = found[name]
            parts.setdefault(name, []).append((steps + before, values))
        before += int(max(steps[-1] for steps, _ in found.values()))
        ends.append(before)
    joined = {
        name: tuple(np.concatenate(side) for side in zip(*curve, strict=True))
        for name, curve in parts.items()
    }
    return joined, ends


def draw(joined: Mapping[str, Curve], ends: Sequence[int]) -> Figure:
    """One panel per scalar, in the order of `PANELS`."""
    names = [name for name in PANELS if name in joined]
    width, height = PANEL_SIZE
    figure = Figure((width * len(names), height), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False).ravel()
    for axis, name in zip(axes, names, strict=True):
        title, factor = PANELS[name]
        steps, values = curves.thinned(*joined[name], MAX_POINTS)
        marker = "o" if name.startswith("val/") else None
        axis.plot(steps, factor * values, curves.LINE_COLOR, marker=marker)
        for end in ends[:-1]:
            axis.axvline(end, color="grey", linestyle=":")
        axis.set_title(title)
        axis.set_xlabel("steps")
        axis.grid(True, alpha=0.25)
    return figure


if __name__ == "__main__":
    raise SystemExit(main())
