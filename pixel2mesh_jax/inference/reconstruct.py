"""From a picture (with depth and camera, if there are any) to mesh files.

picture -> `View` -> canonical square (geometry/canonical_view.py) -> `Batch` of one ->
network -> meshes -> back into the camera frame of the picture -> files and a preview.

TensorFlow is not needed here.
"""

import logging
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import trimesh
from rich import progress

from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import object_crop, sources, surface, views
from pixel2mesh_jax.io import depth_maps, meshes
from pixel2mesh_jax.io.matting import load_matting
from pixel2mesh_jax.report import preview
from pixel2mesh_jax.structures import Batch, Reconstruction

FITS = views.FITS
FORMATS = tuple(suffix[1:] for suffix in meshes.SAVE_SUFFIXES)
# What `Written.frame` says.
METRIC_FRAME = "camera of the picture, metres"
PICTURE_FRAME = "camera of the picture, Pixel2Mesh metres"
CANONICAL_FRAME = "camera of the cut-out square, Pixel2Mesh metres"

Path = str | pathlib.Path
# (H, W, 4) straight colours and coverage -> (H, W) relative inverse depth in [0, 1].
Estimate = Callable[[np.ndarray], np.ndarray]
logger = logging.getLogger(__name__)


class Written(NamedTuple):
    """What was written for one picture.

    Attributes:
      picture: the image.
      meshes: files; the final mesh first, then those of the stages, if wanted.
      preview: a strip of pictures.
      volume: enclosed by the final mesh, cubic metres of `frame`.
      watertight: whether every edge of the final mesh has two faces.
      frame: of the vertices.
    """

    picture: pathlib.Path
    meshes: tuple[pathlib.Path, ...]
    preview: pathlib.Path
    volume: float
    watertight: bool
    frame: str


def reconstruct(
    extract: Callable[[Batch], list[Reconstruction]],
    source: Path,
    output: Path,
    *,
    image_size: int,
    inputs: Sequence[str] = ("rgb",),
    depth: Path | None = None,
    intrinsics: Path | None = None,
    depth_unit: float | None = None,
    estimate: Estimate | None = None,
    matting: str = "none",
    fit: str = "auto",
    file_format: str = "obj",
    stages: bool = False,
) -> list[Written]:
    """Writes `<output>/<name>.<format>` and `<name>_preview.png` for every picture.

    Beside a picture `<name>.png`, the files `<name>_depth.png` (or `.npy`, `.exr`),
    `<name>_mask.png` and `<name>_camera.json` (or `intrinsics.json`, for the folder)
    are used if they exist.

    Args:
      extract: one reconstruction per row of a batch; gets batches of one.
      source: a picture or a folder of pictures.
      output: folder; made if it does not exist.
      image_size: pixels per side that the network expects.
      inputs: what the network sees, of "rgb" and "depth".
      depth: depth map, or a folder of them; see `sources.find_sources`.
      intrinsics: of all pictures; see `depth_maps.load_intrinsics`. By default the
        camera of 3D-R2N2 is assumed.
      depth_unit: metres per stored value; see `depth_maps.load_depth`.
      estimate: says relative inverse depth in [0, 1] where a picture has no depth map.
        The mesh then is as large as without depth: an estimate knows no metres.
      matting: cuts the object out of pictures that have neither transparency nor a
        mask; see `matting.load_matting`.
      fit: whether to cut out the object and move it to where the network expects it:
        "auto" (if it is elsewhere), "always", "never".
      file_format: "obj", "ply" or "glb".
      stages: also write the mesh of every stage, `<name>_stage1.<format>` and so on.

    Returns:
      What was written, in the order of the names.

    Raises:
      InputError: on unusable input. In a folder, only after the other pictures.
    """
    _check_choice("fit", fit, FITS)
    _check_choice("format", file_format, FORMATS)
    if depth is not None and "depth" not in inputs:
        logger.warning("The model sees colour only: depth just gives the metric scale.")
    if estimate is not None and "depth" not in inputs:
        logger.warning("The model sees colour only: no depth is estimated.")
        estimate = None
    cut_out = load_matting(matting)
    matrix = None if intrinsics is None else depth_maps.load_intrinsics(intrinsics)

    def run(files: sources.Sources) -> Written:
        if "depth" in inputs and files.depth is None and estimate is None:
            raise InputError(_missing_depth(files.picture))
        view = _view_of_files(files, matrix, depth_unit, cut_out)
        name = pathlib.Path(output) / f"{files.picture.stem}.{file_format}"
        return _reconstruct_view(
            extract, view, files.picture, name, image_size, fit, stages, estimate
        )

    found = sources.find_sources(source, depth)
    if not pathlib.Path(source).is_dir():
        return [run(found[0])]
    return _run_folder(run, found)


def _missing_depth(picture):
    return (
        f"{picture}: the model needs depth: give --depth (a depth map or a folder), "
        f"put {picture.stem}_depth.png beside the picture, let a network guess it "
        "(--estimate_depth onnx:FILE), or use a model trained with configs/rgb.py"
    )


def _view_of_files(files, intrinsics, depth_unit, cut_out):
    if intrinsics is None and files.camera is not None:
        intrinsics = depth_maps.load_intrinsics(files.camera)
    return views.load_view(
        files.picture, files.depth, intrinsics, files.mask, depth_unit, cut_out
    )


def _reconstruct_view(extract, view, picture, path, image_size, fit, stages, estimate):
    """Predicts and writes the meshes and the preview of one picture."""
    metric = bool(view.depth.any())
    square, fitted = views.canonicalize(view, fit)
    if estimate is not None and not metric:
        square = views.with_relative_depth(square, estimate(square.rgba))
    batch = views.batch_of_view(square, image_size)
    predicted = list(extract(batch)[0].stages)
    strip = preview.preview(
        batch.rgb[0], batch.depth[0], batch.intrinsics[0], *predicted[-1]
    )
    if fitted is not None and metric:
        predicted = [
            mesh._replace(
                vertices=object_crop.camera_from_canonical(mesh.vertices, fitted)
            )
            for mesh in predicted
        ]
    files = {path: predicted[-1]}
    if stages:
        for number, mesh in enumerate(predicted, start=1):
            files[path.with_stem(f"{path.stem}_stage{number}")] = mesh
    for file, mesh in files.items():
        meshes.save_mesh(file, *mesh)
    strip_path = path.with_name(f"{path.stem}_preview.png")
    write_atomically(strip_path, preview.png_bytes(strip))
    return Written(
        picture=picture,
        meshes=tuple(files),
        preview=strip_path,
        volume=float(surface.signed_volume(*predicted[-1][:2])),
        watertight=_is_watertight(predicted[-1]),
        frame=_frame(fitted, metric),
    )


def _frame(fitted, metric):
    if metric:
        return METRIC_FRAME
    return PICTURE_FRAME if fitted is None else CANONICAL_FRAME


def _run_folder(run, found):
    """Reconstructs picture by picture; reports at the end which ones failed."""
    results, failures = [], []
    for files in progress.track(found, "Reconstructing"):
        try:
            results.append(run(files))
        except InputError as error:
            failures.append(str(error))
    if failures:
        raise InputError(
            f"{len(failures)} of {len(found)} pictures could not be reconstructed:\n  "
            + "\n  ".join(failures)
        )
    return results


def _is_watertight(mesh):
    return bool(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).is_watertight)


def _check_choice(name, value, choices):
    if value not in choices:
        raise InputError(f"unknown {name} {value!r}; valid: {', '.join(choices)}")
