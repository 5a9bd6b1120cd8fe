"""A texture for a predicted mesh, from the image that it was predicted from."""

from pixel2mesh_jax.geometry import object_crop
from pixel2mesh_jax.inference.predict import Prediction
from pixel2mesh_jax.io import exif, images, views
from pixel2mesh_jax.io.captures import Capture
from pixel2mesh_jax.rendering import texture
from pixel2mesh_jax.structures import HostMesh, Texture, View


def make_texture(
    found: Prediction, mesh: HostMesh, capture: Capture, size: int
) -> Texture:
    """The texture of a mesh in the frame of a prediction.

    Args:
      found: made of the capture, in the frame of the camera.
      mesh: its last mesh, maybe with other triangles.
      capture: its image is used at full size, or at half, a third and so on where it
        has more pixels than the texture could hold.
      size: texels per side.

    Raises:
      InputError: see `atlas.unwrap`.
    """
    if found.is_metric:  # the frame of the stored image; the view is upright
        points = exif.turn_points(mesh.vertices, capture.orientation)
        mesh = mesh._replace(vertices=points)
    view = capture.view._replace(intrinsics=found.lens)
    return texture.make_texture(mesh, _fitting(view, size), size)


def _fitting(view: View, size: int) -> View:
    """The object alone, at the size at which a pixel of it is about a texel."""
    box = object_crop.object_box(view.rgba[..., 3] >= images.OPAQUE_LEVEL)
    close = views.cut(view, object_crop.square_of_box(box))
    side = max(box.right - box.left, box.bottom - box.top)
    return views.shrink(close, side // size) if side >= 2 * size else close
