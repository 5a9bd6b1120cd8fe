"""Signed distances in the view volume from one image, with or without depth.

The rays of the volume are the pixels of a 2D network and its layers are the channels:
a convolution looks along the rays all at once, and a shortcut at one resolution is a
shortcut in space. What the depth map says by itself is the start, and the network adds
what is hidden:

    distances = base + TRUNCATION * unet(base, colours, mask, depth, rays)

    64 x 64   stem 48 ---------------------------------- 64 -> 64 -> heads
    32 x 32        96 --------------------------- 96
    16 x 16            160 ---------------- 160
     8 x 8                 256 + global vector

All of it is independent of the unit of the depth map. Without depth (`depth` all zero)
the volume has no scale; a head says how far away the object is
(`frustum_distance.py`).
"""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike
from jaxtyping import Float

from pixel2mesh_jax.geometry import frustum
from pixel2mesh_jax.models.frustum_distance import DistanceHead
from pixel2mesh_jax.structures import Array, Batch, VolumeOutputs

# Channels of a group of the normalisation.
GROUP = 16
# Levels of the U-Net that say how far away an object is.
COARSE = 2


class Block(nn.Module):
    """Two 3x3 convolutions with normalisation, and a shortcut.

    Attributes:
      features: channels of the result.
      dtype: of the convolutions.
    """

    features: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W K"]:
        conv = functools.partial(nn.Conv, dtype=self.dtype, use_bias=False)
        groups = max(1, self.features // GROUP)
        y = conv(self.features, (3, 3))(x)
        y = nn.silu(nn.GroupNorm(groups, dtype=self.dtype)(y))
        y = conv(self.features, (3, 3))(y)
        y = nn.GroupNorm(groups, dtype=self.dtype)(y)
        if x.shape[-1] != self.features:
            x = conv(self.features, (1, 1))(x)
        return nn.silu(x + y)


class Step(nn.Module):
    """One 3x3 convolution with normalisation."""

    features: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W K"]:
        groups = max(1, self.features // GROUP)
        x = nn.Conv(self.features, (3, 3), dtype=self.dtype, use_bias=False)(x)
        return nn.silu(nn.GroupNorm(groups, dtype=self.dtype)(x))


class UNet(nn.Module):
    """Maps at one resolution to features at that resolution.

    Attributes:
      widths: channels from the finest to the coarsest level.
      features: channels of the result.
      dtype: of the convolutions.
    """

    widths: tuple[int, ...]
    features: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "B R R C"]
    ) -> tuple[Float[Array, "B R R K"], list[Float[Array, "B _ _ _"]]]:
        """Features of the rays, and the maps of the coarsest levels."""
        step = functools.partial(Step, dtype=self.dtype)
        block = functools.partial(Block, dtype=self.dtype)
        x, skips = step(self.widths[0])(x), []
        for width in self.widths[1:]:
            skips.append(x)
            x = block(width)(nn.avg_pool(x, (2, 2), (2, 2)))
        summary = nn.silu(nn.Dense(self.widths[-1], dtype=self.dtype)(_pooled(x)))
        x = x + nn.Dense(self.widths[-1], dtype=self.dtype)(summary)[:, None, None]
        x = block(self.widths[-1])(x)
        coarse = [*skips, x][-COARSE:]
        for level, skip in reversed(list(enumerate(skips))):
            x = jnp.concatenate([_twice(x), skip], axis=-1)
            x = step(self.widths[level] if level else self.features)(x)
        return step(self.features)(x), coarse


class FrustumUNet(nn.Module):
    """Image -> signed distances, colours of the far side, front and scale.

    Attributes:
      inputs: "rgb" and perhaps "depth".
      resolution: rays per side.
      layers: along every ray.
      widths: of the U-Net.
      features: of its result.
      dtype: of the convolutions.
    """

    inputs: tuple[str, ...] = ("rgb", "depth")
    resolution: int = 64
    layers: int = 64
    widths: tuple[int, ...] = (48, 96, 160, 256)
    features: int = 64
    dtype: DTypeLike = jnp.float32

    def __call__(
        self, batch: Batch, constants: tuple = (), train: bool = False
    ) -> VolumeOutputs:
        """The volume of every view; see `with_features`."""
        del constants
        return self.with_features(batch, train)[0]

    @nn.compact
    def with_features(
        self, batch: Batch, train: bool
    ) -> tuple[VolumeOutputs, Float[Array, "B R R K"]]:
        """The volume, which in training stands where that of the truth does.

        Args:
          batch: `placement` is used in training only.
          train: whether the placement is known.

        Returns:
          The volume, and the features of its rays that it was computed from.
        """
        depth = batch.depth if "depth" in self.inputs else jnp.zeros_like(batch.depth)
        placement = batch.placement
        if not train or placement is None:
            volume = frustum.view_volume(depth, batch.mask, batch.intrinsics)
            placement = frustum.pack(volume)
        has_depth = jnp.any(depth > 0, axis=(1, 2)).astype(jnp.float32)
        placement = with_default_extent(placement, has_depth)
        seen, base, maps = jax.vmap(self._inputs)(
            batch.rgb, depth, batch.mask, batch.intrinsics, placement
        )
        cosine, measured = jax.vmap(self._measured)(seen, placement)
        maps = jnp.concatenate(
            [base, maps, _spread(has_depth[:, None], self.resolution)], axis=-1
        )
        features, coarse = UNet(self.widths, self.features, self.dtype)(maps)
        head = nn.Dense(
            self.layers + 4, kernel_init=nn.initializers.zeros, dtype=self.dtype
        )
        found = head(features).astype(jnp.float32)
        near = DistanceHead(self.dtype, name="distance")(coarse, placement)
        outputs = VolumeOutputs(
            placement=placement,
            distances=base + frustum.TRUNCATION * found[..., : self.layers],
            base=base,
            far_colors=nn.sigmoid(found[..., self.layers : self.layers + 3]),
            front=nn.sigmoid(found[..., -1]),
            near=near,
            depth=seen.depth,
            cosine=cosine,
            measured=measured,
            has_depth=has_depth,
        )
        return outputs, features

    def _measured(self, seen, placement):
        return frustum.measured_field(seen, frustum.unpack(placement), self.layers)

    def _inputs(self, rgb, depth, mask, intrinsics, placement):
        """What the rays see, base field and the other input maps of one view."""
        volume = frustum.unpack(placement)
        seen = frustum.look(
            rgb, depth, mask, intrinsics, volume, self.resolution, self.layers
        )
        base = frustum.base_field(seen, volume, self.layers)
        hit = (seen.depth > 0).astype(jnp.float32)
        known = jnp.any(seen.depth > 0)
        place = (seen.depth - volume.near) / volume.extent
        ratio = volume.extent / (volume.size * volume.near)
        constants = jnp.stack([volume.size, jnp.where(known, ratio, 0)])
        maps = [
            seen.rgb - 0.5,
            seen.mask[..., None],
            hit[..., None],
            (hit * (place - 0.5))[..., None],
            (hit * seen.cosine)[..., None],
            (seen.silhouette / self.resolution * 8)[..., None],
            frustum.ray_tangents(volume, self.resolution),
            _spread(constants[None], self.resolution)[0],
        ]
        return seen, base, jnp.concatenate(maps, axis=-1)


def with_default_extent(
    placement: Float[Array, "B 5"], has_depth: Float[Array, " B"]
) -> Float[Array, "B 5"]:
    """Without depth nothing says how far a volume reaches."""
    volume = frustum.unpack(placement)
    extent = frustum.DEFAULT_EXTENT * volume.size * volume.near
    extent = jnp.where(has_depth > 0, volume.extent, extent)
    return frustum.pack(volume._replace(extent=extent))


def _pooled(x):
    return jnp.concatenate([jnp.mean(x, axis=(1, 2)), jnp.max(x, axis=(1, 2))], axis=-1)


def _twice(x):
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def _spread(vectors, resolution):
    """(B, C) as constant maps (B, R, R, C)."""
    shape = (len(vectors), resolution, resolution, vectors.shape[-1])
    return jnp.broadcast_to(vectors[:, None, None], shape)
