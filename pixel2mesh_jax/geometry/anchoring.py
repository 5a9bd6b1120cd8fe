"""Moves the visible side of a finished mesh onto the depth map that it was made from.

No network: a few steps down the gradient of what the view says for certain. Vertices
that the mesh itself shows to the camera go to the measured surface, none stays before
it or beside the outline, and the displacement is smooth, so that the hidden side goes
along and edges do not fold.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from pixel2mesh_jax.geometry import rasterize, sight, topology
from pixel2mesh_jax.structures import Array

# Weights of squared lengths: the way to the surface of what is shown, the way before
# the surface and beside the outline of what is not, and along every edge the difference
# of the two displacements.
DATA = 1.0
SMOOTH = 0.25
# A shown vertex farther than this share of its depth from what is seen there belongs to
# another surface.
REACH = 0.08
# Damping of Jacobi's method.
DAMPING = 0.7


class DepthView(NamedTuple):
    """What a mesh is anchored to; see `structures.Batch`.

    Attributes:
      depth: along the optical axis, unit of the mesh; 0 = missing.
      mask: object coverage in [0, 1].
      intrinsics: pinhole matrix in pixels.
    """

    depth: Float[Array, "H W"]
    mask: Float[Array, "H W"]
    intrinsics: Float[Array, "3 3"]


def anchor(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    view: DepthView,
    steps: int,
) -> Float[np.ndarray, "V 3"]:
    """The vertices after some steps; on the host.

    Args:
      vertices: camera frame of the view.
      faces: rows of `vertices`, a closed mesh.
      view: what was seen.
      steps: how many; 0 moves nothing.
    """
    edges = topology.unique_edges(np.asarray(faces))
    moved = _descend(
        jnp.asarray(vertices), jnp.asarray(faces), jnp.asarray(edges), view, steps
    )
    return np.asarray(moved, np.float32)


@functools.partial(jax.jit, static_argnums=4)
def _descend(start, faces, edges, view, steps):
    maps = sight.view_maps(*view)
    degree = jnp.zeros(len(start)).at[edges].add(1.0)

    # Of the energy, on the diagonal.
    curvature = 2 * (2 * DATA + SMOOTH * degree)[:, None]

    def step(_, vertices):
        shown = _shown(vertices, faces, view)
        slope = jax.grad(_energy)(vertices, start, shown, edges, maps, view)
        return vertices - DAMPING * slope / curvature

    return jax.lax.fori_loop(0, steps, step, start)


def _shown(vertices, faces, view):
    """1 for the corners of the faces that the camera sees, else 0."""
    face = rasterize.render_depth(
        vertices, faces, view.intrinsics, view.depth.shape
    ).face.ravel()
    corners = faces[jnp.maximum(face, 0)]
    seen = (face >= 0).astype(vertices.dtype)[:, None]
    return jnp.zeros(len(vertices)).at[corners].max(seen * jnp.ones((1, 3)))


def _energy(vertices, start, shown, edges, maps, view):
    seen = sight.look_up(vertices, maps, view.intrinsics)
    near = jnp.abs(seen.residual) < REACH * seen.depth
    off = seen.residual * seen.cosine
    surface = jnp.where((shown > 0) & near, off, jnp.maximum(off, 0))
    beside = jnp.maximum(seen.outline, 0)
    moved = vertices - start
    apart = moved[edges[:, 0]] - moved[edges[:, 1]]
    data = jnp.sum(surface**2) + jnp.sum(beside**2)
    return DATA * data + SMOOTH * jnp.sum(apart**2)
