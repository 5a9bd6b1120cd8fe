"""What the choices between the distances of the network and the mesh are worth.

    python -m benchmarks.extraction --data_dir data --views 100

Of the weights that ship, on views of the validation split, taken evenly: choices are
made there and never on the test split. Every row changes one thing; the network runs
once per view. Scores: protocol `surface`, means over the views.
"""

import argparse
import functools
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from benchmarks import ways as all_ways
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import protocols
from pixel2mesh_jax.geometry import frustum, isosurface
from pixel2mesh_jax.io.meshes import Surface
from pixel2mesh_jax.methods import frustum as method
from pixel2mesh_jax.structures import Batch, VolumeOutputs
from pixel2mesh_jax.training import run_folder
from pixel2mesh_jax.weights import release

LEVELS = (0.0, 0.2, 0.3)  # cells, besides the one of the weights
PLANES = (0, 1, 2)  # of symmetry, likewise


class View(NamedTuple):
    """What the network says of one view.

    Attributes:
      found: its outputs, without the axis of the batch.
      volume: where the grid stands.
      truth: the true shape.
    """

    found: VolumeOutputs
    volume: frustum.ViewVolume
    truth: protocols.Truth


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = all_ways.parser("extraction", __doc__, "val")
    wanted = parser.parse_args(arguments)
    try:
        run = run_folder.load_released(release.DEFAULT)
        model = run.config.model
        text = table(views(run, wanted), choices(model.level, model.mirrors))
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(text + "\n")
    return 0


def choices(level: float, mirrors: int) -> dict[str, Callable[[View], Surface]]:
    """Name -> how a mesh is made of a view; the first one is how it is done."""
    made = functools.partial(mesh, level=level, mirrors=mirrors)
    fewer = (count for count in PLANES if count != mirrors)
    return {
        f"as it is: level {level:g}, carved and stamped, {mirrors} planes of symmetry, "
        "visible parts": made,
        **{
            f"planes of symmetry: {n}": functools.partial(made, mirrors=n)
            for n in fewer
        },
        **{
            f"level {other:g}": functools.partial(made, level=other) for other in LEVELS
        },
        "carved, not stamped": functools.partial(made, field=carved),
        "the network alone": functools.partial(made, field=network_alone, mirrors=0),
        "all parts": functools.partial(made, visible=False),
    }


def views(run: run_folder.Run, wanted: argparse.Namespace) -> Iterator[View]:
    """Views of a split, evenly spaced, through the network."""
    batches = all_ways.views(wanted, run.config.image_size)
    return (view_of(run, batch) for batch in batches)


def view_of(run: run_folder.Run, batch: Batch) -> View:
    """One view with depth."""
    found = jax.device_get(run.call("__call__", batch))
    one = jax.tree.map(lambda array: np.asarray(array[0]), found)
    truth = protocols.truth(batch.points[0], batch.normals[0])
    return View(one, frustum.unpack(one.placement.astype(np.float64)), truth)


def carved(distances, measured, depth, cosine, volume, level):
    """Nothing before the measured surface."""
    del depth, cosine, volume
    return np.maximum(distances - level, measured)


def network_alone(distances, measured, depth, cosine, volume, level):
    """As the network says it."""
    del measured, depth, cosine, volume
    return distances - level


def mesh(
    view: View,
    level: float,
    mirrors: int,
    field: Callable = isosurface.carve_and_stamp,
    visible: bool = True,
) -> Surface:
    """The mesh of a view."""
    found = view.found
    seen = found.measured, found.depth, found.cosine, view.volume
    values = field(found.distances, *seen, level)
    values, _ = method.completed(values, found, view.volume, mirrors)
    return isosurface.extract(values, view.volume, visible)


def table(seen: Iterator[View], ways: dict[str, Callable[[View], Surface]]) -> str:
    """Mean scores of each way."""
    scores = {name: [] for name in ways}
    for view, name in itertools.product(seen, ways):
        scores[name].append(all_ways.score(ways[name](view), view.truth))
    return all_ways.table(scores)


if __name__ == "__main__":
    sys.exit(main())
