"""Depth from colour alone, by a published monocular network.

A network is named by its back end:

* `onnx:<file>` or `onnx:<recipe>:<file>`: MiDaS v2.1, DPT, Depth Anything as ONNX
  files, prepared as recipes.py says. Needs onnxruntime.
* `transformers:<model id or folder>`: DPT and Depth Anything of Hugging Face, prepared
  as the folder says. Needs transformers and torch.
* `none`.

They all give relative inverse depth: larger is nearer, scale and shift are unknown. It
enters the models through the same channel as measured depth, see geometry/depth.py.
Nothing heavy is imported before a network is loaded, TensorFlow never.
"""

import pathlib
from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from data_pipelines.depth_estimation import recipes
from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import depth
from pixel2mesh_jax.io import onnx_networks

NONE = "none"
TRANSFORMERS = "transformers:"
NETWORKS = (
    "onnx:<file>, onnx:<recipe>:<file> or transformers:<model id or folder> "
    f"(recipes: {', '.join(recipes.RECIPES)})"
)
# Families of Hugging Face models whose answer is relative inverse depth; others, such
# as zoedepth or depth_pro, answer in metres.
RELATIVE_MODELS = ("dpt", "depth_anything")
RELATIVE = "relative"  # `depth_estimation_type` of a Depth Anything model

# (H, W, 3) colours on a background -> (H, W) relative inverse depth, any range.
Estimator = Callable[[UInt8[np.ndarray, "H W 3"]], Float32[np.ndarray, "H W"]]


def resolve(name: str) -> str:
    """The name with absolute path and recipe.

    Raises:
      InputError: not one of the valid forms, or no such file or folder.
    """
    if name == NONE:
        return name
    if name.startswith(onnx_networks.PREFIX):
        recipe, path = onnx_networks.parse_name(name, recipes.PUBLISHED)
        if "metric" in path.name.lower():
            raise InputError(f"{path}: predicts metres, expected relative depth")
        return f"{onnx_networks.PREFIX}{recipe}:{path}"
    if name.startswith(TRANSFORMERS):
        return TRANSFORMERS + _model_or_folder(name.removeprefix(TRANSFORMERS))
    raise InputError(f"unknown depth estimator {name!r}; valid: none, {NETWORKS}")


def stamp(name: str) -> str:
    """Changes with the content of the network's files.

    Returns:
      "" for "none" and for the id of a model on the hub, which may change unnoticed.

    Raises:
      InputError: as `resolve`.
    """
    if name.startswith(onnx_networks.PREFIX):
        _, path = onnx_networks.parse_name(name, recipes.PUBLISHED)
        return onnx_networks.content_stamp(path)
    folder = pathlib.Path(resolve(name).removeprefix(TRANSFORMERS))
    return onnx_networks.content_stamp(folder) if folder.is_absolute() else ""


def load_estimator(name: str, threads: int = 0) -> Estimator:
    """Loads a network.

    Args:
      name: one of the forms above, but not "none".
      threads: 0 for all cores. The last bits of a result may depend on it.

    Raises:
      InputError: as `resolve`; a package is missing; or the file is not such a network.
    """
    name = resolve(name)
    if name == NONE:
        raise InputError(f"no depth estimator was chosen; valid: {NETWORKS}")
    if name.startswith(TRANSFORMERS):
        return _transformers_estimator(name.removeprefix(TRANSFORMERS), threads)
    recipe, path = onnx_networks.parse_name(name, recipes.PUBLISHED)
    return _onnx_estimator(recipes.RECIPES[recipe], path, threads)


def estimate_depth(
    rgba: UInt8[np.ndarray, "H W 4"], estimator: Estimator
) -> Float32[np.ndarray, "H W"]:
    """Relative inverse depth of an object: 1 at the nearest pixel, 0 at the farthest.

    The network sees the object on white, as the models do; whatever it says about
    pixels outside the object has no influence.

    Args:
      rgba: straight colours and coverage.
      estimator: see `load_estimator`.

    Returns:
      In [0, 1], and 0 outside the object.
    """
    alpha = rgba[..., 3:].astype(np.float32) / 255
    on_white = rgba[..., :3] * alpha + 255 * (1 - alpha)
    prediction = estimator(np.round(on_white).astype(np.uint8))
    return depth.relative_inverse_depth(prediction, alpha[..., 0])


def _onnx_estimator(recipe, path, threads):
    network = onnx_networks.load_network(path, threads)

    def estimate(rgb):
        shape = rgb.shape[:2]
        fixed = (network.height, network.width)
        size = recipes.network_size(shape, recipe, fixed)
        image = recipes.prepare(rgb, recipe, size)
        prediction = onnx_networks.run_network(network, image)
        return recipes.resize(prediction, shape, recipe.back)

    return estimate


def _transformers_estimator(model, threads):
    try:
        import torch
        import transformers
    except ImportError as error:
        raise InputError(
            f"{TRANSFORMERS}{model} needs {error.name}: "
            "pip install 'pixel2mesh-jax[depth]'"
        ) from None
    transformers.utils.logging.disable_progress_bar()
    if threads:
        torch.set_num_threads(threads)
    try:
        pipeline = transformers.pipeline("depth-estimation", model=model, device="cpu")
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise InputError(f"{TRANSFORMERS}{model} cannot be loaded: {text}") from None
    _check_relative(pipeline.model.config, model)

    def estimate(rgb):
        prediction = pipeline(Image.fromarray(rgb))["predicted_depth"]
        prediction = prediction.detach().numpy().squeeze()
        return recipes.resize(prediction, rgb.shape[:2], "cubic")

    return estimate


def _check_relative(config, model):
    kind = getattr(config, "depth_estimation_type", RELATIVE)
    if config.model_type not in RELATIVE_MODELS or kind != RELATIVE:
        raise InputError(
            f"{TRANSFORMERS}{model}: a {kind} {config.model_type} model; expected "
            f"relative inverse depth by one of {', '.join(RELATIVE_MODELS)}"
        )


def _model_or_folder(text):
    """A folder's absolute path, or the id `owner/name` of a model on the hub."""
    folder = pathlib.Path(text).expanduser()
    if folder.is_dir():
        return str(folder.absolute())
    if text.count("/") == 1 and not text.startswith((".", "/", "~")):
        return text
    raise InputError(
        f"{TRANSFORMERS}{text}: no such folder; expected a folder that holds "
        "config.json, or an id such as Intel/dpt-hybrid-midas"
    )
