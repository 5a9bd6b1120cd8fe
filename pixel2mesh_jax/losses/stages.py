"""Loss terms of a cascade: weighed per stage, added up, averaged over the batch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Float, Int

from pixel2mesh_jax.geometry.nearest import nearest_index
from pixel2mesh_jax.losses import terms as losses
from pixel2mesh_jax.structures import Array, Batch, Outputs

Terms = dict[str, Float[Array, ""]]
EVERY_STAGE = (1.0, 1.0, 1.0)


class FourLossWeights(NamedTuple):
    """Weights of the losses that the paper and Pixel2Mesh2 have in common.

    The `_stages` are factors per stage, `stages` one of all terms of a stage; see
    `stage_weight`. What each loss is, and its published weight, its program says.

    Attributes:
      chamfer: both directions of the chamfer distance.
      edge: length of the edges.
      normal: between the surface and the true normals.
      laplacian: of the Laplacian coordinates.
      graph_decay: L2 of everything but the image encoder.
      encoder_decay: L2 of the kernels of the image encoder.
      decay_all: `encoder_decay` also covers biases and batch normalisation.
    """

    chamfer: float
    edge: float
    normal: float
    laplacian: float
    stages: tuple[float, ...] = EVERY_STAGE
    chamfer_stages: tuple[float, ...] = EVERY_STAGE
    edge_stages: tuple[float, ...] = EVERY_STAGE
    normal_stages: tuple[float, ...] = EVERY_STAGE
    laplacian_stages: tuple[float, ...] = EVERY_STAGE
    graph_decay: float = 0.0
    encoder_decay: float = 0.0
    decay_all: bool = False


def sum_over_stages(
    stage_terms: Callable, outputs: Outputs, batch: Batch, weights: Any
) -> Terms:
    """Terms of all stages, each a mean over the batch.

    Args:
      stage_terms: (stage, mesh, batch, weights) -> weighted terms by name, (B,) each.
      outputs: with the mesh of every stage.
      batch: the truth.
      weights: of a family of losses.
    """
    total = {}
    for stage, mesh in enumerate(outputs.meshes):
        for name, per_sample in stage_terms(stage, mesh, batch, weights).items():
            total[name] = total.get(name, 0.0) + batch_mean(per_sample, batch)
    return total


def batch_mean(per_sample: Float[Array, " B"], batch: Batch) -> Float[Array, ""]:
    """Mean of the rows that are not there to fill the batch."""
    return jnp.sum(per_sample * batch.weight) / jnp.sum(batch.weight)


def stage_weight(weights: Any, name: str, stage: int) -> float | int | Float[Array, ""]:
    """Weight of a term in a stage: `name` times `name_stages` times `stages`.

    A factor per stage that is shorter than the cascade repeats its last value.
    """
    factors, all_terms = getattr(weights, f"{name}_stages"), weights.stages
    own = getattr(weights, name) * factors[min(stage, len(factors) - 1)]
    return own * all_terms[min(stage, len(all_terms) - 1)]


def both_chamfer(
    vertices: Float[Array, "V 3"], points: Float[Array, "P 3"]
) -> tuple[Float[Array, ""], Float[Array, ""], Int[Array, " V"]]:
    """Mean squared distance from the points and to them; nearest point of a vertex."""
    to_point = nearest_index(vertices, points)
    to_vertex = nearest_index(points, vertices)
    covered = losses.directed_chamfer(points, vertices, to_vertex)
    accurate = losses.directed_chamfer(vertices, points, to_point)
    return covered, accurate, to_point
