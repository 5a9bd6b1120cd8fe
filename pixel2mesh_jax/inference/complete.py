"""From points of a surface to a whole mesh, with or without an image beside them.

cloud.ply (+ cloud.png and cloud_camera.json) -> `Batch` of one -> network -> mesh, in
the frame and unit of the cloud

Points of a model that sees an image as well are in the frame of its camera: +x right,
+y up, it looks along -z. TensorFlow is not needed here.
"""

import logging
import pathlib
from collections.abc import Sequence

import numpy as np

from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import surface
from pixel2mesh_jax.inference import finish
from pixel2mesh_jax.inference.finish import Finish
from pixel2mesh_jax.inference.predict import Extract, extracted
from pixel2mesh_jax.inference.summary import json_bytes
from pixel2mesh_jax.io import (
    cameras,
    captures,
    meshes,
    ply,
    result_files,
    sources,
    views,
)
from pixel2mesh_jax.structures import Batch

SUFFIX = ".ply"
# Fewer points than a tetrahedron has enclose nothing.
MIN_POINTS = 4

Path = str | pathlib.Path
logger = logging.getLogger(__name__)


def complete(
    extract: Extract,
    source: Path,
    output: Path,
    *,
    image_size: int,
    inputs: Sequence[str],
    needs_colors: bool,
    intrinsics: Path | None = None,
    file_format: str = "obj",
    wanted: Finish = finish.AS_PREDICTED,
) -> list[pathlib.Path]:
    """Writes `<output>/<name>.<format>` and `<name>.json` for every cloud.

    Args:
      extract: one reconstruction per row of a batch; gets batches of one.
      source: a PLY file or a folder of them; faces in it do not count.
      output: folder; made if it does not exist.
      image_size: pixels per side that the network expects.
      inputs: what the network sees; with "rgb" it needs an image beside the cloud.
      needs_colors: whether the points have to have colours.
      intrinsics: of the images; by default the file beside each, else the camera of
        3D-R2N2.
      file_format: one of `meshes.FORMATS`.
      wanted: number of triangles, smoothing.

    Returns:
      The meshes, in the order of the names.

    Raises:
      InputError: the model sees no points, or a file is of no use.
    """
    if "points" not in inputs:
        raise InputError(
            f"{source}: the model sees images, not points; a cloud needs one that "
            "was trained with configs/implicit.py:cloud"
        )
    finish.check(wanted)
    if wanted.frame != finish.AS_PREDICTED.frame:
        raise InputError(
            f"--frame {wanted.frame} is for images: a completed cloud stays in the "
            "frame of its points"
        )
    if wanted.texture:
        raise InputError("--texture is for images: a cloud gives colours of vertices")
    written = []
    for path in _clouds(source):
        batch = cloud_batch(path, inputs, image_size, needs_colors, intrinsics)
        mesh = finish.reshape(extracted(extract, batch, path).mesh, wanted)
        target = pathlib.Path(output) / f"{path.stem}.{file_format}"
        meshes.save_mesh(target, *mesh)
        facts = {
            "cloud": path.name,
            "points": batch.points.shape[1],
            "frame": "of the cloud, in its unit",
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
            "volume": round(float(surface.signed_volume(*mesh[:2])), 9),
        }
        write_atomically(result_files.of_summary(target), json_bytes(facts))
        written.append(target)
    return written


def cloud_batch(
    path: pathlib.Path,
    inputs: Sequence[str],
    image_size: int,
    needs_colors: bool,
    intrinsics: Path | None = None,
) -> Batch:
    """A batch of one cloud, in random order, and of the image beside it.

    Raises:
      InputError: unreadable, too few points, no colours or no image where the model
        needs them; the message starts with the file name.
    """
    points, colors = _load(path)
    if needs_colors and colors is None:
        raise InputError(
            f"{path}: the points have no colours (red, green, blue), which the model "
            "was trained with; --config.model.grid=cloud_density trains without"
        )
    colors = np.zeros_like(points) if colors is None else colors
    # A model takes the first points: any order of a scanner would be a part of it.
    order = np.random.default_rng(0).permutation(len(points))
    return _image(path, inputs, image_size, intrinsics)._replace(
        points=points[None, order].astype(np.float32),
        colors=colors[None, order].astype(np.float32),
    )


def _load(path):
    try:
        points, colors = ply.read_points(path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    good = np.isfinite(points).all(axis=1)
    if np.count_nonzero(good) < MIN_POINTS:
        raise InputError(
            f"{path}: {np.count_nonzero(good)} points; expected at least {MIN_POINTS}"
        )
    if not good.all():
        logger.warning("%s: %d points are not finite", path, np.count_nonzero(~good))
    return points[good], None if colors is None else colors[good]


def _image(path, inputs, image_size, intrinsics) -> Batch:
    """The batch of the image beside a cloud; an empty one if none is needed."""
    if "rgb" not in inputs:
        blank = np.zeros((image_size, image_size, 4), np.uint8)
        depth, lens = np.zeros((image_size, image_size), np.float32), np.eye(3)
        view = views.View(blank, depth, lens.astype(np.float32))
        return views.batch_of_view(view, image_size)
    names = [path.with_suffix(suffix) for suffix in sources.IMAGE_SUFFIXES]
    found = next((name for name in names if name.is_file()), None)
    if found is None:
        raise InputError(
            f"{path}: the model needs an image beside the cloud, {names[0].name} or "
            "another type, seen by the camera in whose frame the points are"
        )
    files = sources.find_sources(found, None)[0]
    camera_file = files.camera if intrinsics is None else intrinsics
    camera = camera_file and cameras.load_camera(camera_file, found)
    view = captures.load_capture(found, None, camera, files.mask).view
    square, _ = views.canonicalize(view, "never")
    return views.batch_of_view(square, image_size)


def _clouds(source) -> list[pathlib.Path]:
    source = pathlib.Path(source)
    if source.is_dir():
        found = sorted(p for p in source.iterdir() if p.suffix.lower() == SUFFIX)
        if not found:
            raise InputError(f"{source}: no {SUFFIX} files in this folder")
        return found
    if source.suffix.lower() != SUFFIX:
        raise InputError(f"{source}: the model completes point clouds, {SUFFIX} files")
    return [source]
