"""One capture to meshes: the canonical view, the network, and back to the image.

    `Capture` -> canonical square (geometry/object_crop.py) -> `Batch` of one -> network
    -> meshes -> camera frame of the image

Nothing is written here.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.geometry import anchoring, camera, object_crop, surface
from pixel2mesh_jax.io import captures, exif, units, views
from pixel2mesh_jax.rendering import raycast
from pixel2mesh_jax.structures import Batch, HostMesh, Reconstruction, Texture

# What `Prediction.frame` says.
METRIC_FRAME = "camera of the image, metres"
IMAGE_FRAME = "camera of the image, unit of Pixel2Mesh"
CANONICAL_FRAME = "camera of the cut-out square, unit of Pixel2Mesh"

# (H, W, 4) straight colours and coverage -> (H, W) relative inverse depth in [0, 1].
Estimate = Callable[[np.ndarray], np.ndarray]
Extract = Callable[[Batch], list[Reconstruction]]
logger = logging.getLogger(__name__)


class Prediction(NamedTuple):
    """What a network makes of one capture.

    Attributes:
      stages: meshes in `frame`, the last one is the result.
      frame: of the vertices; x right, y up, the camera looks along -z.
      is_metric: whether the scale was measured.
      distance: of the visible side as measured; without measured depth, of the middle
        of the box; metres of `frame`.
      batch: what the network saw.
      seen: the last mesh in the frame of `batch`.
      lens: with which the image, upright, shows the meshes; its pixels.
      texture: of the last mesh, if one was asked for.
      mirrors: planes of symmetry that completed the hidden side; None where the method
        does not look for any.
    """

    stages: tuple[HostMesh, ...]
    frame: str
    is_metric: bool
    distance: float
    batch: Batch
    seen: HostMesh
    lens: Float[np.ndarray, "3 3"]
    texture: Texture | None = None
    mirrors: int | None = None

    @property
    def mesh(self) -> HostMesh:
        """The final mesh."""
        return self.stages[-1]

    @property
    def size(self) -> float:
        """Diagonal of the box of the final mesh, metres of `frame`."""
        low, high = self.mesh.vertices.min(axis=0), self.mesh.vertices.max(axis=0)
        return float(np.linalg.norm(high - low))

    @property
    def volume(self) -> float:
        """Enclosed by the final mesh, cubic metres of `frame`."""
        return float(surface.signed_volume(*self.mesh[:2]))

    @property
    def is_watertight(self) -> bool:
        """Whether every edge of the final mesh has two faces."""
        mesh = trimesh.Trimesh(*self.mesh[:2], process=False)
        return bool(mesh.is_watertight)


def predict(
    extract: Extract,
    capture: captures.Capture,
    name: object,
    *,
    image_size: int,
    fit: str = "auto",
    estimate: Estimate | None = None,
    refine: int = 0,
) -> Prediction:
    """Meshes of one capture.

    Args:
      extract: one reconstruction per row of a batch; gets a batch of one.
      capture: a view and what is known of it.
      name: of the image, for messages.
      image_size: pixels per side that the network expects.
      fit: one of `views.FITS`.
      estimate: says relative inverse depth where nothing was measured.
      refine: steps that anchor the visible side of the last mesh to the measured
        depth, see `geometry/anchoring.py`.

    Raises:
      InputError: `refine` is negative, or the prediction is empty or not finite.
    """
    view, metric = capture.view, capture.unit is not None
    square, fitted = views.canonicalize(view, fit)
    if square.estimated is not None:
        square = views.with_relative_depth(square, square.estimated)
    elif estimate is not None and not metric:
        square = views.with_relative_depth(square, estimate(square.rgba))
    batch = views.batch_of_view(square, image_size)
    refined = anchored(extract, refine)
    made = extracted(refined if metric else extract, batch, name)
    predicted = list(made.stages)
    if not len(predicted[-1].faces):
        raise InputError(f"{name}: the prediction is empty, it has no surface")
    if not all(np.isfinite(mesh.vertices).all() for mesh in predicted):
        raise InputError(f"{name}: the prediction is not finite; is the run sound?")
    seen = predicted[-1]
    if metric:
        believes = fitted.kept and not made.on_depth_map
        ratio = _believed_ratio(seen, fitted, batch) if believes else 1.0
        predicted = _in_camera(predicted, fitted, ratio, capture.orientation)
    last = predicted[-1].vertices
    middle = (last.min(axis=0) + last.max(axis=0)) / 2
    return Prediction(
        stages=tuple(predicted),
        frame=_frame(fitted, metric),
        is_metric=metric,
        distance=fitted.depth if metric else float(-middle[2]),
        batch=batch,
        seen=seen,
        lens=view.intrinsics if metric else _own_lens(view, fitted),
        mirrors=made.mirrors,
    )


def without_depth(extract: Extract, optional: Sequence[str]) -> Extract:
    """The same of images alone, for data that have depth.

    Args:
      extract: one reconstruction per row of a batch.
      optional: inputs that the model can do without, `Method.optional`.

    Raises:
      InputError: depth is not one of them.
    """
    if "depth" not in optional:
        raise InputError(
            "eval.without_depth is for models that can do without depth: rgbd_sdf.py "
            "with model.depth_dropout above 0"
        )
    return lambda batch: extract(batch._replace(depth=np.zeros_like(batch.depth)))


def anchored(extract: Extract, steps: int) -> Extract:
    """The same, with the visible side of the last meshes on the depth map.

    Args:
      extract: one reconstruction per row of a batch.
      steps: of `geometry/anchoring.py`; 0 moves nothing.

    Raises:
      InputError: `steps` is negative.
    """
    if steps < 0:
        raise InputError(f"refine is {steps}; expected 0 or a number of steps")
    if not steps:
        return extract

    def extract_anchored(batch):
        found = extract(batch)
        return [_anchor(one, batch, row, steps) for row, one in enumerate(found)]

    return extract_anchored


def _anchor(found, batch, row, steps):
    mesh = found.mesh
    if batch.depth is None or not len(mesh.faces):
        return found
    view = anchoring.DepthView(
        *(np.asarray(x[row]) for x in (batch.depth, batch.mask, batch.intrinsics))
    )
    vertices = anchoring.anchor(mesh.vertices, mesh.faces, view, steps)
    return found._replace(stages=(*found.stages[:-1], mesh._replace(vertices=vertices)))


def extracted(extract: Extract, batch: Batch, name: object) -> Reconstruction:
    """What is made of a batch of one; warns of what was out of the ordinary."""
    (found,) = extract(batch)
    for remark in found.remarks:
        logger.warning("%s: %s", name, remark)
    return found


def warn_of_doubts(
    found: Prediction, capture: captures.Capture, name: object, remedy: str
) -> None:
    """Says what makes metres doubtful: an assumed lens, an unlikely size.

    Args:
      found: meshes of the capture.
      capture: without measured depth nothing is said.
      name: of the image.
      remedy: how to give the camera.
    """
    if capture.unit is None:
        return
    if capture.lens_assumed:
        logger.warning(
            "%s: no camera beside the image: that of 3D-R2N2 is assumed, and the "
            "size is not to be trusted. %s",
            *(name, remedy),
        )
    doubts = units.doubts(found.distance, found.size, capture.unit)
    if doubts is not None:
        logger.warning("%s: %s", name, doubts)


def _in_camera(predicted, fitted, ratio, orientation):
    """Meshes of the canonical frame in the camera frame of the stored image, metres.

    A view that was cut out shows every object equally large, hence at the distance that
    the map assumes. A view that was kept does not: how far away the network believes
    the object depends on how large it looks. Those meshes are scaled around the camera
    until the visible side of the last one is at the measured depth, by `ratio`.
    """
    placed = []
    for mesh in predicted:
        points = object_crop.camera_from_canonical(mesh.vertices, fitted)
        faces = mesh.faces[:, ::-1] if exif.is_mirrored(orientation) else mesh.faces
        points = exif.unturn_points(points * np.float32(ratio), orientation)
        placed.append(mesh._replace(vertices=points, faces=faces))
    return placed


def _believed_ratio(mesh, fitted, batch):
    """Measured depth over that of a mesh in the canonical frame."""
    measured, lens = batch.depth[0], batch.intrinsics[0]
    seen = raycast.cast(mesh.vertices, mesh.faces, lens, measured.shape).depth
    return object_crop.depth_ratio(
        object_crop.camera_depth(measured, fitted),
        object_crop.camera_depth(seen, fitted),
    )


def _own_lens(view, fitted):
    """With which a view shows meshes in the frame of the canonical one."""
    if fitted is None:
        return view.intrinsics
    factor = float(view.intrinsics[0, 0] / fitted.intrinsics[0, 0])  # it was shrunk
    return camera.resize_intrinsics(fitted.lens, factor, factor)


def _frame(fitted, metric):
    if metric:
        return METRIC_FRAME
    return IMAGE_FRAME if fitted is None else CANONICAL_FRAME
