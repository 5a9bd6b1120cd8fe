"""Images, masks and depth maps as a lens without distortion would have shown them."""

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8
from scipy import ndimage


def image(
    rgba: UInt8[np.ndarray, "H W 4"], places: Float[np.ndarray, "2 H W"]
) -> UInt8[np.ndarray, "H W 4"]:
    """Bilinear; transparent pixels do not colour others.

    What the lens does not show is continued from the border, so that a white ground
    stays white; see `holes`.

    Args:
      rgba: straight colours and coverage.
      places: row and column of every pixel in the old image, NaN for none.
    """
    alpha = rgba[..., 3:].astype(np.float32)
    light = rgba[..., :3] * alpha
    places = np.where(np.isfinite(places), places, 0)
    channels = np.concatenate([light, alpha], axis=-1)
    sampled = np.stack(
        [
            ndimage.map_coordinates(channels[..., i], places, order=1, mode="nearest")
            for i in range(4)
        ],
        axis=-1,
    )
    colors = sampled[..., :3] / np.maximum(sampled[..., 3:], 1)
    straight = np.concatenate([colors, sampled[..., 3:]], axis=-1)
    return np.round(np.clip(straight, 0, 255)).astype(np.uint8)


def nearest(
    values: Shaped[np.ndarray, "H W"], places: Float[np.ndarray, "2 H W"]
) -> Shaped[np.ndarray, "H W"]:
    """Of masks and depth, which are not blended; 0 where the lens shows nothing."""
    missing = holes(places)
    rows, columns = np.round(np.where(missing, 0, places)).astype(int)
    return np.where(missing, values.dtype.type(0), values[rows, columns])


def holes(places: Float[np.ndarray, "2 H W"]) -> Bool[np.ndarray, "H W"]:
    """Pixels that the old image does not show."""
    height, width = places.shape[1:]
    rows, columns = np.where(np.isfinite(places), places, -np.inf)
    inside = (rows > -0.5) & (rows < height - 0.5)
    return ~(inside & (columns > -0.5) & (columns < width - 0.5))
