"""Networks for images from ONNX files, run by onnxruntime on the CPU.

A user names a network by `onnx:<file>` or `onnx:<recipe>:<file>`. An ONNX file says
nothing about how an image has to be prepared for it. That is the recipe: it follows
from the name under which a file is published; a file of another name needs the recipe
spelled out, for a wrong guess would give wrong results without any error.
"""

import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from pixel2mesh_jax.errors import InputError

PREFIX = "onnx:"
CHANNELS = 3
# Mean and standard deviation of ImageNet, RGB in [0, 1], which most networks expect.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class Network(NamedTuple):
    """A loaded ONNX file.

    Attributes:
      path: the file.
      session: `onnxruntime.InferenceSession`.
      height: of the input in pixels, None if the graph takes any.
      width: likewise.
    """

    path: pathlib.Path
    session: Any
    height: int | None
    width: int | None


def parse_name(
    name: str, published: Mapping[str, tuple[str, ...]]
) -> tuple[str, pathlib.Path]:
    """Splits `onnx:<file>` or `onnx:<recipe>:<file>` into recipe and absolute path.

    Args:
      name: what the user wrote.
      published: recipes, and for each the pieces of file names that mean it; the first
        match counts.

    Raises:
      InputError: no such file, or no recipe.
    """
    rest = name.removeprefix(PREFIX)
    recipe, _, tail = rest.partition(":")
    if recipe not in published:
        recipe, tail = "", rest
    path = pathlib.Path(tail).expanduser().absolute()
    if not path.is_file():
        raise InputError(
            f"{name!r}: no such file {path}; expected onnx:<file> or "
            f"onnx:<recipe>:<file> with a recipe of {', '.join(published)}"
        )
    return recipe or _published_recipe(path, published), path


def load_network(path: pathlib.Path, threads: int = 0) -> Network:
    """Opens an ONNX file.

    Args:
      path: the file.
      threads: 0 for all cores.

    Raises:
      InputError: onnxruntime is not installed, the file is damaged, or its input is
        not one image of (1, 3, height, width).
    """
    try:
        import onnxruntime
    except ImportError:
        raise InputError(
            "ONNX files need onnxruntime: pip install onnxruntime"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors; warnings are about graph optimisation
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's exceptions share no other base
        raise InputError(f"{path}: not a usable ONNX file: {_line(error)}") from None
    size = _input_size(session.get_inputs(), path)
    return Network(path, session, *size)


def run_network(
    network: Network, image: Float32[np.ndarray, "H W 3"]
) -> Float32[np.ndarray, "h w"]:
    """The first output of a network for a prepared image: one map of any size.

    Raises:
      InputError: the network fails on it, or gives something else or NaN.
    """
    entry = network.session.get_inputs()[0]
    batch = np.ascontiguousarray(image.transpose(2, 0, 1)[None], _TYPES[entry.type])
    first = network.session.get_outputs()[0].name
    try:
        (output,) = network.session.run([first], {entry.name: batch})
    except Exception as error:  # onnxruntime's exceptions share no other base
        raise InputError(f"{network.path}: the network fails: {_line(error)}") from None
    if output.ndim < 2 or output.size != np.prod(output.shape[-2:]):
        raise InputError(
            f"{network.path}: expected one map (1, 1, height, width) as first output, "
            f"got shape {output.shape}"
        )
    output = output.reshape(output.shape[-2:]).astype(np.float32)
    if not np.isfinite(output).all():
        raise InputError(f"{network.path}: the network gives NaN or infinite values")
    return output


def content_stamp(path: pathlib.Path) -> str:
    """Changes when the content of a file, or of the files of a folder, changes.

    Weights that an ONNX file keeps beside it (`<file>_data`, `<file>.data`) count.
    """
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file()]
    else:
        beside = path.parent.iterdir()
        files = [file for file in beside if file.name.startswith(path.name)]
    digest = hashlib.sha256()
    for file in sorted(files):
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256")
        digest.update(repr((file.name, content.hexdigest())).encode())
    return digest.hexdigest()[:16]


def _published_recipe(path, published):
    name = path.name.lower()
    for recipe, pieces in published.items():
        if any(piece in name for piece in pieces):
            return recipe
    raise InputError(
        f"{path}: the name does not tell how images are prepared for this network; "
        f"expected onnx:<recipe>:{path.name} with a recipe of {', '.join(published)}"
    )


def _input_size(inputs, path):
    shape = list(inputs[0].shape) if inputs else []
    image = len(inputs) == 1 and len(shape) == 4
    fixed = [size if isinstance(size, int) else None for size in shape]
    if not image or fixed[1] not in (CHANNELS, None) or fixed[0] not in (1, None):
        found = ", ".join(f"{entry.name} {entry.shape}" for entry in inputs)
        raise InputError(
            f"{path}: expected one input of shape (1, 3, height, width), got {found}"
        )
    if inputs[0].type not in _TYPES:
        raise InputError(f"{path}: expected float input, got {inputs[0].type}")
    return fixed[2], fixed[3]


def _line(error):
    return " ".join(str(error).split())
