"""How each monocular depth network wants its image, as its authors publish it.

Size: MiDaS and Depth Anything share one class `Resize` (isl-org/MiDaS
midas/transforms.py). It keeps the aspect ratio, rounds both sides to a multiple of the
network's stride, and fits the image inside a square ("upper_bound"), around it
("lower_bound") or to the side that needs the smaller change ("minimal"). The ONNX
releases of MiDaS v2.1 ignore the aspect ratio instead ("square").

Interpolation: OpenCV's INTER_CUBIC on the way in (a = -0.75, pixel centres at halves,
replicated borders, no antialiasing), and what the authors use on the way out.

Colour: mean and standard deviation over RGB in [0, 1].

| recipe | size | colour | out | published in |
|---|---|---|---|---|
| midas_v21_small | square 256 | none | cubic | isl-org/MiDaS tf/run_onnx.py |
| midas_v21 | square 384 | none | cubic | likewise |
| midas_small_hub | upper_bound 256, 32 | ImageNet | cubic | hubconf.py, run.py |
| midas_hub | upper_bound 384, 32 | ImageNet | cubic | likewise |
| dpt | minimal 384, 32 | 0.5 | cubic | hubconf.py `dpt_transform` |
| depth_anything | lower_bound 518, 14 | ImageNet | linear, corners | dpt.py |

The two releases of MiDaS v2.1 hold the colour normalisation in the graph
(tf/make_onnx_model.py); `*_hub` are for graphs that somebody exported from torch.hub,
which do not. depth_anything: DepthAnything/Depth-Anything-V2 depth_anything_v2/dpt.py,
also V1 and the exports of onnx-community and fabio-sim/Depth-Anything-ONNX.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from pixel2mesh_jax.io.onnx_networks import IMAGENET_MEAN, IMAGENET_STD

HALF = (0.5, 0.5, 0.5)
# Free parameter of the cubic convolution kernel (Keys 1981), as OpenCV and PyTorch.
CUBIC_A = -0.75


class DepthRecipe(NamedTuple):
    """How an image enters a network and how its answer comes back.

    Attributes:
      size: side of the square that the network was trained on, pixels.
      fit: "square", "upper_bound", "lower_bound" or "minimal".
      multiple: stride of the network, pixels.
      mean: subtracted from RGB in [0, 1].
      std: divides RGB after that.
      back: interpolation of the answer, "cubic" or "linear_corners".
    """

    size: int
    fit: str
    multiple: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    back: str = "cubic"


_AS_IT_IS = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
RECIPES = {
    "midas_v21_small": DepthRecipe(256, "square", 32, **_AS_IT_IS),
    "midas_v21": DepthRecipe(384, "square", 32, **_AS_IT_IS),
    "midas_small_hub": DepthRecipe(256, "upper_bound", 32),
    "midas_hub": DepthRecipe(384, "upper_bound", 32),
    "dpt": DepthRecipe(384, "minimal", 32, mean=HALF, std=HALF),
    "depth_anything": DepthRecipe(518, "lower_bound", 14, back="linear_corners"),
}
# Pieces of the file names under which networks are published.
PUBLISHED = {
    "midas_v21_small": ("model-small",),
    "midas_v21": ("model-f6b98070", "model-f46da743"),
    "midas_small_hub": (),
    "midas_hub": (),
    "dpt": ("dpt_hybrid", "dpt-hybrid", "dpt_large", "dpt-large"),
    "depth_anything": ("depth_anything", "depth-anything"),
}


def network_size(
    shape: tuple[int, int],
    recipe: DepthRecipe,
    fixed: tuple[int | None, int | None] = (None, None),
) -> tuple[int, int]:
    """(height, width) at which a network sees an image of (height, width) pixels.

    Args:
      shape: of the image.
      recipe: of the network.
      fixed: what the network cannot change; it goes before the recipe.
    """
    scales = [recipe.size / side for side in shape]
    if recipe.fit == "upper_bound":
        scales = [min(scales)] * 2
    elif recipe.fit == "lower_bound":
        scales = [max(scales)] * 2
    elif recipe.fit == "minimal":
        scales = [min(scales, key=lambda scale: abs(1 - scale))] * 2
    wanted = [
        _multiple(scale * side, recipe)
        for scale, side in zip(scales, shape, strict=True)
    ]
    height, width = (
        want if given is None else given
        for want, given in zip(wanted, fixed, strict=True)
    )
    return height, width


def prepare(
    rgb: UInt8[np.ndarray, "H W 3"], recipe: DepthRecipe, size: tuple[int, int]
) -> Float32[np.ndarray, "h w 3"]:
    """What the network is given for an image: resized, then normalised colours."""
    resized = resize(rgb.astype(np.float32) / 255, size, "cubic")
    mean, std = (np.array(value, np.float32) for value in (recipe.mean, recipe.std))
    return (resized - mean) / std


def resize(
    image: Float32[np.ndarray, "H W *channels"], size: tuple[int, int], method: str
) -> Float32[np.ndarray, "h w *channels"]:
    """Interpolates to (height, width), without antialiasing.

    Args:
      image: any number of channels, or none.
      size: of the result.
      method: "cubic" (pixel centres at halves) or "linear_corners" (the corner pixels
        stay where they are).
    """
    rows, columns = (
        _weights(old, new, method)
        for old, new in zip(image.shape[:2], size, strict=True)
    )
    return np.einsum("hy,yx...,wx->hw...", rows, image, columns, optimize=True)


def _multiple(side, recipe):
    """Nearest multiple, but not beyond the square that the image has to respect."""
    steps = side / recipe.multiple
    rounded = int(np.round(steps)) * recipe.multiple
    if recipe.fit == "upper_bound" and rounded > recipe.size:
        return int(np.floor(steps)) * recipe.multiple
    if recipe.fit == "lower_bound" and rounded < recipe.size:
        return int(np.ceil(steps)) * recipe.multiple
    return max(rounded, recipe.multiple)


def _weights(old, new, method):
    """(new, old) matrix of interpolation weights along one axis."""
    steps = np.arange(new)
    if method == "cubic":
        where, kernel = (steps + 0.5) * old / new - 0.5, _cubic
    else:
        where, kernel = steps * (old - 1) / max(new - 1, 1), _linear
    taps = np.floor(where).astype(int)[:, None] + np.arange(-1, 3)
    matrix = np.zeros((new, old))
    values = kernel(np.abs(where[:, None] - taps))
    np.add.at(matrix, (steps[:, None], np.clip(taps, 0, old - 1)), values)
    return matrix.astype(np.float32)


def _cubic(distance):
    near = ((CUBIC_A + 2) * distance - (CUBIC_A + 3)) * distance**2 + 1
    far = CUBIC_A * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def _linear(distance):
    return np.maximum(1 - distance, 0.0)
