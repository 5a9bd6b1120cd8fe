"""From an image (with depth and camera, if there are any) to mesh files.

image -> `Capture` -> inference/predict.py -> finish.py -> files beside each other:
the mesh, what is known of it (JSON), a preview.

TensorFlow is not needed here.
"""

import logging
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich import progress

from pixel2mesh_jax.atomic_files import write_atomically
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.inference import finish
from pixel2mesh_jax.inference.finish import Finish
from pixel2mesh_jax.inference.predict import (
    Estimate,
    Extract,
    Prediction,
    predict,
    warn_of_doubts,
)
from pixel2mesh_jax.inference.summary import json_bytes, summary
from pixel2mesh_jax.io import (
    cameras,
    captures,
    meshes,
    result_files,
    sources,
    textured_meshes,
    units,
    views,
)
from pixel2mesh_jax.io.depth_cameras import DepthCamera
from pixel2mesh_jax.io.matting import load_matting
from pixel2mesh_jax.report import mesh_page, preview, turntable

FITS = views.FITS
FORMATS = meshes.FORMATS
# A strip of images, a page with the mesh to turn, a mesh that turns, or nothing.
PREVIEWS = ("png", "html", "gif", "none")
# Names that a message lists.
MOST_NAMES = 10

Path = str | pathlib.Path
logger = logging.getLogger(__name__)


class Written(NamedTuple):
    """What was written for one image.

    Attributes:
      image: the image.
      meshes: files; the final mesh first, then those of the stages, if wanted.
      summary: what is known of the mesh, JSON.
      preview: a strip of images or a page; None if not wanted.
      volume: enclosed by the final mesh, cubic metres of `frame`.
      watertight: whether every edge of the final mesh has two faces.
      frame: of the vertices.
      size: diagonal of the box of the final mesh, metres of `frame`.
      distance: of the visible side as measured; without measured depth, of the middle
        of the box; metres of `frame`.
      is_metric: whether those are true metres, as measured; else the scale is a guess.
    """

    image: pathlib.Path
    meshes: tuple[pathlib.Path, ...]
    summary: pathlib.Path
    preview: pathlib.Path | None
    volume: float
    watertight: bool
    frame: str
    size: float
    distance: float
    is_metric: bool


def reconstruct(
    extract: Extract,
    source: Path,
    output: Path,
    *,
    image_size: int,
    inputs: Sequence[str] = ("rgb",),
    optional: Sequence[str] = (),
    depth: Path | None = None,
    intrinsics: Path | None = None,
    depth_unit: float | str | None = None,
    depth_camera: DepthCamera | None = None,
    label: int | None = None,
    box: tuple[int, int, int, int] | None = None,
    estimate: Estimate | None = None,
    matting: str = "none",
    fit: str = "auto",
    file_format: str = "obj",
    stages: bool = False,
    wanted: Finish = finish.AS_PREDICTED,
    previews: str = "png",
    model: str = "",
    refine: int = 0,
    report: Callable[[str], None] = logger.info,
) -> list[Written]:
    """Writes `<output>/<name>.<format>` and what is beside it for every image.

    Beside an image `<name>.png`, the files `<name>_depth.png`, `<name>_mask.png` and
    `<name>_camera.json` (or `intrinsics.json`, for the folder) are used if they exist;
    io/sources.py lists other suffixes. With measured depth the mesh is in metres.

    Args:
      extract: one reconstruction per row of a batch; gets batches of one.
      source: an image or a folder of images.
      output: folder; made if it does not exist.
      image_size: pixels per side that the network expects.
      inputs: what the network sees, of "rgb" and "depth".
      optional: what of it an image may lack.
      depth: depth map, or a folder of them; see `sources.find_sources`.
      intrinsics: of all images; see `cameras.load_camera`. By default the camera of
        3D-R2N2 is assumed.
      depth_unit: metres per stored value, or `units.INVERSE`; by default what the
        camera file says, else millimetres for integers and metres for floats.
      depth_camera: of the depth maps, if it is not that of the images.
      label: which value of the masks is the object; see `masks.load_mask`.
      box: left, top, right, bottom of the object in the image; for one that is cut
        out by its depth alone.
      estimate: says relative inverse depth in [0, 1] where an image has no depth map.
        The mesh then is as large as without depth: an estimate knows no metres.
      matting: cuts the object out of images that have neither transparency nor a
        mask; see `matting.load_matting`.
      fit: whether to cut out the object and move it to where the network expects it:
        "auto" (if it is elsewhere), "always", "never".
      file_format: one of `FORMATS`.
      stages: also write the mesh of every stage, `<name>_stage1.<format>` and so on.
      wanted: frame, number of triangles, smoothing, texture (glb and obj).
      previews: one of `PREVIEWS`: `<name>_preview.png`, `<name>.html`,
        `<name>.gif`, none.
      model: its name, for the summary.
      refine: steps that anchor the visible side to the measured depth, after the
        network; see `geometry/anchoring.py`.
      report: is told size and distance of every object, one line each.

    Returns:
      What was written, in the order of the names.

    Raises:
      InputError: on unusable input. In a folder, only after the other images.
    """
    _check_choice("fit", fit, FITS)
    _check_choice("format", file_format, FORMATS)
    _check_choice("preview", previews, PREVIEWS)
    finish.check(wanted)
    if wanted.texture:
        textured_meshes.check_format(file_format)
    if depth is not None and "depth" not in inputs:
        logger.warning("The model sees colour only: depth just gives the metric scale.")
    if estimate is not None and "depth" not in inputs:
        logger.warning("The model sees colour only: no depth is estimated.")
        estimate = None
    cut_out = load_matting(matting)

    def run(files: sources.Sources) -> Written:
        started = time.perf_counter()
        needs_depth = "depth" in inputs and "depth" not in optional
        if needs_depth and files.depth is None and estimate is None:
            raise InputError(_missing_depth(files.image))
        camera_file = files.camera if intrinsics is None else intrinsics
        capture = captures.load_capture(
            files.image,
            files.depth,
            camera_file and cameras.load_camera(camera_file, files.image),
            files.mask,
            depth_unit,
            cut_out,
            label,
            box,
            depth_camera,
        )
        found = predict(
            extract,
            capture,
            files.image,
            image_size=image_size,
            fit=fit,
            estimate=estimate,
            refine=refine,
        )
        found = finish.finish(found, wanted, capture)
        facts = summary(
            found,
            capture,
            files._replace(camera=camera_file),
            model=model,
            wanted=wanted,
            seconds=time.perf_counter() - started,
        )
        stem = files.image.stem
        path = pathlib.Path(output) / f"{stem}.{file_format}"
        result = _write(found, facts, files.image, path, stages, previews)
        remedy = f"Give --intrinsics or put {stem}_camera.json beside the image."
        warn_of_doubts(found, capture, files.image, remedy)
        report(describe(result))
        return result

    found = sources.find_sources(source, depth)
    if box is not None and len(found) > 1:
        raise InputError(f"a box belongs to one image; {source} has {len(found)}")
    result_files.check(found, pathlib.Path(output), file_format, stages)
    if not pathlib.Path(source).is_dir():
        return [run(found[0])]
    _name_unused(source, found)
    return _run_folder(run, found)


def describe(result: Written) -> str:
    """One line: how large the object is, and how far away."""
    size = units.describe_size(result.size, result.distance, result.is_metric)
    return f"{result.image.name}: {size} ({result.frame})"


def _missing_depth(image):
    return (
        f"{image}: the model needs depth: give --depth (a depth map or a folder), "
        f"put {image.stem}_depth.png beside the image, let a network guess it "
        "(--estimate_depth onnx:FILE), or use a model trained with configs/rgb.py"
    )


def _write(found: Prediction, facts, image, path, stages, previews) -> Written:
    """Writes the meshes of one image and what is beside them."""
    files = {path: found.mesh}
    if stages:
        for number, mesh in enumerate(found.stages, start=1):
            files[result_files.of_stage(path, number)] = mesh
    for file, mesh in files.items():
        texture = found.texture if file == path else None
        meshes.save_mesh(file, *mesh, texture=texture)
    summary_path = result_files.of_summary(path)
    write_atomically(summary_path, json_bytes(facts))
    return Written(
        image=image,
        meshes=tuple(files),
        summary=summary_path,
        preview=_write_preview(found, facts, image, path, previews),
        volume=found.volume,
        watertight=found.is_watertight,
        frame=found.frame,
        size=found.size,
        distance=found.distance,
        is_metric=found.is_metric,
    )


def _write_preview(found, facts, image, path, previews) -> pathlib.Path | None:
    """The strip of images, the page or the turntable, of what the network saw."""
    batch = found.batch
    rgb, depth = batch.rgb[0], batch.depth[0]
    if previews == "png":
        strip = preview.preview(rgb, depth, batch.intrinsics[0], *found.seen)
        target, content = result_files.of_preview(path), preview.png_bytes(strip)
    elif previews == "html":
        text = mesh_page.page(image.name, rgb, depth, found.seen, facts)
        target, content = result_files.of_page(path), text.encode()
    elif previews == "gif":
        target = result_files.of_turntable(path)
        content = turntable.gif_bytes(found.seen)
    else:
        return None
    write_atomically(target, content)
    return target


def _name_unused(source, found):
    unused = [path.name for path in sources.unused_files(source, found)]
    if unused:
        logger.warning(
            "%s: %d files are not used: %s%s (images: %s; depth, mask and camera are "
            "named <image>_depth, _mask, _camera)",
            source,
            len(unused),
            ", ".join(unused[:MOST_NAMES]),
            ", ..." * (len(unused) > MOST_NAMES),
            ", ".join(sources.IMAGE_SUFFIXES),
        )


def _run_folder(run, found):
    """Reconstructs image by image; reports at the end which ones failed.

    Whatever goes wrong with one image, memory and defects of a library included, the
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
            failures.append(f"{files.image}: {reason}")
            logger.debug("%s", files.image, exc_info=True)
    if failures:
        raise InputError(
            f"{len(failures)} of {len(found)} images could not be reconstructed:\n  "
            + "\n  ".join(failures)
        )
    return results


def _check_choice(name, value, choices):
    if value not in choices:
        raise InputError(f"unknown {name} {value!r}; valid: {', '.join(choices)}")
