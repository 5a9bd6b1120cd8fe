"""Meshes of real captures beside their true surfaces, in millimetres.

    python -m benchmarks.captures FOLDER [--model rgbd_sdf] [--no_masks]

FOLDER holds captures as `reconstruct` takes them (`a.png`, `a_depth.png`,
`a_camera.json`, `a_mask.png`), each with its true surface in the frame of its camera
(`a_mesh.ply`, metres). Prints a Markdown table.
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float
from PIL import Image
from scipy.spatial import cKDTree

from pixel2mesh_jax import model as models
from pixel2mesh_jax.command_line import Parser
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import cameras, meshes, sources
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.weights import release

NUM_POINTS = 20_000  # of every surface
MM = 1000  # per metre
HEAD = (
    *("capture", "mesh to truth, mean", "truth to mesh, mean"),
    *("visible side, median", "watertight", "seconds"),
)


class Errors(NamedTuple):
    """Of one mesh, metres.

    Attributes:
      outward: mean distance from the mesh to the true surface.
      inward: mean distance from the true surface to the mesh.
      visible: median difference of both depths on the rays of the image.
    """

    outward: float
    inward: float
    visible: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = Parser(
        prog="python -m benchmarks.captures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--model", default=release.DEFAULT)
    parser.add_argument("--no_masks", action="store_true", help="depth cuts them out")
    wanted = parser.parse_args(arguments)
    try:
        model = models.load(wanted.model)
        found = sources.find_sources(wanted.folder)
        rows = [row(model, files, wanted.no_masks) for files in found]
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    lines = [HEAD, ("---", *["--:"] * (len(HEAD) - 1)), *rows]
    sys.stdout.writelines("| " + " | ".join(line) + " |\n" for line in lines)
    return 0


def row(model: models.Model, files: sources.Sources, no_masks: bool) -> list[str]:
    """A line of the table, distances in millimetres."""
    mask = None if no_masks else files.mask
    lens = cameras.load_camera(files.camera, files.image)
    call = (files.image, files.depth, lens, mask)
    model(*call)  # compiles
    result = model(*call)
    path = files.image.with_name(f"{files.image.stem}_mesh.ply")
    truth = meshes.load_surface(path)
    true = trimesh.Trimesh(truth.vertices, truth.faces, process=False)
    with Image.open(files.image) as image:
        width, height = image.size
    found = errors(result.mesh, true, lens.for_image(width, height), (height, width))
    distances = [f"{MM * value:.1f}" for value in found]
    closed = "yes" if result.is_watertight else "no"
    return [files.image.stem, *distances, closed, f"{result.seconds:.2f}"]


def errors(
    mesh: trimesh.Trimesh,
    true: trimesh.Trimesh,
    lens: Float[np.ndarray, "3 3"],
    shape: tuple[int, int],
) -> Errors:
    """Distances between two surfaces in the frame of one camera."""
    points, true_points = _sampled(mesh), _sampled(true)
    seen, true_seen = (
        raycast.cast(np.asarray(each.vertices), np.asarray(each.faces), lens, shape)
        for each in (mesh, true)
    )
    both = (seen.depth > 0) & (true_seen.depth > 0)
    return Errors(
        outward=float(cKDTree(true_points).query(points)[0].mean()),
        inward=float(cKDTree(points).query(true_points)[0].mean()),
        visible=float(np.median(np.abs(seen.depth - true_seen.depth)[both])),
    )


def _sampled(mesh):
    return trimesh.sample.sample_surface(mesh, NUM_POINTS, seed=0)[0]


if __name__ == "__main__":
    sys.exit(main())
