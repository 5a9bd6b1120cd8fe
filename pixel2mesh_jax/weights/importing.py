"""`FORMAT:PATH` to the variables of a model."""

import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.weights import (
    files,
    matching,
    mesh_rcnn,
    mfprn,
    pytorch_port,
    release,
    tensorflow_release,
    torchvision_encoders,
)

FORMATS = {
    "meshrcnn": mesh_rcnn.FORMAT,
    "mfprn": mfprn.HEAD,
    "mfprn_report": mfprn.REPORT,
    "pytorch": pytorch_port.FORMAT,
    "tensorflow": tensorflow_release.FORMAT,
    "torchvision": torchvision_encoders.FORMAT,
}
# Weights of this program: "released:NAME" of those that ship, or "released:FILE".
RELEASED = "released"


def import_weights(
    spec: str, variables: Mapping, inputs: Sequence[str] = ("rgb",)
) -> dict:
    """The variables of a model with published values.

    Args:
      spec: "FORMAT:PATH", the format one of `FORMATS`: `torchvision` is the image
        encoder alone, and the rest stays as it is; the others are whole models.
        Or "released:NAME", weights of this program.
      variables: collections of a fresh model ("params", "batch_stats"); nested dicts.
      inputs: which channels the encoder sees, in their order. An encoder of colour and
        depth takes weights for colour and keeps its own for depth.

    Raises:
      InputError: an unknown format, an unreadable file, or one of another model; lists
        every tensor that does not match.
    """
    name, path = _split(spec)
    if name == RELEASED:
        return _like(release.load(_released_file(path))[1], variables, spec)
    return matching.assign(
        variables,
        files.load_tensors(path),
        FORMATS[name],
        source=f"{path} ({name})",
        rgb_start=0 if inputs[0] == "rgb" else 1,
    )


def check_is_model(spec: str) -> None:
    """Raises InputError if the format of "FORMAT:PATH" is that of an encoder alone."""
    name, _ = _split(spec)
    if name != RELEASED and not FORMATS[name].is_model:
        models = [key for key, form in FORMATS.items() if form.is_model]
        raise InputError(
            f"{spec} holds an image encoder alone, which is not a model; formats of "
            f"models: {', '.join(sorted(models))}. A training may start from it: "
            "--mode train."
        )


def check_settings(spec: str, settings: Mapping[str, Any]) -> None:
    """Names and shapes alone do not say that weights mean the same.

    Args:
      spec: "FORMAT:PATH".
      settings: of the config, flat.

    Raises:
      InputError: lists the settings that are not those of the published program.
    """
    name, path = _split(spec)
    if name == RELEASED:
        _check_same_network(spec, release.load_settings(_released_file(path)), settings)
        return
    wrong = [
        f"{setting} is {settings.get(setting)}, expected {pattern}"
        for setting, pattern in FORMATS[name].requires.items()
        if not re.fullmatch(pattern, str(settings.get(setting)))
    ]
    if wrong:
        listed = "\n  ".join(wrong)
        raise InputError(
            f"Weights of format {name!r} were trained with other conventions, "
            f"{len(wrong)} differences:\n  {listed}\nconfigs/published.py has them."
        )


def _split(spec):
    name, colon, path = spec.partition(":")
    if name not in (*FORMATS, RELEASED) or not colon:
        raise InputError(
            f"Cannot take weights from {spec!r}; expected FORMAT:PATH with one of the "
            f"formats {', '.join(sorted((*FORMATS, RELEASED)))}."
        )
    return name, path


def _released_file(path):
    is_file = path.endswith(release.SUFFIX)
    return pathlib.Path(path) if is_file else release.path_of(path)


def _check_same_network(spec, settings, wanted):
    """Raises InputError for settings of the method or its inputs that differ."""
    here = {"method": wanted["method"], "inputs": list(wanted["inputs"])}
    wrong = [
        f"{name} is {value}, expected {settings[name]}"
        for name, value in here.items()
        if value != settings[name]
    ]
    if wrong:
        raise InputError(f"{spec} is of another network: {'; '.join(wrong)}.")


def _like(found, variables, spec):
    """The found values in the structure of `variables`; InputError if it differs."""
    old, new = (
        {
            jax.tree_util.keystr(keys, simple=True, separator="/"): leaf
            for keys, leaf in jax.tree_util.tree_leaves_with_path(tree)
        }
        for tree in (found, variables)
    )
    wrong = [
        f"{name}: {np.shape(old.get(name))} there, {np.shape(new.get(name))} here"
        for name in sorted({*old, *new})
        if name not in old or name not in new or old[name].shape != new[name].shape
    ]
    if wrong:
        raise InputError(f"{spec} does not fit this network:\n  " + "\n  ".join(wrong))
    return jax.tree.unflatten(
        jax.tree.structure(variables), [old[name] for name in new]
    )
