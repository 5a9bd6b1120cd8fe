"""From a picture (with depth and camera, if there are any) to mesh files.

picture -> `View` -> canonical square (geometry/object_crop.py) -> `Batch` of one ->
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
from pixel2mesh_jax.geometry import object_crop, surface
from pixel2mesh_jax.io import cameras, exif, meshes, result_files, sources, units, views
from pixel2mesh_jax.io.matting import load_matting
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.report import preview
from pixel2mesh_jax.structures import Batch, Reconstruction

FITS = views.FITS
FORMATS = tuple(suffix[1:] for suffix in meshes.SAVE_SUFFIXES)
# What `Written.frame` says.
METRIC_FRAME = "camera of the picture, metres"
PICTURE_FRAME = "camera of the picture, Pixel2Mesh metres"
CANONICAL_FRAME = "camera of the cut-out square, Pixel2Mesh metres"

# Names that a message lists.
MOST_NAMES = 10

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
      size: diagonal of the box of the final mesh, metres of `frame`.
      distance: of the visible side as measured; without measured depth, of the middle
        of the box; metres of `frame`.
    """

    picture: pathlib.Path
    meshes: tuple[pathlib.Path, ...]
    preview: pathlib.Path
    volume: float
    watertight: bool
    frame: str
    size: float
    distance: float


def reconstruct(
    extract: Callable[[Batch], list[Reconstruction]],
    source: Path,
    output: Path,
    *,
    image_size: int,
    inputs: Sequence[str] = ("rgb",),
    optional: Sequence[str] = (),
    depth: Path | None = None,
    intrinsics: Path | None = None,
    depth_unit: float | str | None = None,
    label: int | None = None,
    estimate: Estimate | None = None,
    matting: str = "none",
    fit: str = "auto",
    file_format: str = "obj",
    stages: bool = False,
    report: Callable[[str], None] = logger.info,
) -> list[Written]:
    """Writes `<output>/<name>.<format>` and `<name>_preview.png` for every picture.

    Beside a picture `<name>.png`, the files `<name>_depth.png`, `<name>_mask.png` and
    `<name>_camera.json` (or `intrinsics.json`, for the folder) are used if they exist;
    io/sources.py lists other suffixes. With measured depth the mesh is in metres.

    Args:
      extract: one reconstruction per row of a batch; gets batches of one.
      source: a picture or a folder of pictures.
      output: folder; made if it does not exist.
      image_size: pixels per side that the network expects.
      inputs: what the network sees, of "rgb" and "depth".
      optional: what of it a picture may lack.
      depth: depth map, or a folder of them; see `sources.find_sources`.
      intrinsics: of all pictures; see `cameras.load_camera`. By default the camera of
        3D-R2N2 is assumed.
      depth_unit: metres per stored value, or `units.INVERSE`; by default what the
        camera file says, else millimetres for integers and metres for floats.
      label: which value of the masks is the object; see `masks.load_mask`.
      estimate: says relative inverse depth in [0, 1] where a picture has no depth map.
        The mesh then is as large as without depth: an estimate knows no metres.
      matting: cuts the object out of pictures that have neither transparency nor a
        mask; see `matting.load_matting`.
      fit: whether to cut out the object and move it to where the network expects it:
        "auto" (if it is elsewhere), "always", "never".
      file_format: "obj", "ply" or "glb".
      stages: also write the mesh of every stage, `<name>_stage1.<format>` and so on.
      report: is told size and distance of every object, one line each.

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

    def run(files: sources.Sources) -> Written:
        needs_depth = "depth" in inputs and "depth" not in optional
        if needs_depth and files.depth is None and estimate is None:
            raise InputError(_missing_depth(files.picture))
        camera_file = files.camera if intrinsics is None else intrinsics
        capture = views.load_capture(
            files.picture,
            files.depth,
            camera_file and cameras.load_camera(camera_file, files.picture),
            files.mask,
            depth_unit,
            cut_out,
            label,
        )
        name = pathlib.Path(output) / f"{files.picture.stem}.{file_format}"
        result = _reconstruct_capture(
            extract, capture, files.picture, name, image_size, fit, stages, estimate
        )
        report(describe(result))
        return result

    found = sources.find_sources(source, depth)
    result_files.check(found, pathlib.Path(output), file_format, stages)
    if not pathlib.Path(source).is_dir():
        return [run(found[0])]
    _name_unused(source, found)
    return _run_folder(run, found)


def describe(result: Written) -> str:
    """One line: how large the object is, and how far away."""
    return (
        f"{result.picture.name}: {units.format_length(result.size)} large, "
        f"{units.format_length(result.distance)} away ({result.frame})"
    )


def _missing_depth(picture):
    return (
        f"{picture}: the model needs depth: give --depth (a depth map or a folder), "
        f"put {picture.stem}_depth.png beside the picture, let a network guess it "
        "(--estimate_depth onnx:FILE), or use a model trained with configs/rgb.py"
    )


def _reconstruct_capture(
    extract, capture, picture, path, image_size, fit, stages, estimate
):
    """Predicts and writes the meshes and the preview of one picture."""
    view, metric = capture.view, capture.unit is not None
    square, fitted = views.canonicalize(view, fit)
    if square.estimated is not None:
        square = views.with_relative_depth(square, square.estimated)
    elif estimate is not None and not metric:
        square = views.with_relative_depth(square, estimate(square.rgba))
    batch = views.batch_of_view(square, image_size)
    predicted = list(extract(batch)[0].stages)
    if not len(predicted[-1].faces):
        raise InputError(f"{picture}: the prediction is empty, it has no surface")
    if not all(np.isfinite(mesh.vertices).all() for mesh in predicted):
        raise InputError(f"{picture}: the prediction is not finite; is the run sound?")
    strip = preview.preview(
        batch.rgb[0], batch.depth[0], batch.intrinsics[0], *predicted[-1]
    )
    if metric:
        predicted = _in_camera(predicted, fitted, batch, capture.orientation)
    files = {path: predicted[-1]}
    if stages:
        for number, mesh in enumerate(predicted, start=1):
            files[result_files.of_stage(path, number)] = mesh
    for file, mesh in files.items():
        meshes.save_mesh(file, *mesh)
    strip_path = result_files.of_preview(path)
    write_atomically(strip_path, preview.png_bytes(strip))
    low, high = (predicted[-1].vertices.min(axis=0), predicted[-1].vertices.max(axis=0))
    result = Written(
        picture=picture,
        meshes=tuple(files),
        preview=strip_path,
        volume=float(surface.signed_volume(*predicted[-1][:2])),
        watertight=_is_watertight(predicted[-1]),
        frame=_frame(fitted, metric),
        size=float(np.linalg.norm(high - low)),
        distance=fitted.depth if metric else float(-(low + high)[2] / 2),
    )
    _warn_of_doubts(result, capture)
    return result


def _in_camera(predicted, fitted, batch, orientation):
    """Meshes of the canonical frame in the camera frame of the stored picture, metres.

    A view that was cut out shows every object equally large, hence at the distance that
    the map assumes. A view that was kept does not: how far away the network believes
    the object depends on how large it looks. Those meshes are scaled around the camera
    until the visible side of the last one is at the measured depth.
    """
    ratio = _believed_ratio(predicted[-1], fitted, batch) if fitted.kept else 1.0
    placed = []
    for mesh in predicted:
        points = object_crop.camera_from_canonical(mesh.vertices, fitted)
        faces = mesh.faces[:, ::-1] if exif.is_mirrored(orientation) else mesh.faces
        points = exif.unturn_points(points * np.float32(ratio), orientation)
        placed.append(mesh._replace(vertices=points, faces=faces))
    return placed


def _believed_ratio(mesh, fitted, batch):
    """Measured depth over that of a mesh in the canonical frame."""
    measured, lens = batch.depth[0], batch.intrinsics[0]
    seen = raycast.cast(mesh.vertices, mesh.faces, lens, measured.shape).depth
    return object_crop.depth_ratio(
        object_crop.camera_depth(measured, fitted),
        object_crop.camera_depth(seen, fitted),
    )


def _warn_of_doubts(result, capture):
    """Says what makes metres doubtful: an assumed lens, an unlikely size."""
    if capture.unit is None:
        return
    if capture.lens_assumed:
        logger.warning(
            "%s: no camera beside the picture: that of 3D-R2N2 is assumed, and the "
            "size is not to be trusted. Give --intrinsics or put %s_camera.json beside "
            "the picture.",
            result.picture,
            result.picture.stem,
        )
    doubts = units.doubts(result.distance, result.size, capture.unit)
    if doubts is not None:
        logger.warning("%s: %s", result.picture, doubts)


def _name_unused(source, found):
    unused = [path.name for path in sources.unused_files(source, found)]
    if unused:
        logger.warning(
            "%s: %d files are not used: %s%s (pictures: %s; depth, mask and camera are "
            "named <picture>_depth, _mask, _camera)",
            source,
            len(unused),
            ", ".join(unused[:MOST_NAMES]),
            ", ..." * (len(unused) > MOST_NAMES),
            ", ".join(sources.PICTURE_SUFFIXES),
        )


def _frame(fitted, metric):
    if metric:
        return METRIC_FRAME
    return PICTURE_FRAME if fitted is None else CANONICAL_FRAME


def _run_folder(run, found):
    """Reconstructs picture by picture; reports at the end which ones failed.

    Whatever goes wrong with one picture, memory and defects of a library included, the
    others are done.
    """
    results, failures = [], []
    for files in progress.track(found, "Reconstructing"):
        try:
            results.append(run(files))
        except InputError as error:
            failures.append(str(error))
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            failures.append(f"{files.picture}: {reason}")
            logger.debug("%s", files.picture, exc_info=True)
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
