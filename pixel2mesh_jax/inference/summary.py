"""What is known of a reconstruction, as JSON: NAME.json beside NAME.glb."""

import datetime
import json
import pathlib
from typing import Any

import numpy as np

import pixel2mesh_jax
from pixel2mesh_jax.geometry import surface
from pixel2mesh_jax.inference import finish
from pixel2mesh_jax.inference.predict import Prediction
from pixel2mesh_jax.io.captures import Capture
from pixel2mesh_jax.io.sources import Sources


def summary(
    found: Prediction,
    capture: Capture,
    files: Sources,
    *,
    model: str,
    wanted: finish.Finish,
    seconds: float,
) -> dict[str, Any]:
    """Facts about a mesh and where they come from.

    Args:
      found: as it is written.
      capture: what it was made of.
      files: of the capture.
      model: name of the weights or folder of the run.
      wanted: frame of the mesh.
      seconds: from the files to the mesh.
    """
    vertices, faces, colors = found.mesh
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    unit = "metre" if found.is_metric else "none: the scale is a guess"
    return {
        "frame": found.frame,
        "axes": finish.axes(wanted),
        "unit": unit,
        "scale_is_metric": found.is_metric,
        "vertices": len(vertices),
        "faces": len(faces),
        "colors": colors is not None,
        "texture": wanted.texture or None,
        "watertight": found.is_watertight,
        "mirror_planes": found.mirrors,
        "box": {"min": _rounded(low), "max": _rounded(high)},
        "size": _significant(found.size),
        "distance": _significant(found.distance),
        "area": _significant(surface.face_areas(vertices, faces).sum()),
        "volume": _significant(found.volume),
        "image": files.image.name,
        "depth": _name(files.depth),
        "mask": _name(files.mask) or "of the image: alpha, white ground or matting",
        "camera": _name(files.camera),
        "intrinsics": np.asarray(capture.view.intrinsics, float).round(4).tolist(),
        "intrinsics_assumed": capture.lens_assumed,
        "distortion_undone": _terms(capture.undone),
        "metres_per_depth_value": capture.unit,
        "exif_orientation": capture.orientation,
        "model": model,
        "version": pixel2mesh_jax.__version__,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
    }


def json_bytes(facts: dict[str, Any]) -> bytes:
    """The file."""
    return (json.dumps(facts, indent=2) + "\n").encode()


def _terms(lens):
    return None if lens is None else lens._asdict()


def _name(path: str | pathlib.Path | None) -> str | None:
    return None if path is None else pathlib.Path(path).name


def _significant(value):
    """Six digits: in cubic metres a mug has 0.00006."""
    return float(f"{value:.6g}")


def _rounded(values):
    return np.asarray(values, float).round(6).tolist()
