"""The view volume of one object: a grid of rays and layers around what an image shows.

    camera               near                            near + extent
      o  - - - - - - - - - |  0  |  1  |     ...     | L-1 |      layers, along -z
       \\__ R x R rays through the square crop of the mask, row 0 at the top

Everything is relative to the object: the crop follows its mask, the layers start at its
nearest visible point and their thickness follows the size of the crop. So a depth map
in other units gives the same grid, and the grid its results in those units. Distances
in the grid are in cells; a cell is one layer thick.

    volume = view_volume(depth, mask, intrinsics)     # where the grid stands
    seen = look(rgb, depth, mask, intrinsics, volume, resolution, layers)    # per ray
    field = base_field(seen, volume, layers)         # signed distance without a network

`view_volume` and the functions from `ray_tangents` to `index_of_points` take numpy and
JAX arrays and return what they were given, with any leading axes; `look` and
`base_field` take one view, in JAX.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from pixel2mesh_jax.geometry import surface
from pixel2mesh_jax.structures import Array

# Side of the crop over the longer side of the mask's box.
MARGIN = 1.15
# A pixel belongs to the object where so much of it is covered; its depth counts from
# a smaller share on, for posts and wires that are thinner than a pixel.
COVERED = 0.5
MIN_COVERAGE = 0.25
# The nearest visible depth is this quantile: a few flying pixels do not move it.
NEAREST_QUANTILE = 0.002
FARTHEST_QUANTILE = 0.998
# Empty room before the nearest point, as a share of the width of the volume.
ROOM = 0.03
# Extent along the rays over the width of the volume at its near plane: at least the
# first, and so much of the visible extent with a constant added. In 780 views of 195
# objects the far side of 4 % of the objects reaches beyond it, by 0.1 widths at most.
MIN_EXTENT = 1.0
EXTENT_OF_VISIBLE = 0.85
EXTENT_ADDED = 0.6
# Extent where no depth says more; covers 99 % of the objects.
DEFAULT_EXTENT = 1.7
# Distances in cells beyond this are all the same.
TRUNCATION = 3.0
# Depths of neighbouring pixels that differ by more cells than this are two surfaces.
EDGE = 2.0
# The same for the mesh. On 67 validation views with a network of 600 steps, F(1e-4)
# was 70.8 % with 2 and 71.4 % with 6.
STEEP_EDGE = 6.0
# A surface seen at a flatter angle than this is treated as if it were at this one.
MIN_COSINE = 0.15
# Depth in metres that stands in where no pixel has any.
FALLBACK_NEAR = 0.6
# Least size of a volume, tangent: an empty mask gives a volume all the same.
MIN_SIZE = 1e-3

Scalar = float | np.floating | Float[Array, ""]


class ViewVolume(NamedTuple):
    """Where the grid of a view stands; lengths in the unit of the depth map.

    Attributes:
      center: (x, y) of the middle ray at z = -1; y is up.
      size: side of the square of rays at z = -1.
      near: depth where the first layer begins.
      extent: from there to where the last layer ends.
    """

    center: Float[Array, "*batch 2"]
    size: Float[Array, "*batch"]
    near: Float[Array, "*batch"]
    extent: Float[Array, "*batch"]


class Seen(NamedTuple):
    """What R x R rays see.

    Attributes:
      rgb: colours in [0, 1].
      mask: coverage in [0, 1]; at least one half where there is depth.
      depth: along the optical axis, unit of the volume; 0 = missing.
      cosine: change of the distance to the visible surface per change of depth on the
        ray, |n . r| for a ray r with z = -1; 1 where it is not known.
      silhouette: distance to the outline of the object in rays, negative inside.
    """

    rgb: Float[Array, "R R 3"]
    mask: Float[Array, "R R"]
    depth: Float[Array, "R R"]
    cosine: Float[Array, "R R"]
    silhouette: Float[Array, "R R"]


def view_volume(
    depth: Float[Array, "*batch H W"],
    mask: Float[Array, "*batch H W"],
    intrinsics: Float[Array, "*batch 3 3"],
) -> ViewVolume:
    """The volume of a view.

    How far it reaches is a guess from what is visible: a long visible side means a deep
    object.

    Args:
      depth: along the optical axis, any unit; 0 = missing.
      mask: object coverage in [0, 1].
      intrinsics: pinhole matrix in pixels.
    """
    xp = depth.__array_namespace__()
    low, high = mask_box(mask >= COVERED, intrinsics)
    size = xp.maximum(MARGIN * xp.max(high - low, axis=-1), MIN_SIZE)
    nearest, farthest = visible_range(depth, mask)
    room = size * nearest
    near = nearest - ROOM * room
    visible = (farthest - nearest) / room
    ratio = xp.maximum(EXTENT_OF_VISIBLE * visible + EXTENT_ADDED, MIN_EXTENT)
    seen = xp.any(shows_depth(depth, mask), axis=(-2, -1))
    ratio = xp.where(seen, ratio, DEFAULT_EXTENT)
    return ViewVolume((low + high) / 2, size, near, ratio * size * near)


def pack(volume: ViewVolume) -> Float[Array, "*batch 5"]:
    """The numbers of a volume in one array, for records."""
    xp = volume.size.__array_namespace__()
    rest = xp.stack([volume.size, volume.near, volume.extent], axis=-1)
    return xp.concatenate([volume.center, rest], axis=-1)


def unpack(placement: Float[Array, "*batch 5"]) -> ViewVolume:
    """Inverse of `pack`."""
    return ViewVolume(placement[..., :2], *(placement[..., i] for i in (2, 3, 4)))


def moved(volume: ViewVolume, near: Float[Array, "*batch"]) -> ViewVolume:
    """The volume of the same rays and proportions that begins at another depth."""
    return volume._replace(near=near, extent=volume.extent * (near / volume.near))


def thickness(volume: ViewVolume, layers: int) -> Float[Array, "*batch"] | np.floating:
    """Length of a cell: the thickness of a layer."""
    return volume.extent / layers


def ray_tangents(volume: ViewVolume, resolution: int) -> Float[Array, "*batch R R 2"]:
    """(x, y) of every ray at z = -1; rows run downwards."""
    xp = volume.size.__array_namespace__()
    place = (xp.arange(resolution, dtype=volume.size.dtype) + 0.5) / resolution - 0.5
    x = volume.center[..., 0, None] + volume.size[..., None] * place
    y = volume.center[..., 1, None] - volume.size[..., None] * place
    shape = (*x.shape, resolution)
    x = xp.broadcast_to(x[..., None, :], shape)
    return xp.stack([x, xp.broadcast_to(y[..., None], shape)], axis=-1)


def layer_depths(volume: ViewVolume, layers: int) -> Float[Array, "*batch L"]:
    """Depth of the middle of every layer."""
    xp = volume.near.__array_namespace__()
    place = (xp.arange(layers, dtype=volume.near.dtype) + 0.5) / layers
    return volume.near[..., None] + volume.extent[..., None] * place


def cell_points(
    volume: ViewVolume, resolution: int, layers: int
) -> Float[Array, "*batch R R L 3"]:
    """Camera-frame points of the middles of all cells."""
    xp = volume.size.__array_namespace__()
    tangents = ray_tangents(volume, resolution)[..., None, :]
    depths = layer_depths(volume, layers)[..., None, None, :, None]
    shape = (*tangents.shape[:-2], layers, 1)
    return xp.concatenate([tangents * depths, xp.broadcast_to(-depths, shape)], axis=-1)


def points_of_index(
    index: Float[Array, "*batch N 3"],
    volume: ViewVolume,
    resolution: int,
    layers: int,
) -> Float[Array, "*batch N 3"]:
    """Camera-frame points of (row, column, layer); whole numbers are middles."""
    xp = index.__array_namespace__()
    row, column = ((index[..., i] + 0.5) / resolution for i in (0, 1))
    layer = (index[..., 2] + 0.5) / layers
    size, center = volume.size[..., None], volume.center
    x = center[..., 0, None] + size * (column - 0.5)
    y = center[..., 1, None] - size * (row - 0.5)
    depth = volume.near[..., None] + volume.extent[..., None] * layer
    return xp.stack([x * depth, y * depth, -depth], axis=-1)


def index_of_points(
    points: Float[Array, "*batch N 3"],
    volume: ViewVolume,
    resolution: int,
    layers: int,
) -> Float[Array, "*batch N 3"]:
    """(row, column, layer) of camera-frame points; inverse of `points_of_index`."""
    xp = points.__array_namespace__()
    coordinates = (points[..., axis] for axis in range(3))
    return xp.stack(
        index_of_coordinates(*coordinates, volume, resolution, layers), axis=-1
    )


def index_of_coordinates(
    x: Float[Array, "*batch N"],
    y: Float[Array, "*batch N"],
    z: Float[Array, "*batch N"],
    volume: ViewVolume,
    resolution: int,
    layers: int,
) -> list[Float[Array, "*batch N"]]:
    """The same of points whose coordinates are apart: row, column and layer."""
    rays = resolution / volume.size[..., None]
    steps = layers / volume.extent[..., None]
    middle = resolution / 2 - 0.5
    # Two operations on every point each, which is what takes time.
    row = y / z * rays + (middle + volume.center[..., 1, None] * rays)
    column = x / z * -rays + (middle - volume.center[..., 0, None] * rays)
    layer = z * -steps - (volume.near[..., None] * steps + 0.5)
    return [row, column, layer]


def look(
    rgb: Float[Array, "H W 3"],
    depth: Float[Array, "H W"],
    mask: Float[Array, "H W"],
    intrinsics: Float[Array, "3 3"],
    volume: ViewVolume,
    resolution: int,
    layers: int,
) -> Seen:
    """Resamples an image to the rays of its volume.

    Colour and coverage are interpolated. Depth is interpolated within a surface, and
    that of the nearest pixel where surfaces meet: no depth between the two is made up.
    """
    tangents = ray_tangents(volume, resolution)
    focal = jnp.stack([intrinsics[0, 0], -intrinsics[1, 1]])
    uv = tangents.reshape(-1, 2) * focal[None] + intrinsics[None, :2, 2]
    cells, weights, inside = _corners(uv, mask.shape)
    valid = (shows_depth(depth, mask).reshape(-1)[cells]) & inside
    colors = jnp.sum(rgb.reshape(-1, 3)[cells] * weights[..., None], axis=1)
    coverage = jnp.sum(mask.reshape(-1)[cells] * weights * inside, axis=1)
    edge = EDGE * thickness(volume, layers)
    hit = depth_of_corners(depth.reshape(-1)[cells], valid, weights, edge)
    square = (resolution, resolution)
    hit, coverage = hit.reshape(square), coverage.reshape(square)
    coverage = jnp.where(hit > 0, jnp.maximum(coverage, COVERED), coverage)
    return Seen(
        rgb=colors.reshape(*square, 3),
        mask=coverage,
        depth=hit,
        cosine=_cosines(hit, tangents, edge),
        silhouette=outline_distance(coverage, reach=_reach(resolution, layers)),
    )


def base_field(seen: Seen, volume: ViewVolume, layers: int) -> Float[Array, "R R L"]:
    """Signed distance in cells as far as the view tells, truncated.

    Before the visible surface and outside of the outline it is positive, everything
    behind is taken for solid. Exact near flat visible parts; nothing solid is called
    empty.
    """
    depths, cell = layer_depths(volume, layers), thickness(volume, layers)
    hit = (seen.depth > 0)[..., None]
    ahead = (seen.depth[..., None] - depths[None, None]) * seen.cosine[..., None] / cell
    ahead = jnp.where(hit, ahead, -TRUNCATION)
    ray_width = volume.size * depths / (seen.mask.shape[0] * cell)
    beside = seen.silhouette[..., None] * ray_width[None, None]
    return jnp.clip(jnp.maximum(ahead, beside), -TRUNCATION, TRUNCATION)


def measured_field(
    seen: Seen, volume: ViewVolume, layers: int
) -> tuple[Float[Array, "R R"], Float[Array, "R R L"]]:
    """The cosines and the `base_field` from which a mesh is made.

    A face that is seen almost from its edge is one surface here, where the network is
    told of two: its distances change slowly, and its mesh has no steps.
    """
    tangents = ray_tangents(volume, seen.depth.shape[0])
    edge = STEEP_EDGE * thickness(volume, layers)
    seen = seen._replace(cosine=_cosines(seen.depth, tangents, edge))
    return seen.cosine, base_field(seen, volume, layers)


def outline_distance(mask: Float[Array, "R R"], reach: int) -> Float[Array, "R R"]:
    """Distance to the outline of a coverage mask in pixels, negative inside.

    Exact for whole pixels up to `reach`, beyond which it is constant. A pixel that is
    covered in part puts the outline nearer or farther by that part, which places
    straight edges along the axes to a fraction of a pixel. What lies beyond the border
    is not known to be empty.
    """
    outside = _distance_to(mask, reach)
    inside = _distance_to(1 - mask, reach)
    return jnp.where(mask >= COVERED, -inside, outside)


def mask_box(
    covered: Bool[Array, "*batch H W"], intrinsics: Float[Array, "*batch 3 3"]
) -> tuple[Float[Array, "*batch 2"], Float[Array, "*batch 2"]]:
    """Lowest and highest (x, y) of the covered pixels at z = -1."""
    xp = covered.__array_namespace__()
    spans = []
    for axis, sign in ((-2, 1), (-1, -1)):  # columns, then rows
        seen = xp.any(covered, axis=axis)
        count = seen.shape[-1]
        first = xp.argmax(seen, axis=-1)
        last = count - 1 - xp.argmax(xp.flip(seen, axis=-1), axis=-1)
        coordinate = 0 if axis == -2 else 1
        focal = intrinsics[..., coordinate, coordinate]
        center = intrinsics[..., coordinate, 2]
        ends = [(first - 0.5 - center) / focal, (last + 0.5 - center) / focal]
        spans.append(ends if sign > 0 else [-ends[1], -ends[0]])
    low, high = (xp.stack([spans[0][i], spans[1][i]], axis=-1) for i in (0, 1))
    return low.astype(intrinsics.dtype), high.astype(intrinsics.dtype)


def visible_range(
    depth: Float[Array, "*batch H W"], mask: Float[Array, "*batch H W"]
) -> list[Float[Array, "*batch"]]:
    """Quantiles of the visible depths, near and far; a stand-in without any."""
    xp = depth.__array_namespace__()
    valid = shows_depth(depth, mask)
    count = xp.sum(valid, axis=(-2, -1))
    flat = xp.where(valid, depth, xp.inf).reshape(*depth.shape[:-2], -1)
    order = xp.sort(flat, axis=-1)
    found = []
    for quantile in (NEAREST_QUANTILE, FARTHEST_QUANTILE):
        place = xp.maximum(xp.round(quantile * (count - 1)), 0).astype(int)
        value = xp.take_along_axis(order, place[..., None], axis=-1)[..., 0]
        found.append(xp.where(count > 0, value, FALLBACK_NEAR).astype(depth.dtype))
    return found


def shows_depth(
    depth: Float[Array, "*batch H W"], mask: Float[Array, "*batch H W"]
) -> Bool[Array, "*batch H W"]:
    """Pixels whose depth belongs to the object."""
    return (depth > 0) & (mask >= MIN_COVERAGE)


def _corners(uv, shape):
    """The four pixels around positions, their weights, and whether they exist."""
    low = jnp.floor(uv)
    fraction = uv - low
    low = low.astype(jnp.int32)
    steps = jnp.array([(0, 0), (1, 0), (0, 1), (1, 1)])
    places = low[:, None] + steps[None]
    share = jnp.where(steps[None] == 1, fraction[:, None], 1 - fraction[:, None])
    limit = jnp.array([shape[1] - 1, shape[0] - 1])[None, None]
    inside = jnp.all((places >= 0) & (places <= limit), axis=-1)
    places = jnp.clip(places, 0, limit)
    return places[..., 1] * shape[1] + places[..., 0], share.prod(axis=-1), inside


def depth_of_corners(
    depths: Float[Array, "N 4"],
    valid: Bool[Array, "N 4"],
    weights: Float[Array, "N 4"],
    edge: Scalar | Float[Array, " N"],
) -> Float[Array, " N"]:
    """Interpolated where four valid depths are one surface, else of the nearest.

    Args:
      depths: of the four pixels around each position.
      valid: which of them count; 0 where the nearest does not.
      weights: bilinear.
      edge: depths that differ by more are two surfaces.
    """
    nearest = jnp.argmax(weights, axis=1)[:, None]
    chosen = jnp.take_along_axis(depths, nearest, axis=1)[:, 0]
    known = jnp.take_along_axis(valid, nearest, axis=1)[:, 0]
    one = jnp.all(valid, axis=1) & (jnp.ptp(depths, axis=1) < edge)
    return jnp.where(
        one, jnp.sum(depths * weights, axis=1), jnp.where(known, chosen, 0)
    )


def _cosines(depth, tangents, edge):
    """|n . r| from the differences to the nearer of the neighbours along both axes."""
    rays = jnp.concatenate([tangents, -jnp.ones_like(depth)[..., None]], axis=-1)
    normal, known = depth_normals(rays * depth[..., None], depth, edge)
    length = surface.safe_norm(normal)
    cosine = jnp.abs(jnp.sum(normal * rays, axis=-1)) / jnp.maximum(length, 1e-12)
    return jnp.where(known, jnp.maximum(cosine, MIN_COSINE), 1.0)


def depth_normals(
    points: Float[Array, "H W 3"], depth: Float[Array, "H W"], edge: Scalar
) -> tuple[Float[Array, "H W 3"], Bool[Array, "H W"]]:
    """Normals of a depth map, of any length, towards the camera; and where they are.

    From the steps to the more similar of the neighbours along both axes.

    Args:
      points: of the pixels, camera frame.
      depth: of the same, 0 = missing.
      edge: steps in depth beyond this lead to another surface.
    """
    (down, has_down), (right, has_right) = (
        _difference(points, depth, axis, edge) for axis in (0, 1)
    )
    normal = jnp.cross(down, right)
    return normal, has_down & has_right & (surface.safe_norm(normal) > 0)


def _difference(points, depth, axis, edge):
    """Step along an axis to the neighbour of the more similar depth, and if any is."""
    count = depth.shape[axis]
    after = jnp.roll(points, -1, axis) - points
    before = jnp.roll(after, 1, axis)
    index = jnp.expand_dims(jnp.arange(count), 1 - axis)
    hit = depth > 0
    has_after = hit & jnp.roll(hit, -1, axis) & (index < count - 1)
    has_before = hit & jnp.roll(hit, 1, axis) & (index > 0)
    far = jnp.asarray(jnp.inf, depth.dtype)
    change_after = jnp.where(has_after, jnp.abs(after[..., 2]), far)
    change_before = jnp.where(has_before, jnp.abs(before[..., 2]), far)
    nearer = jnp.minimum(change_after, change_before)
    step = jnp.where((change_after <= change_before)[..., None], after, before)
    return step, nearer < edge


def _reach(resolution, layers):
    """Rays within which an outline matters: the truncation, in the narrowest cells."""
    return int(np.ceil(TRUNCATION * MIN_EXTENT * resolution / layers)) + 1


def _distance_to(mask, reach):
    """Distance of every pixel to the nearest covered one, less half its coverage."""
    count = mask.shape[0]
    padded = jnp.pad(mask, reach)
    # A loop: unrolled, XLA would compute it again for every cell of every ray.
    steps = jnp.arange(-reach, reach + 1)

    def nearer(found, row):
        rows = jax.lax.dynamic_slice_in_dim(padded, row + reach, count)
        for column in range(-reach, reach + 1):
            away = jnp.hypot(row, column).astype(mask.dtype)
            part = rows[:, column + reach : column + reach + count]
            edge = jnp.where((part > 0) & (away <= reach), away + COVERED - part, reach)
            found = jnp.minimum(found, edge)
        return found, None

    return jax.lax.scan(nearer, jnp.full_like(mask, reach), steps)[0]
