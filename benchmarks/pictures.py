"""Held-out views on one sheet: image, depth, mesh from three sides, truth.

    python -m benchmarks.pictures --data_dir data --output docs/test_views.jpg

Views are taken evenly from the test split of a `mesh_folder` data set; the weights are
those that ship, or `--model RUN`. Under each row stands the chamfer distance.
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
        prog="python -m benchmarks.pictures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--dataset", default="mesh_folder")
    parser.add_argument("--model", default=release.DEFAULT)
    parser.add_argument("--views", type=int, default=24)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    wanted = parser.parse_args(arguments)
    try:
        model = models.load(wanted.model)
        rows = [row(sample) for sample in samples(model, wanted)]
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


def row(sample: ReportSample) -> UInt8[np.ndarray, "H W 3"]:
    """Image, depth, mesh as seen, from aside, from behind, and the truth there."""
    same = mesh_images.input_camera(sample.intrinsics, sample.rgb.shape[0], TILE)
    aside, behind = (
        mesh_images.turntable_camera(sample.true_points, *side, TILE) for side in SIDES
    )
    tiles = [
        np.round(sample.rgb * 255).astype(np.uint8),
        mesh_images.depth_picture(sample.depth),
        *(
            mesh_images.mesh_picture(*sample.mesh[:2], view, sample.mesh.colors)
            for view in (same, aside, behind)
        ),
        point_images.points_picture(
            sample.true_points, sample.true_normals, behind, sample.true_colors
        ),
    ]
    return _captioned(np.concatenate([_tile(tile) for tile in tiles], axis=1), sample)


def sheet(rows: Sequence[np.ndarray]) -> UInt8[np.ndarray, "H W 3"]:
    """Rows below each other, in `COLUMNS` columns."""
    height, width, _ = rows[0].shape
    lines = -(-len(rows) // COLUMNS)
    page = np.full((lines * height, COLUMNS * width, 3), 255, np.uint8)
    for number, picture in enumerate(rows):
        line, column = divmod(number, COLUMNS)
        page[line * height :, column * width :][:height, :width] = picture
    return page


def _tile(picture):
    image = Image.fromarray(picture).resize((TILE, TILE), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _captioned(picture, sample):
    surface = protocols.PROTOCOLS["surface"]
    predicted = surface.represent(sample.mesh.vertices, sample.mesh.faces)
    true = protocols.truth(sample.true_points, sample.true_normals)
    chamfer = 1e3 * surface.score(predicted, true)["chamfer"]
    image = Image.new("RGB", (picture.shape[1], TILE + LINE), "white")
    image.paste(Image.fromarray(picture))
    text = f"{sample.category}, chamfer x1e3: {chamfer:.2f}"
    font = ImageFont.load_default(LINE - 4)
    ImageDraw.Draw(image).text((4, TILE), text, fill=(90, 90, 90), font=font)
    return np.asarray(image)


if __name__ == "__main__":
    sys.exit(main())
