"""One image, with or without depth, in; a triangle mesh out.

from pixel2mesh_jax import load

load("rgbd_sdf")("photo.png", depth="depth.png").save("photo.glb")
"""

import importlib
import importlib.metadata
from typing import Any

__version__ = importlib.metadata.version("pixel2mesh-jax")
__all__ = ["InputError", "Model", "Result", "__version__", "load", "released"]

# Name -> its module, imported at first use: JAX takes a second.
_PUBLIC = {
    "InputError": "errors",
    "Model": "model",
    "Result": "model",
    "load": "model",
    "released": "weights.release",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
