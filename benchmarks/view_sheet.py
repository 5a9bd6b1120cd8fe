"""Held-out views on one sheet: image, depth, mesh from three sides, truth.

    python -m benchmarks.view_sheet --data_dir data --output docs/test_views.jpg

Views are taken evenly from the test split of a `mesh_folder` data set; the weights are
those that ship, or `--model RUN`. Several runs stand side by side, from two sides each.
Under each row stand the chamfer distances.
"""

import argparse
import pathlib
import sys
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from data_pipelines import input_pipeline
from pixel2mesh_jax import model as models
from pixel2mesh_jax.command_line import Parser
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import protocols
from pixel2mesh_jax.rendering import mesh_images, point_images
from pixel2mesh_jax.report.gallery import ReportSample
from pixel2mesh_jax.report.held_out import report_samples
from pixel2mesh_jax.weights import release

TILE = 128  # pixels
LINE = 16  # pixels of the text below a row
COLUMNS = 3  # views side by side
# Degrees around the object from the input camera, and above its horizon.
SIDES = ((90.0, 20.0), (180.0, 20.0))
JPEG_QUALITY = 88


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = Parser(
        prog="python -m benchmarks.view_sheet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--dataset", default="mesh_folder")
    parser.add_argument("--model", nargs="+", default=[release.DEFAULT])
    parser.add_argument("--views", type=int, default=24)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    wanted = parser.parse_args(arguments)
    try:
        found = [samples(models.load(name), wanted) for name in wanted.model]
        rows = [row(view) for view in zip(*found, strict=True)]
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    Image.fromarray(sheet(rows)).save(wanted.output, quality=JPEG_QUALITY)
    return 0


def samples(model: models.Model, wanted: argparse.Namespace) -> Iterator[ReportSample]:
    """Every n-th view of the test split with its prediction."""
    where = (wanted.dataset, wanted.data_dir)
    info = input_pipeline.dataset_info(*where)
    total = info.num_examples["test"]
    chosen = np.linspace(0, total - 1, wanted.views).round().astype(int).tolist()
    batches = input_pipeline.eval_batches(
        *where,
        split="test",
        batch_size=1,
        image_size=model.config.image_size,
        places=chosen,
    )
    names = [f"test {place + 1}" for place in chosen]
    yield from report_samples(model.extract, batches, info.categories, names)


def row(view: Sequence[ReportSample]) -> UInt8[np.ndarray, "H W 3"]:
    """Image, depth, the mesh of each model, and the truth from behind.

    The mesh is seen by the camera of the image, from aside if it is the only one, and
    from behind.
    """
    first = view[0]
    same = mesh_images.input_camera(first.intrinsics, first.rgb.shape[0], TILE)
    aside, behind = (
        mesh_images.turntable_camera(first.true_points, *side, TILE) for side in SIDES
    )
    cameras = (same, aside, behind) if len(view) == 1 else (same, behind)
    tiles = [
        np.round(first.rgb * 255).astype(np.uint8),
        mesh_images.depth_image(first.depth),
        *(
            mesh_images.mesh_image(*sample.mesh[:2], camera, sample.mesh.colors)
            for sample in view
            for camera in cameras
        ),
        point_images.points_image(
            first.true_points, first.true_normals, behind, first.true_colors
        ),
    ]
    return _captioned(np.concatenate([_tile(tile) for tile in tiles], axis=1), view)


def sheet(rows: Sequence[np.ndarray]) -> UInt8[np.ndarray, "H W 3"]:
    """Rows below each other, in `COLUMNS` columns."""
    height, width, _ = rows[0].shape
    lines = -(-len(rows) // COLUMNS)
    page = np.full((lines * height, COLUMNS * width, 3), 255, np.uint8)
    for number, image in enumerate(rows):
        line, column = divmod(number, COLUMNS)
        page[line * height :, column * width :][:height, :width] = image
    return page


def _tile(values):
    image = Image.fromarray(values).resize((TILE, TILE), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _captioned(tiles, view):
    chamfer = ", ".join(f"{1e3 * _chamfer(sample):.2f}" for sample in view)
    image = Image.new("RGB", (tiles.shape[1], TILE + LINE), "white")
    image.paste(Image.fromarray(tiles))
    text = f"{view[0].category}, chamfer x1e3: {chamfer}"
    font = ImageFont.load_default(LINE - 4)
    ImageDraw.Draw(image).text((4, TILE), text, fill=(90, 90, 90), font=font)
    return np.asarray(image)


def _chamfer(sample):
    surface = protocols.PROTOCOLS["surface"]
    predicted = surface.represent(sample.mesh.vertices, sample.mesh.faces)
    true = protocols.truth(sample.true_points, sample.true_normals)
    return surface.score(predicted, true)["chamfer"]


if __name__ == "__main__":
    sys.exit(main())
