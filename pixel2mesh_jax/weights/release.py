"""Trained weights in one file: what ships with the package, and how it is made.

A safetensors file holds the parameters as float16 under their names; its header holds
the config. Nothing in it is run.

    python -m pixel2mesh_jax.main --mode release --workdir runs/rgbd_sdf --output FOLDER
"""

import contextlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import safetensors
from safetensors.numpy import save_file

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import limits

FOLDER = pathlib.Path(__file__).parent / "released"
SUFFIX = ".safetensors"
DEFAULT = "rgbd_sdf"  # of those that ship with the package
CONFIG = "config"  # key of the header
MAX_BYTES = 200_000_000  # of a file that is read


def released() -> list[str]:
    """Names of the weights that ship with the package."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def path_of(name: str) -> pathlib.Path:
    """The file of released weights.

    Raises:
      InputError: there are none of this name; lists those there are.
    """
    path = FOLDER / f"{name}{SUFFIX}"
    if not path.is_file():
        raise InputError(
            f"No released weights {name!r}. There are: {', '.join(released())}."
        )
    return path


def save(path: pathlib.Path, variables: Mapping, settings: Mapping) -> None:
    """Writes variables as float16, and the settings of their network.

    Args:
      path: of the file.
      variables: collections of nested dicts of arrays.
      settings: of the config, as JSON has them.

    Raises:
      InputError: a value is not finite in float16.
    """
    tensors = {}
    for keys, leaf in jax.tree_util.tree_leaves_with_path(variables):
        name = jax.tree_util.keystr(keys, simple=True, separator="/")
        values = np.asarray(leaf)
        if not (np.abs(values) <= np.finfo(np.float16).max).all():
            raise InputError(f"{name} is not finite in float16")
        tensors[name] = values.astype(np.float16)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata={CONFIG: json.dumps(settings)})


def load_settings(path: pathlib.Path) -> dict[str, Any]:
    """The settings alone, from the header. Raises InputError as `load` does."""
    with _opened(path) as file:
        return json.loads((file.metadata() or {})[CONFIG])


def load(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads what `save` has written.

    Returns:
      The settings, and the collections of variables as float32.

    Raises:
      InputError: not such a file.
    """
    with _opened(path) as file:
        settings = json.loads((file.metadata() or {})[CONFIG])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    variables: dict[str, Any] = {}
    for name, tensor in tensors.items():
        *folders, last = name.split("/")
        place = variables
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = tensor.astype(np.float32)
    return settings, variables


@contextlib.contextmanager
def _opened(path):
    """A safetensors file; whatever is wrong with it is an InputError."""
    limits.check_bytes(path, MAX_BYTES)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            yield file
    except (safetensors.SafetensorError, KeyError, ValueError, OSError) as error:
        raise InputError(f"{path}: not released weights: {error}") from error
