"""Cuts the object out of a box in a photo, without weights: GrabCut of OpenCV.

Rother, Kolmogorov and Blake (2004): colours inside and outside of the box are two
mixtures of Gaussians, and a cut through the graph of the pixels parts them.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from pixel2mesh_jax.errors import InputError

NAME = "grabcut"
ITERATIONS = 5  # as in OpenCV's example
SEED = 0  # of OpenCV's first guess of the mixtures


class GrabCut(NamedTuple):
    """A `matting.Matting` that has to be told where to look.

    Attributes:
      box: left, top, right, bottom of the object, pixels; right and bottom are outside.
    """

    box: tuple[int, int, int, int] | None = None

    def __call__(self, rgb: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W"]:
        """Coverage of the object: 0 or 255.

        Raises:
          InputError: no box, or one that leaves no ground around it.
        """
        cv2 = load_opencv()
        height, width = rgb.shape[:2]
        if self.box is None:
            raise InputError(
                "--matting grabcut looks inside a box: give --box left,top,right,bottom"
            )
        left, top, right, bottom = self.box
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, width), min(bottom, height)
        area = (right - left) * (bottom - top)
        if right <= left or bottom <= top or area == width * height:
            raise InputError(
                f"--box {','.join(map(str, self.box))}: grabcut needs a box with some "
                f"of the image of {width}x{height} pixels inside and some around it"
            )
        cv2.setRNGSeed(SEED)
        marks = np.zeros((height, width), np.uint8)
        cv2.grabCut(
            np.ascontiguousarray(rgb[..., ::-1]),
            marks,
            (left, top, right - left, bottom - top),
            *(np.zeros((1, 65)) for _ in range(2)),  # the mixtures, for cv2 to fill
            ITERATIONS,
            cv2.GC_INIT_WITH_RECT,
        )
        inside = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD))
        return np.where(inside, np.uint8(255), np.uint8(0))


def load_opencv():
    """The package cv2.

    Raises:
      InputError: it is not installed; says how.
    """
    try:
        import cv2
    except ImportError:
        raise InputError(
            "--matting grabcut needs OpenCV: pip install 'pixel2mesh-jax[grabcut]'"
        ) from None
    return cv2
