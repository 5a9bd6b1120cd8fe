"""Cameras from files, or from four numbers: `camera_formats.py` has the formats."""

import json
import pathlib
from typing import Any

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import limits
from pixel2mesh_jax.io.camera_formats import FORMATS, of_object, of_text, plain_numbers
from pixel2mesh_jax.io.pinhole import Camera, checked, matrix, matrix_of
from pixel2mesh_jax.io.stated_numbers import NoNumberError, quoted


def load_camera(
    source: str | pathlib.Path, image: str | pathlib.Path | None = None
) -> Camera:
    """Reads a camera.

    Args:
      source: "fx,fy,cx,cy" in pixels, or a file; see `camera_formats.py`.
      image: which entry to take of a file that holds one camera per image.

    Raises:
      InputError: no such file, too large, of no known format, several cameras of which
        none is that of the image, or not a pinhole camera without skew.
    """
    text = str(source)
    path = pathlib.Path(text)
    if not path.exists() and "," in text:
        numbers = plain_numbers(text.split(","))
        if numbers is None or len(numbers) != 4:
            raise InputError(
                f"intrinsics {text!r}: expected four numbers fx,fy,cx,cy or a file "
                f"({FORMATS})"
            )
        return checked(Camera(matrix(*numbers)), text)
    if not path.is_file():
        raise InputError(
            f"intrinsics {text!r}: no such file; expected four numbers fx,fy,cx,cy or "
            f"a file ({FORMATS})"
        )
    limits.check_bytes(path, limits.MAX_CAMERA_BYTES)
    stem = None if image is None else pathlib.Path(image).stem
    try:
        return checked(_of_content(_decoded(path), path, stem), text)
    except InputError:
        raise
    except RecursionError:
        raise InputError(f"{path}: lists nested too deeply for a camera") from None
    except NoNumberError as error:
        raise InputError(f"{path}: {error}; expected {FORMATS}") from None
    except (TypeError, LookupError, ValueError, ArithmeticError):
        raise InputError(
            f"{path}: not a camera, something is missing in it or of another kind; "
            f"expected {FORMATS}"
        ) from None


def of_numbers(values: Any) -> Camera:
    """A camera from (fx, fy, cx, cy) in pixels or a 3x3 matrix.

    Raises:
      InputError: neither, or not a pinhole camera without skew.
    """
    try:
        return checked(Camera(matrix_of(values)), str(values))
    except (TypeError, ValueError):
        raise InputError(
            "intrinsics: expected four numbers fx, fy, cx, cy or a 3x3 matrix; got "
            f"{quoted(values)}"
        ) from None


def _decoded(path):
    """Text with any byte order mark (Notepad, PowerShell) and end of line."""
    content = path.read_bytes()
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file; expected {FORMATS}") from None


def _of_content(text, path, stem):
    if path.suffix.lower() in (".yaml", ".yml"):
        return _of_yaml(text, path, stem)
    if path.suffix.lower() == ".txt":
        return of_text(text, path)
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: not a JSON file: {error}") from None
    return of_object(content, path, stem)


def _of_yaml(text, path, stem):
    import yaml

    try:
        return of_object(yaml.safe_load(text), path, stem)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not a YAML file: {reason}") from None
