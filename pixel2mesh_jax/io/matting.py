"""Cuts the object out of a photo that has no transparency.

`none`: only a white background is removed, see io/images.py.
`onnx:<file>` or `onnx:<recipe>:<file>`: a salient-object network, run by onnxruntime.
`rembg` or `rembg:<model>`: the package rembg, which downloads its weights at first use.
`grabcut`: no weights, but a box, see io/grabcut.py.

The networks want the image squeezed to a square (Lanczos), divided by its brightest
value, and normalised; their answer is stretched to [0, 1]. So danielgatis/rembg does:
rembg/sessions/base.py, u2net.py, dis_general_use.py, birefnet_general.py.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import grabcut, onnx_networks
from pixel2mesh_jax.io.grabcut import GrabCut

NONE = "none"
REMBG = "rembg"
# Apache-2.0 weights; the default of rembg itself may not be used commercially.
REMBG_MODEL = "u2net"

# (H, W, 3) colours -> (H, W) coverage of the object, 0 to 255.
Matting = Callable[[UInt8[np.ndarray, "H W 3"]], UInt8[np.ndarray, "H W"]]

# Left, top, right, bottom, pixels.
Box = tuple[int, int, int, int]


class MattingRecipe(NamedTuple):
    """How an image enters a salient-object network.

    Attributes:
      size: side of the square, pixels.
      std: divides RGB after the mean of ImageNet was subtracted.
      logits: whether the answer goes through a sigmoid.
    """

    size: int
    std: tuple[float, float, float] = onnx_networks.IMAGENET_STD
    logits: bool = False


# Against division by zero in a black image, as rembg.
DARKEST = 1e-6
RECIPES = {
    "u2net": MattingRecipe(320),
    "isnet": MattingRecipe(1024, std=(1.0, 1.0, 1.0)),
    "birefnet": MattingRecipe(1024, logits=True),
}
# Pieces of the file names under which rembg's release publishes the networks.
PUBLISHED = {
    "u2net": ("u2net", "silueta"),
    "isnet": ("isnet",),
    "birefnet": ("birefnet",),
}
FORMS = (
    "rembg, rembg:<model>, grabcut, onnx:<file>, onnx:<recipe>:<file> or none "
    f"(recipes: {', '.join(RECIPES)})"
)


def load_matting(name: str) -> Matting | None:
    """The function that cuts objects out; None for "none".

    Raises:
      InputError: unknown form; no such file, or not such a network; a package is
        missing.
    """
    if name == NONE:
        return None
    if name == grabcut.NAME:
        grabcut.load_opencv()
        return GrabCut()
    if name.startswith(onnx_networks.PREFIX):
        recipe, path = onnx_networks.parse_name(name, PUBLISHED)
        return _onnx_matting(RECIPES[recipe], onnx_networks.load_network(path))
    head, _, model = name.partition(":")
    if head == REMBG:
        return _rembg_matting(model or REMBG_MODEL)
    raise InputError(f"unknown matting {name!r}; valid: {FORMS}")


def within(matting: Matting | None, box: Box | None) -> Matting | None:
    """The same, looking inside a box where it can be told."""
    return GrabCut(box) if isinstance(matting, GrabCut) else matting


def prepare(
    rgb: UInt8[np.ndarray, "H W 3"], recipe: MattingRecipe, size: tuple[int, int]
) -> Float32[np.ndarray, "h w 3"]:
    """What a network of (height, width) `size` is given for an image."""
    height, width = size
    squeezed = Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS)
    values = np.asarray(squeezed, np.float32)
    values = values / max(values.max(), DARKEST)
    mean = np.array(onnx_networks.IMAGENET_MEAN, np.float32)
    return (values - mean) / np.array(recipe.std, np.float32)


def coverage(
    prediction: Float32[np.ndarray, "h w"],
    recipe: MattingRecipe,
    shape: tuple[int, int],
) -> UInt8[np.ndarray, "H W"]:
    """The answer of a network as alpha of an image of (height, width) `shape`.

    Stretched so that the least salient pixel is 0 and the most salient 255; a network
    that sees no difference finds no object.
    """
    if recipe.logits:
        prediction = 1 / (1 + np.exp(-prediction))
    smallest, largest = prediction.min(), prediction.max()
    if smallest == largest:
        return np.zeros(shape, np.uint8)
    stretched = (prediction - smallest) / (largest - smallest)
    alpha = Image.fromarray((stretched * 255).astype(np.uint8))
    height, width = shape
    return np.asarray(alpha.resize((width, height), Image.Resampling.LANCZOS))


def _onnx_matting(recipe, network):
    size = (network.height or recipe.size, network.width or recipe.size)

    def cut_out(rgb):
        image = prepare(rgb, recipe, size)
        prediction = onnx_networks.run_network(network, image)
        return coverage(prediction, recipe, rgb.shape[:2])

    return cut_out


def _rembg_matting(model):
    try:
        import rembg
    except ImportError:
        raise InputError(
            "--matting rembg needs the package: pip install 'pixel2mesh-jax[matting]'"
        ) from None
    try:
        session = rembg.new_session(model)
    except (ValueError, OSError) as error:  # unknown model, no network
        text = " ".join(str(error).split())
        raise InputError(f"rembg cannot load {model!r}: {text}") from None

    def cut_out(rgb):
        alpha = rembg.remove(Image.fromarray(rgb), session=session, only_mask=True)
        return np.asarray(alpha.convert("L"))

    return cut_out
