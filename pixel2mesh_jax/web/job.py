"""What the button of the page does: fields -> mesh, download, image, facts."""

import pathlib
import re
import zipfile
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from pixel2mesh_jax import model as models
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import limits, masks, meshes, textured_meshes, units
from pixel2mesh_jax.io.matting import Matting
from pixel2mesh_jax.web import remarks, shown_images

MAX_PIXELS = 40_000_000  # of an image, a mask or a depth map
FORMATS = meshes.FORMATS
TEXTURE = 1024  # texels per side
NO_MATTING = (
    "This page was started without a network that removes the background: start it "
    "with --matting rembg or --matting onnx:FILE, or give a mask."
)


class Form(NamedTuple):
    """The fields of the page, in its order.

    Attributes:
      image: file of the image.
      depth: file of its depth map.
      mask: file of the mask of the object.
      camera: four numbers; no path, which would be one of the server.
      depth_unit: name or metres per value; empty for the usual one.
      file_format: one of `FORMATS`.
      label: value of the object in the mask; empty for the usual one.
      box: left, top, right, bottom of the object, pixels, where depth cuts it out.
      remove_background: whether a network cuts out what has neither alpha nor mask.
      camera_file: of the image, in place of the four numbers.
      depth_camera: file of the camera of the depth map, if it is another one.
      depth_to_color: file of the transform between both.
      frame: of the mesh.
      texture: whether the image becomes the texture of the mesh.
    """

    image: str | None
    depth: str | None = None
    mask: str | None = None
    camera: str = ""
    depth_unit: str = ""
    file_format: str = "glb"
    label: str = ""
    box: str = ""
    remove_background: bool = False
    camera_file: str | None = None
    depth_camera: str | None = None
    depth_to_color: str | None = None
    frame: str = "camera"
    texture: bool = False


class Answer(NamedTuple):
    """What the page shows.

    Attributes:
      shown: a glb.
      download: the file in the wanted format.
      image: what was taken for the object, and its depth.
      facts: what is known of the mesh.
      result: with the meshes of all stages.
    """

    shown: str
    download: str
    image: UInt8[np.ndarray, "H W 3"]
    facts: dict[str, Any]
    result: models.Result


def reconstruct(
    model: models.Model,
    folder: pathlib.Path,
    form: Form,
    matting: Matting | None = None,
) -> Answer:
    """One image to one mesh.

    Args:
      model: to use.
      folder: for the meshes.
      form: what a visitor filled in.
      matting: removes backgrounds, if the page has one.

    Raises:
      InputError: unusable input.
    """
    _check(form, matting)
    with limits.at_most(MAX_PIXELS), remarks.collected() as warnings:
        result = model(
            form.image,
            form.depth or None,
            form.camera_file or lens(form.camera or ""),
            form.mask or None,
            depth_unit=(form.depth_unit or "").strip() or None,
            depth_intrinsics=form.depth_camera or None,
            depth_to_color=form.depth_to_color or None,
            label=label(form.label or ""),
            box=masks.parse_box(_words(form.box or "") or None),
            matting=matting if form.remove_background else "none",
            frame=form.frame,
            texture=TEXTURE if form.texture else 0,
        )
    return Answer(
        str(result.save(folder / "mesh.glb")),
        str(_download(result, folder, form.file_format, form.texture)),
        shown_images.side_by_side(result.evidence),
        facts(result, [without_folders(text) for text in warnings]),
        result,
    )


def _check(form, matting):
    """Before anything is read."""
    if form.image is None:
        raise InputError("There is no image yet: drop one first.")
    if form.file_format not in FORMATS:
        raise InputError(
            f"unknown format {form.file_format!r}; valid: {', '.join(FORMATS)}"
        )
    if form.texture:
        textured_meshes.check_format(form.file_format)
    if form.remove_background and matting is None:
        raise InputError(NO_MATTING)


def facts(result: models.Result, warnings: list[str]) -> dict[str, Any]:
    """What is known of a mesh; remarks last, if there are any."""
    known = {
        "frame": result.frame,
        "scale is metric": result.scale_is_metric,
        "size": units.format_length(result.size, result.scale_is_metric),
        "distance": units.format_length(result.distance, result.scale_is_metric),
        "triangles": len(result.mesh.faces),
        "watertight": result.is_watertight,
        "seconds": round(result.seconds, 2),
    }
    if result.mirrors is not None:
        known["planes of symmetry"] = result.mirrors
    return known | ({"remarks": warnings} if warnings else {})


def _download(result, folder, file_format, texture):
    """One file; an OBJ with a texture is three, in an archive."""
    path = result.save(folder / f"mesh.{file_format}")
    if not (texture and file_format == "obj"):
        return path
    archive = path.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for part in (path, *textured_meshes.beside(path)):
            file.write(part, part.name)
    return archive


def lens(text: str) -> tuple[float, ...] | None:
    """fx, fy, cx, cy of a text; None if it is empty.

    Raises:
      InputError: not four numbers.
    """
    if not text.strip():
        return None
    try:
        fx, fy, cx, cy = (float(word) for word in _words(text))
    except ValueError:
        raise InputError(
            f"camera {text!r}: expected four numbers fx, fy, cx, cy in pixels"
        ) from None
    return fx, fy, cx, cy


def label(text: str) -> int | None:
    """The value of a mask; None if the text is empty.

    Raises:
      InputError: not a whole number.
    """
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise InputError(
            f"label {text!r}: expected a whole number, a value of the mask"
        ) from None


def without_folders(text: str) -> str:
    """A message with the names of files alone."""
    return re.sub(r"(?:/[^/\s:]+)+/([^/\s:]+)", r"\1", text)


def _words(text):
    """Separated by commas, blanks or both."""
    return text.replace(",", " ").split()
