"""What the vertices of a cascade are told of the view, beside image features.

A network that reads pixels alone would have to derive from them how far a vertex is
from the measured surface; here it is told. Inside a network vertices are (V, B, 3).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from pixel2mesh_jax.geometry import camera, placement, sight, surface
from pixel2mesh_jax.structures import Array

# Metres that are 1 in the input of the network; an object has a diagonal of 0.57.
UNIT = 0.1
# Beyond so many of them all distances are the same.
FARTHEST = 3.0
# Share of its depth that an anchored vertex moves at most: none jumps from behind the
# camera.
FARTHEST_STEP = 0.5
# Of the logit of an anchor that predicts 0: most vertices are not on the visible side.
ANCHOR_BIAS = -2.0


class SeenMaps(NamedTuple):
    """The part of a batch that is needed, ready to be asked.

    Attributes:
      maps: of every view, see `geometry/sight.py`.
      intrinsics: pinhole matrices in pixels.
    """

    maps: sight.ViewMaps
    intrinsics: Float[Array, "B 3 3"]


def placed(
    vertices: Float[Array, "V 3"],
    depth: Float[Array, "B H W"],
    mask: Float[Array, "B H W"],
    intrinsics: Float[Array, "B 3 3"],
) -> tuple[Float[Array, "1 B 3"], Float[Array, "V B 3"]]:
    """A template in the box of what every view shows; the middle of the box first.

    Args:
      vertices: of the template, metres.
      depth: metres, 0 = missing; all 0 if there is none.
      mask: object coverage in [0, 1].
      intrinsics: pinhole matrices in pixels.
    """
    vertices = jnp.asarray(vertices)
    start = placement.bounding_box(vertices)
    box = jax.vmap(placement.object_box)(depth, mask, intrinsics)
    moved = jax.vmap(lambda wanted: placement.place(vertices, start, wanted))(box)
    return box.center[None], jnp.moveaxis(moved, 1, 0)


def make_view(
    depth: Float[Array, "B H W"],
    mask: Float[Array, "B H W"],
    intrinsics: Float[Array, "B 3 3"],
) -> SeenMaps:
    """Of a batch; arguments as in `placed`."""
    return SeenMaps(jax.vmap(sight.view_maps)(depth, mask, intrinsics), intrinsics)


def features(
    vertices: Float[Array, "V B 3"],
    faces: Int[Array, "*B F 3"],
    view: SeenMaps,
) -> Float[Array, "V B 9"]:
    """Where vertices are with respect to what is seen; no gradient, lengths in `UNIT`.

    Residual to the measured depth and whether it is known; distance to the outline and
    (x, y) to the nearest object pixel; normal of the depth map; and the cosine between
    the ray and the normal of the vertex: -1 where it faces the camera.

    Args:
      vertices: metres, camera frame.
      faces: of all meshes, or of each its own.
      view: of every mesh.
    """

    def of_view(points, faces, own, intrinsics):
        seen = sight.look_up(points, own, intrinsics)
        lengths = [seen.residual[:, None], seen.outline[:, None], seen.towards]
        lengths = jnp.concatenate(lengths, axis=-1) / UNIT
        lengths = jnp.clip(lengths, -FARTHEST, FARTHEST)
        rays = (
            points / jnp.maximum(surface.safe_norm(points), camera.MIN_DEPTH)[:, None]
        )
        facing = jnp.sum(rays * surface.vertex_normals(points, faces), axis=-1)
        others = [seen.known[:, None], seen.normal, facing[:, None]]
        return jnp.concatenate([lengths, *others], axis=-1)

    vertices = jax.lax.stop_gradient(vertices)
    of_its_own = 0 if faces.ndim == 3 else None
    return jax.vmap(of_view, (1, of_its_own, 0, 0), 1)(vertices, faces, *view)


def anchored(
    vertices: Float[Array, "V B 3"],
    logits: Float[Array, "V B"],
    view: SeenMaps,
) -> Float[Array, "V B 3"]:
    """Vertices, a share of the way along their rays to the surface that is seen.

    Args:
      vertices: metres, camera frame.
      logits: of the share; 0 where nothing was measured.
      view: of every mesh.
    """

    def of_view(points, logits, own, intrinsics):
        seen = sight.look_up(points, own, intrinsics)
        share = jax.nn.sigmoid(logits + ANCHOR_BIAS)
        apart = jnp.maximum(-points[:, 2], camera.MIN_DEPTH)
        step = jnp.clip(seen.residual / apart, -FARTHEST_STEP, FARTHEST_STEP)
        return points * (1 + share * step)[:, None]

    return jax.vmap(of_view, (1, 1, 0, 0), 1)(vertices, logits, *view)
