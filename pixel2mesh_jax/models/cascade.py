"""What all cascades share: a template that is deformed level by level.

Inside a network vertices are (V, B, 3), as `geometry/graph.py` wants its nodes; the
meshes that come out are (B, V, 3).
"""

import itertools
from collections.abc import Iterator

import jax.numpy as jnp
from jaxtyping import Float

from pixel2mesh_jax.structures import Array, Mesh, MeshTopology, Template


def start(template: Template, batch_size: int) -> Float[Array, "V {batch_size} 3"]:
    """The coarsest vertices, for every sample."""
    vertices = jnp.asarray(template.vertices)[:, None]
    return jnp.broadcast_to(vertices, (len(vertices), batch_size, 3))


def stages(template: Template) -> Iterator[tuple[MeshTopology, MeshTopology]]:
    """For every stage the level that it starts from and the one it ends on.

    They are the same in the first stage, and in all stages without unpooling.
    """
    return itertools.pairwise((template.levels[0], *template.levels))


def stage_mesh(
    vertices: Float[Array, "V B 3"],
    rest: Float[Array, "V B 3"],
    topology: MeshTopology,
    colors: Float[Array, "V B 3"] | None = None,
) -> Mesh:
    """The mesh after a stage.

    Args:
      vertices: moved.
      rest: where they were before.
      topology: of both.
      colors: sRGB in [0, 1], if the network predicts them.
    """
    moved, before = jnp.moveaxis(vertices, 1, 0), jnp.moveaxis(rest, 1, 0)
    painted = None if colors is None else jnp.moveaxis(colors, 1, 0)
    return Mesh(moved, before, topology, painted)
