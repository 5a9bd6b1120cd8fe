"""An implicit model: signed distance and colour at any point, from features around it.

image -> ResNet -> 5 taps, each reduced --- at the pixel of the point ---+
                                                                           |
grid of points -> 3 scales of convolutions, each reduced --- at the point --+-> decoder
                                                                           |
point --------------------------------------------- Fourier features ------+

A view is encoded once (`encode`), then any number of points is asked for (`query`).
Reducing a map and sampling it are both linear, so maps are reduced first: a point needs
256 numbers of the image instead of 3,907.

Source: seed 004, *3D Reconstruction from single RGB images*; AlexSheldrick/MFPRN.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.geometry import camera, cube, interpolate, trilinear
from pixel2mesh_jax.models.implicit_grids import Given
from pixel2mesh_jax.models.implicit_layers import (
    KERNEL_INIT,
    FourierFeatures,
    NormedConv3D,
    NormedDense,
)
from pixel2mesh_jax.structures import Array, Batch, FieldOutputs

# Channels of the two convolutions at each of the three scales of the grid.
GRID_CHANNELS = (64, 128, 128)
# Features of a point after reduction: of the taps of the image and of the grid.
IMAGE_FEATURES = (8, 16, 32, 64, 133)
GRID_FEATURES = (24, 36, 64)


class FieldCode(NamedTuple):
    """What is known of a view, ready to be asked at points.

    Maps and grids have one more cell on every side, where features are 0 before they
    were reduced: what a point sees that lies outside.

    Attributes:
      cube: where the field is.
      intrinsics: of the image, pixels.
      maps: the image, then its taps, fine to coarse; empty without an image.
      summary: of the whole image; the last tap.
      grids: what the network was given, then its taps; empty without a grid.
    """

    cube: cube.Cube
    intrinsics: Float[Array, "B 3 3"]
    maps: tuple[Float[Array, "B _ _ _"], ...]
    summary: tuple[Float[Array, "B 1 K"], ...]
    grids: tuple[Float[Array, "B _ _ _ _"], ...]


class ImageCode(nn.Module):
    """An image as reduced maps.

    Attributes:
      encoder: image to maps, one that normalises its taps.
      features: of each tap after reduction, the last one of the whole image.
      axis_name: see `encoders.ResNet`.
      normalize_summary: whether the last tap is normalised over the batch, as
        published. The public code leaves that out for a batch of one, whose results
        then differ from those of the same view among others; here it never is.
      dtype: of the computation.
    """

    encoder: nn.Module
    features: tuple[int, ...] = IMAGE_FEATURES
    axis_name: str | None = None
    normalize_summary: bool = True
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3"], train: bool):
        """Maps with a border, and the vector of the whole image."""
        *taps, last = self.encoder(image.astype(self.dtype), train)
        summary = jnp.mean(last, axis=(1, 2), keepdims=True)
        if self.normalize_summary:
            summary = nn.BatchNorm(
                use_running_average=not train,
                epsilon=1e-5,
                momentum=0.9,
                dtype=self.dtype,
                axis_name=self.axis_name,
                name="norm_summary",
            )(summary)
        reduced = [
            self._reduce(number, _with_border(tap)) for number, tap in enumerate(taps)
        ]
        summary = self._reduce(len(taps), summary)[:, :, 0]
        return (_with_border(image), *reduced), (summary,)

    def _reduce(self, number, tap):
        layer = nn.Dense(
            self.features[number],
            kernel_init=KERNEL_INIT,
            dtype=self.dtype,
            name=f"reduce{number + 1}",
        )
        return layer(tap)


class GridCode(nn.Module):
    """A grid as reduced grids at three scales.

    Attributes:
      channels: of the convolutions at each scale.
      features: of each scale after reduction.
      axis_name: see `encoders.ResNet`.
      dtype: of the computation.
    """

    channels: tuple[int, ...] = GRID_CHANNELS
    features: tuple[int, ...] = GRID_FEATURES
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, grid: Float[Array, "B V V V C"], train: bool):
        """Grids with a border; the first is what was given."""
        reduced, x = [_with_border(grid)], grid
        for number, channels in enumerate(self.channels, start=1):
            if number > 1:
                x = nn.max_pool(x, (2, 2, 2), (2, 2, 2))
            for letter in "ab":
                conv = NormedConv3D(channels, self.dtype, name=f"conv{number}{letter}")
                x = nn.relu(conv(x))
            x = nn.BatchNorm(
                use_running_average=not train,
                epsilon=1e-5,
                momentum=0.9,
                dtype=self.dtype,
                axis_name=self.axis_name,
                name=f"norm{number}",
            )(x)
            layer = NormedDense(
                self.features[number - 1], self.dtype, name=f"reduce{number}"
            )
            reduced.append(layer(_with_border(x)))
        return tuple(reduced)


class ImplicitField(nn.Module):
    """Signed distance and colour of points, from an image, a grid, or both.

    Attributes:
      decoder: features of points to distance and colour.
      fourier: features of the position.
      image_code: of the image; None leaves it out.
      grid_code: of the grid; None leaves it out.
      given: makes cube and grid of a batch; the grid is None where there is none.
    """

    decoder: nn.Module
    fourier: FourierFeatures
    image_code: ImageCode | None
    grid_code: GridCode | None
    given: Callable[[Batch], Given]

    def __call__(
        self, batch: Batch, constants: tuple = (), train: bool = False
    ) -> FieldOutputs:
        """The field at the query points of the batch."""
        del constants
        code = self.encode(batch, train)
        distances, colors = self.query(code, cube.inside(batch.query_points, code.cube))
        return FieldOutputs(distances, colors, code.cube.side)

    def encode(self, batch: Batch, train: bool = False) -> FieldCode:
        """All that points need to know of the views."""
        where, grid = self.given(batch)
        maps, summary, grids = (), (), ()
        if self.image_code is not None:
            maps, summary = self.image_code(batch.rgb, train)
        if self.grid_code is not None:
            grids = self.grid_code(grid, train)
        return FieldCode(where, batch.intrinsics, maps, summary, grids)

    def query(self, code: FieldCode, positions: Float[Array, "B N 3"]):
        """Distances in sides of the cube, and colours, at positions in the cube."""
        points = cube.outside(positions, code.cube)
        uv = camera.project(points, code.intrinsics)
        return self.decode(code, positions, uv)

    def distances(self, code: FieldCode, positions: Float[Array, "B N 3"]):
        """The first part of `query`, at no cost for the other."""
        return self.query(code, positions)[0]

    def colors(self, code: FieldCode, positions: Float[Array, "B N 3"]):
        """The second part of `query`."""
        return self.query(code, positions)[1]

    def decode(
        self,
        code: FieldCode,
        positions: Float[Array, "B N 3"],
        uv: Float[Array, "B N 2"],
    ):
        """As `query`, for points whose pixels are known."""
        everywhere = [
            jnp.broadcast_to(nn.relu(x), (*uv.shape[:2], x.shape[-1]))
            for x in code.summary
        ]
        parts = [
            *features_of_maps(code.maps, uv),
            *everywhere,
            *features_of_grids(code.grids, positions),
            self.fourier(positions),
        ]
        return self.decoder(jnp.concatenate(parts, axis=-1))


def features_of_maps(
    maps: tuple[Float[Array, "B _ _ _"], ...], uv: Float[Array, "B N 2"]
) -> list[Float[Array, "B N _"]]:
    """The colour at pixels, and the features of each tap.

    Taps are sampled with the borders of the image on the middles of their outer
    cells, the image itself with its pixels where they are; 0 outside, before the
    reduction. Source: AlexSheldrick/MFPRN.
    """
    if not maps:
        return []
    shape = tuple(size - 2 for size in maps[0].shape[1:3])

    def color(image, at):
        return interpolate.sample(image, interpolate.corners(at + 1, image.shape[:2]))

    def tap(features, at):
        inner = tuple(size - 2 for size in features.shape[:2])
        cells = interpolate.align_corners(at, shape, inner)
        return nn.relu(color(features, cells))

    image, *taps = maps
    return [jax.vmap(color)(image, uv), *(jax.vmap(tap)(x, uv) for x in taps)]


def features_of_grids(
    grids: tuple[Float[Array, "B _ _ _ _"], ...], positions: Float[Array, "B N 3"]
) -> list[Float[Array, "B N _"]]:
    """The given values at positions in the cube, and the features of each scale.

    The faces of the cube lie on the middles of the outer cells; 0 outside, before the
    reduction. Source: AlexSheldrick/MFPRN.
    """

    def sample(grid, at):
        cells = (at + 0.5) * (grid.shape[0] - 3) + 1
        return trilinear.sample(grid, trilinear.corners(cells, grid.shape[:3]))

    if not grids:
        return []
    values, *taps = (jax.vmap(sample)(grid, positions) for grid in grids)
    return [values, *map(nn.relu, taps)]


def _with_border(maps):
    """One more cell of 0 around the inner axes."""
    inner = maps.ndim - 2
    return jnp.pad(maps, ((0, 0), *((1, 1),) * inner, (0, 0)))
