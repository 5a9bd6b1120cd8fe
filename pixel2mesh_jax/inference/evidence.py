"""What a mesh was made of, small enough to be kept and shown beside it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from pixel2mesh_jax.io import views
from pixel2mesh_jax.io.captures import Capture

MAX_SIDE = 512  # pixels


class Evidence(NamedTuple):
    """The whole image as it was used, upright.

    Attributes:
      image: sRGB; alpha is what was taken for the object.
      depth: along the optical axis, of the object and of what surrounds it, 0 =
        missing. Metres if it was measured; if it was estimated, the network's own unit
        and the object alone. None without depth.
    """

    image: UInt8[np.ndarray, "H W 4"]
    depth: Float32[np.ndarray, "H W"] | None


def evidence(capture: Capture) -> Evidence:
    """Image and depth of a capture, at most `MAX_SIDE` pixels per side."""
    view = capture.view
    rgba = view.rgba
    if view.estimated is not None:
        view = views.with_relative_depth(view, view.estimated)
    elif capture.surroundings is not None:
        view = view._replace(depth=view.depth + capture.surroundings)
    depth = view.depth
    factor = -(-max(depth.shape) // MAX_SIDE)
    if factor > 1:
        rgba, depth = _reduced(rgba, factor), views.shrink(view, factor).depth
    return Evidence(rgba, depth if depth.any() else None)


def _reduced(rgba, factor):
    """Averaged; what is transparent keeps its colours, unlike in `views.shrink`."""
    height, width = (length // factor for length in rgba.shape[:2])
    whole = Image.fromarray(rgba[: height * factor, : width * factor])
    bands = [band.reduce(factor) for band in whole.split()]
    return np.array(Image.merge("RGBA", bands))
