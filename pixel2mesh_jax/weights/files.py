"""Named tensors from files: npz, safetensors and PyTorch checkpoints, as numpy."""

import os
import pathlib
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np
import safetensors
from safetensors.numpy import load_file

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import limits

# Where training programs keep the tensors in what they save.
WRAPPERS = ("best_states", "model", "state_dict")
PARALLEL_PREFIX = "module."  # of torch.nn.DataParallel
VARIABLE_SUFFIX = ":0"  # of TensorFlow variables, first output of their operation


def load_tensors(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads all tensors of a file; nothing in it is run.

    Sparse tensors are left out: in published checkpoints they are the connectivity of
    the template, which is not learned.

    Raises:
      InputError: no such file, unknown suffix, damaged, or a missing library.
    """
    path = pathlib.Path(path)
    if path.suffix not in READERS:
        raise InputError(
            f"{path}: cannot read weights from {path.suffix!r} files. "
            f"Valid: {', '.join(sorted(READERS))}."
        )
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return READERS[path.suffix](path)


def _load_npz(path):
    try:
        limits.check_npz(path)
        with np.load(path, allow_pickle=False) as arrays:
            return {
                name.removesuffix(VARIABLE_SUFFIX): arrays[name]
                for name in arrays.files
            }
    except InputError:
        raise
    except (*limits.BAD_NPY, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not an npz of arrays: {error}") from error


def _load_safetensors(path):
    try:
        return load_file(path)
    except safetensors.SafetensorError as error:
        raise InputError(f"{path}: not a safetensors file: {error}") from error


def _load_torch(path):
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"{path}: reading it needs PyTorch: pip install 'pixel2mesh-jax[torch]'"
        ) from error
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or foreign file fails in any way
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: not a PyTorch file of tensors alone: {reason}"
        ) from error
    return {
        name: tensor.float().numpy()
        for name, tensor in _state_dict(contents, path, torch).items()
        if not tensor.is_sparse
    }


def _state_dict(contents, path, torch):
    """The tensors by name, out of what training programs wrap around them."""
    for wrapper in WRAPPERS:
        if isinstance(contents, Mapping) and isinstance(contents.get(wrapper), Mapping):
            contents = contents[wrapper]
    if not isinstance(contents, Mapping) or not all(
        isinstance(tensor, torch.Tensor) for tensor in contents.values()
    ):
        raise InputError(
            f"{path}: expected tensors by name, or those under one of "
            f"{', '.join(WRAPPERS)}; got {type(contents).__name__}"
        )
    return {
        name.removeprefix(PARALLEL_PREFIX): tensor.detach()
        for name, tensor in contents.items()
    }


READERS = {
    ".npz": _load_npz,
    ".safetensors": _load_safetensors,
    **dict.fromkeys((".pt", ".pth", ".tar"), _load_torch),
}
