"""What is known of a shape before any network, as a grid in its cube.

Index order x, y, z. Points fall into cells, x to floor((x + 0.5) R); true distances are
looked up at the nodes from which a sampler interpolates, x = i / (R - 1) - 0.5, whose
first and last lie on the faces of the cube.

Source: AlexSheldrick/MFPRN, whose "colored density" holds in each cell the count of
its points over that of the fullest cell, and their mean colour.
"""

import jax.numpy as jnp
from jaxtyping import Float, Int8

from pixel2mesh_jax.geometry import camera, cube, frustum, trilinear
from pixel2mesh_jax.structures import Array

# Range of int8 distances in records, see data_pipelines/surfaces/volumes.py.
FULL = 127


def visible_points(
    rgb: Float[Array, "H W 3"],
    depth: Float[Array, "H W"],
    mask: Float[Array, "H W"],
    intrinsics: Float[Array, "3 3"],
) -> tuple[Float[Array, "N 3"], Float[Array, "N 3"], Float[Array, " N"]]:
    """Points of all pixels in the camera frame, their colours, and 1 for an object."""
    points = camera.unproject(depth, intrinsics).reshape(-1, 3)
    seen = (depth > 0) & (mask >= frustum.MIN_COVERAGE)
    return points, rgb.reshape(-1, 3), seen.reshape(-1).astype(depth.dtype)


def colored_density(
    positions: Float[Array, "N 3"],
    colors: Float[Array, "N 3"],
    weights: Float[Array, " N"],
    resolution: int,
) -> Float[Array, "R R R 4"]:
    """Density over the largest one, and mean colour, of the points in every cell.

    Args:
      positions: in the cube; what lies outside does not count.
      colors: sRGB in [0, 1].
      weights: 0 for a point that is not there.
      resolution: cells per side.
    """
    cell = jnp.floor((positions + 0.5) * resolution).astype(jnp.int32)
    within = jnp.all((cell >= 0) & (cell < resolution), axis=-1)
    weights = weights * within.astype(weights.dtype)
    x, y, z = (jnp.clip(cell[:, axis], 0, resolution - 1) for axis in range(3))
    place = (x * resolution + y) * resolution + z
    rows = jnp.concatenate([jnp.ones_like(colors[:, :1]), colors], axis=-1)
    sums = jnp.zeros((resolution**3, 4), rows.dtype)
    sums = sums.at[place].add(rows * weights[:, None])
    count = sums[:, :1]
    density = count / jnp.maximum(jnp.max(count), 1)
    mean = sums[:, 1:] / jnp.maximum(count, 1)
    return jnp.concatenate([density, mean], axis=-1).reshape(*(resolution,) * 3, 4)


def true_distances(
    distances: Int8[Array, "R R L"],
    placement: Float[Array, "5"],
    where: cube.Cube,
    resolution: int,
) -> Float[Array, "V V V"]:
    """Signed distances of a record at the nodes of a cube, in its sides.

    Truncated as they are stored; what lies outside of the stored volume is as far from
    the surface as that allows.

    Args:
      distances: in the view volume, as stored.
      placement: of that volume, packed.
      where: the cube.
      resolution: nodes per side.
    """
    axis = jnp.arange(resolution, dtype=jnp.float32) / (resolution - 1) - 0.5
    grid = jnp.stack(jnp.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    points = cube.outside(grid.reshape(-1, 3), where)
    volume = frustum.unpack(placement)
    layers = distances.shape[-1]
    index = frustum.index_of_points(points, volume, distances.shape[0], layers)
    # One more cell of the largest distance on every side, where positions end up.
    values = jnp.pad(distances.astype(jnp.float32), 1, constant_values=FULL)
    corners = trilinear.corners(index + 1, values.shape)
    cells = trilinear.sample(values[..., None], corners)[:, 0]
    unit = frustum.TRUNCATION / FULL * frustum.thickness(volume, layers)
    return (cells * unit / where.side).reshape((resolution,) * 3)
