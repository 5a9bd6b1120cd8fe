"""Marching cubes and graph convolutions on the same signed distances.

    python -m benchmarks.refined RUN --data_dir data --views 100

RUN is one of `rgbd_sdf_refined.py`. Its network says distances, and moves the mesh of
their inside in three stages; marching cubes makes another mesh of the same distances,
alone and with what the depth map says (`geometry/isosurface.py`), without planes of
symmetry. Scores: protocol `surface`, means over evenly spaced views.
"""

import pathlib
import sys
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from benchmarks import ways
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import protocols
from pixel2mesh_jax.geometry import frustum, isosurface
from pixel2mesh_jax.methods import frustum as method
from pixel2mesh_jax.structures import Batch, HostMesh
from pixel2mesh_jax.training import run_folder

METHOD = "frustum_mesh"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = ways.parser("refined", __doc__, "test")
    parser.add_argument("run", type=pathlib.Path, metavar="RUN")
    wanted = parser.parse_args(arguments)
    try:
        run = run_folder.load_run(wanted.run)
        if run.config.method != METHOD:
            raise InputError(f"{wanted.run}: not a run of rgbd_sdf_refined.py")
        text = table(run, ways.views(wanted, run.config.image_size))
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(text + "\n")
    return 0


def table(run: run_folder.Run, views: Iterator[Batch]) -> str:
    """Mean scores of each way to a mesh."""
    scores: dict[str, list] = {}
    for batch in views:
        truth = protocols.truth(batch.points[0], batch.normals[0])
        for name, mesh in meshes(run, batch).items():
            scores.setdefault(name, []).append(ways.score(mesh, truth))
    return ways.table(scores)


def meshes(run: run_folder.Run, batch: Batch) -> dict[str, HostMesh]:
    """Of one view with depth, by the way in which they are made."""
    found = jax.device_get(run.call("__call__", batch)).volume
    one = jax.tree.map(lambda array: np.asarray(array[0]), found)
    volume = frustum.unpack(one.placement.astype(np.float64))
    level = run.config.model.level
    stamped, _ = method.field_of(one, volume, level, mirrors=0)
    (refined,) = run.extract(batch)
    return {
        "marching cubes": isosurface.extract(one.distances - level, volume),
        "marching cubes, carved and stamped": isosurface.extract(stamped, volume),
        "corners of the cells, moved to distance 0": refined.stages[0],
        **{
            f"after stage {number} of the refinement": stage
            for number, stage in enumerate(refined.stages[1:], start=1)
        },
    }


if __name__ == "__main__":
    sys.exit(main())
