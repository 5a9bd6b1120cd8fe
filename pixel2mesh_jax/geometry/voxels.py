"""The view volume of Mesh R-CNN: a voxel grid that a camera sees as its image.

Rows and columns of the grid are those of the image, layers are depths. An index is
(depth, row, column), as in an occupancy array (D, H, W), and need not be whole. The
centres of the outer voxels lie on the borders of the volume:

    layer   0 ............ D - 1        the layers are equally spaced in inverse depth,
            near             far        so they are thin near the camera
    column  0 ............ W - 1        u = -0.5 at column 0, width - 0.5 at the last
    row     0 ............ H - 1        downwards, as the rows of the image

The functions accept numpy and JAX arrays and return what they were given.
Source: facebookresearch/meshrcnn, shapenet/utils/coords.py, which writes the same with
a projection matrix whose depth is linear in inverse depth.
"""

from jaxtyping import Float

from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.structures import Array

# Voxels per side of the ShapeNet model of Mesh R-CNN.
MESH_RCNN_RESOLUTION = 48
# Mesh R-CNN keeps the normalised depths 0.67 to 0.92 of a projection with the planes
# 0.1 and 100, where a model has a unit diagonal; here in P2M metres.
DEPTH_RANGE = tuple(
    camera.P2M_SCALE * 0.2002002 / (1.002002 - normalised)
    for normalised in (0.67, 0.92)
)


def camera_from_voxel(
    index: Float[Array, "*batch N 3"],
    intrinsics: Float[Array, "*batch 3 3"],
    image_shape: tuple[int, int],
    resolution: int,
    depth_range: tuple[float, float] = DEPTH_RANGE,
) -> Float[Array, "*batch N 3"]:
    """Camera-frame points (metres) of positions in the grid.

    Args:
      index: (depth, row, column) in voxels, centres at whole numbers.
      intrinsics: pinhole matrix in pixels of the image.
      image_shape: (height, width) of the image in pixels.
      resolution: voxels per side.
      depth_range: metres to the centres of the first and last layer.
    """
    xp = index.__array_namespace__()
    fraction = index / (resolution - 1)
    near, far = depth_range
    depth = 1 / (1 / near + fraction[..., 0] * (1 / far - 1 / near))
    height, width = image_shape
    v = fraction[..., 1] * height - 0.5
    u = fraction[..., 2] * width - 0.5
    focal_u, center_u = intrinsics[..., 0, 0, None], intrinsics[..., 0, 2, None]
    focal_v, center_v = intrinsics[..., 1, 1, None], intrinsics[..., 1, 2, None]
    x = (u - center_u) / focal_u * depth
    y = -(v - center_v) / focal_v * depth
    return xp.stack([x, y, -depth], axis=-1)


def voxel_from_camera(
    points: Float[Array, "*batch N 3"],
    intrinsics: Float[Array, "*batch 3 3"],
    image_shape: tuple[int, int],
    resolution: int,
    depth_range: tuple[float, float] = DEPTH_RANGE,
) -> Float[Array, "*batch N 3"]:
    """Positions (depth, row, column) in the grid; the inverse of `camera_from_voxel`.

    Not clipped: a point outside the volume is below 0 or above `resolution - 1`, by up
    to half a voxel where it still lies in a voxel of the border. Points with z >= 0 are
    treated as in `camera.project`.
    """
    xp = points.__array_namespace__()
    near, far = depth_range
    inverse_depth = 1 / xp.maximum(-points[..., 2], 1e-6)
    layer = (1 / near - inverse_depth) / (1 / near - 1 / far)
    uv = camera.project(points, intrinsics)
    height, width = image_shape
    row, column = (uv[..., 1] + 0.5) / height, (uv[..., 0] + 0.5) / width
    return xp.stack([layer, row, column], axis=-1) * (resolution - 1)
