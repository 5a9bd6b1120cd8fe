"""`FORMAT:PATH` to the variables of a model."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.weights import (
    files,
    matching,
    pytorch_port,
    tensorflow_release,
    torchvision_encoders,
)

FORMATS = {
    "pytorch": pytorch_port.FORMAT,
    "tensorflow": tensorflow_release.FORMAT,
    "torchvision": torchvision_encoders.FORMAT,
}


def import_weights(
    spec: str, variables: Mapping, inputs: Sequence[str] = ("rgb",)
) -> dict:
    """The variables of a model with published values.

    Args:
      spec: "FORMAT:PATH", the format one of `FORMATS`: `tensorflow` and `pytorch` are
        whole models, `torchvision` the image encoder alone; the rest stays as it is.
      variables: collections of a fresh model ("params", "batch_stats"); nested dicts.
      inputs: which channels the encoder sees, in their order. An encoder of colour and
        depth takes weights for colour and keeps its own for depth.

    Raises:
      InputError: an unknown format, an unreadable file, or one of another model; lists
        every tensor that does not match.
    """
    name, path = _split(spec)
    return matching.fill(
        variables,
        files.load_tensors(path),
        FORMATS[name],
        source=f"{path} ({name})",
        rgb_start=0 if inputs[0] == "rgb" else 1,
    )


def check_is_model(spec: str) -> None:
    """Raises InputError if the format of "FORMAT:PATH" is that of an encoder alone."""
    name, _ = _split(spec)
    if not FORMATS[name].is_model:
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
    name, _ = _split(spec)
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
    if name not in FORMATS or not colon:
        raise InputError(
            f"Cannot take weights from {spec!r}; expected FORMAT:PATH with one of the "
            f"formats {', '.join(sorted(FORMATS))}."
        )
    return name, path
