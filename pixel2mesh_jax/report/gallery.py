"""The images that a report shows of one sample."""

import base64
import io
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from pixel2mesh_jax.rendering import mesh_images, point_images
from pixel2mesh_jax.structures import HostMesh

# Pixels of an image; shown at about two thirds of it, crisp on dense screens.
TILE = 256
# Degrees around the object from the input camera, and above its horizon. The stages are
# shown from the first of these sides.
OTHER_SIDES = ((60.0, 25.0), (180.0, 25.0))
WEBP_QUALITY = 85


class ReportSample(NamedTuple):
    """One held-out view with what was predicted from it; camera frame, metres.

    Attributes:
      name: of the object.
      category: its name.
      rgb: in [0, 1], on white.
      depth: metres, 0 = missing; all zero if the data has none.
      intrinsics: of the image, pixels.
      stages: the predicted meshes; the last one is the result.
      true_points: on the true surface; the more, the better it looks: 10,000.
      true_normals: unit normals there, of either sign.
      true_colors: sRGB in [0, 1] there, shown if colours are predicted.
    """

    name: str
    category: str
    rgb: Float[np.ndarray, "S S 3"]
    depth: Float[np.ndarray, "S S"]
    intrinsics: Float[np.ndarray, "3 3"]
    stages: tuple[HostMesh, ...]
    true_points: Float[np.ndarray, "P 3"]
    true_normals: Float[np.ndarray, "P 3"]
    true_colors: Float[np.ndarray, "P 3"] | None = None

    @property
    def mesh(self) -> HostMesh:
        """The result."""
        return self.stages[-1]


class Group(NamedTuple):
    """Images that belong side by side: (caption, image) under one heading."""

    heading: str
    tiles: tuple[tuple[str, UInt8[np.ndarray, "_ _ 3"]], ...]


def sample_groups(sample: ReportSample) -> list[Group]:
    """Input, prediction beside truth from three sides, and the stages."""
    size = sample.rgb.shape[0]
    same = mesh_images.input_camera(sample.intrinsics, size, TILE)
    seen = np.concatenate([sample.true_points, sample.mesh.vertices])
    others = [mesh_images.turntable_camera(seen, *side, TILE) for side in OTHER_SIDES]
    shown = [("image", np.round(sample.rgb * 255).astype(np.uint8))]
    if sample.depth.any():
        shown.append(("depth", mesh_images.depth_image(sample.depth)))
    stages = tuple(
        (
            f"{number} · {len(mesh.vertices)} vertices",
            mesh_images.mesh_image(mesh.vertices, mesh.faces, others[0]),
        )
        for number, mesh in enumerate(sample.stages, start=1)
    )
    return [
        Group("Input", tuple(shown)),
        Group("From the input camera", _compared(sample, same)),
        *(
            Group(f"Turned by {azimuth:.0f}°", _compared(sample, viewpoint))
            for (azimuth, _), viewpoint in zip(OTHER_SIDES, others, strict=True)
        ),
        Group("Stages", stages),
    ]


def image_url(image: UInt8[np.ndarray, "H W 3"]) -> str:
    """The image as a `data:` address."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "WEBP", quality=WEBP_QUALITY, method=6)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _compared(sample, viewpoint):
    """Predicted and true surface from one viewpoint."""
    true_colors = None if sample.mesh.colors is None else sample.true_colors
    vertices, faces, colors = sample.mesh
    predicted = mesh_images.mesh_image(vertices, faces, viewpoint, colors)
    true = point_images.points_image(
        sample.true_points, sample.true_normals, viewpoint, true_colors
    )
    return (("predicted", predicted), ("true", true))
