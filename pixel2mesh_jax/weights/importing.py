"""`FORMAT:PATH` to the variables of a model."""

from collections.abc import Mapping, Sequence

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
    name, colon, path = spec.partition(":")
    if name not in FORMATS or not colon:
        raise InputError(
            f"Cannot take weights from {spec!r}; expected FORMAT:PATH with one of the "
            f"formats {', '.join(sorted(FORMATS))}."
        )
    return matching.fill(
        variables,
        files.load_tensors(path),
        FORMATS[name],
        source=f"{path} ({name})",
        rgb_start=0 if inputs[0] == "rgb" else 1,
    )
