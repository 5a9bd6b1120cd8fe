"""The objective of Pixel2Mesh with what a view knows: `configs/rgbd_plus.py`.

What is different from `losses/pixel2mesh.py`, each by a weight of its own: nearest
neighbours look the same way; points of the surface instead of vertices; nothing before
the measured surface and beside the outline; a schedule of the regularisers; normals of
neighbouring faces; the depth map of the mesh.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Key

from pixel2mesh_jax.geometry import rasterize, sight, surface
from pixel2mesh_jax.geometry.nearest import nearest_index
from pixel2mesh_jax.losses import depth, view_terms
from pixel2mesh_jax.losses import terms as losses
from pixel2mesh_jax.losses.stages import (
    EVERY_STAGE,
    Terms,
    batch_mean,
    stage_weight,
)
from pixel2mesh_jax.structures import Array, Batch, Mesh, Outputs

# Pixels of the object that look for a projected point.
NUM_PIXELS = 500
# Every so many rows and columns of the image are rendered.
STRIDE = 2
# Metres added under the root of a distance, for its gradient.
ROOT_AT = 1e-3

Pairs = Sequence[Int[np.ndarray, "_ 4"]]


class Pixel2MeshPlusWeights(NamedTuple):
    """Weights of the losses; with the defaults those of the released program.

    Every `_stages` is a factor per stage, as in `Pixel2MeshWeights`.

    Attributes:
      stages: factor of all terms of a stage.
      chamfer: both directions of the chamfer distance.
      chamfer_opposite: factor of the direction from the mesh to the true points.
      chamfer_stages: factor of `chamfer` per stage.
      chamfer_root: the mean distance instead of the mean square, times this many
        metres: it counts what is nearly right as well; 0: the mean square.
      orientation: metres that a normal of length 1 counts when nearest neighbours are
        looked for: the two sides of a thin part are apart; 0: positions alone.
      num_samples: points of the surface that stand for a mesh, from `sampled_from` on;
        0: its vertices.
      sampled_from: number of that stage, the first is 1.
      normal: 1 - cosine of the normals of nearest neighbours.
      normal_stages: factor of `normal` per stage.
      edge: squared edge length.
      edge_stages: factor of `edge` per stage.
      laplacian: change of the Laplacian coordinates.
      laplacian_stages: factor of `laplacian` per stage.
      smooth: 1 - cosine of the normals of faces that share an edge.
      smooth_stages: factor of `smooth` per stage.
      move: squared displacement, from the second stage on.
      move_stages: factor of `move` per stage.
      free_space: squared distance of vertices before the measured surface.
      silhouette: squared distance of vertices beside the outline.
      coverage: squared distance of the mask from the projected vertices.
      rendered: scale- and shift-invariant L1 of the inverse depth of the rendered mesh.
      rendered_metric: L1 of its depth, metres.
      rendered_from: number of the first stage that is rendered.
      color: vertex colours; 0 for a model without the colour head.
      graph_decay: L2 of the weights and biases of the graph convolutions.
      encoder_decay: L2 of the kernels of the image encoder.
      decay_all: `encoder_decay` also covers biases and batch normalisation.
    """

    stages: tuple[float, ...] = EVERY_STAGE
    chamfer: float = 3000.0
    chamfer_opposite: float = 0.55
    chamfer_stages: tuple[float, ...] = EVERY_STAGE
    chamfer_root: float = 0.0
    orientation: float = 0.0
    num_samples: int = 0
    sampled_from: int = 2
    normal: float = 0.5
    normal_stages: tuple[float, ...] = EVERY_STAGE
    edge: float = 300.0
    edge_stages: tuple[float, ...] = EVERY_STAGE
    laplacian: float = 1500.0
    laplacian_stages: tuple[float, ...] = (0.1, 1.0, 1.0)
    smooth: float = 0.0
    smooth_stages: tuple[float, ...] = EVERY_STAGE
    move: float = 100.0
    move_stages: tuple[float, ...] = EVERY_STAGE
    free_space: float = 0.0
    silhouette: float = 0.0
    coverage: float = 0.0
    rendered: float = 0.0
    rendered_metric: float = 0.0
    rendered_from: int = 3
    color: float = 0.0
    graph_decay: float = 5e-6
    encoder_decay: float = 0.3 * 1e-5
    decay_all: bool = False


class Points(NamedTuple):
    """What stands for a surface.

    Attributes:
      positions: metres, camera frame.
      normals: unit, outward.
      colors: sRGB in [0, 1], or None.
    """

    positions: Float[Array, "N 3"]
    normals: Float[Array, "N 3"]
    colors: Float[Array, "N 3"] | None = None


def pixel2mesh_plus(
    outputs: Outputs,
    batch: Batch,
    weights: Pixel2MeshPlusWeights,
    keys: Key[Array, " B"],
    *,
    pairs: Pairs,
) -> Terms:
    """Weighted terms, added up over the stages, means over the batch.

    Args:
      outputs: with the mesh of every stage.
      batch: the truth, with the view.
      weights: of the terms; a term of weight 0 is left out.
      keys: of what is drawn, one per example.
      pairs: `topology.face_pairs` of the mesh of every stage.
    """
    maps = jax.vmap(sight.view_maps)(batch.depth, batch.mask, batch.intrinsics)
    true = Points(batch.points, batch.normals, batch.colors)
    total = {}
    for stage, mesh in enumerate(outputs.meshes):
        terms = functools.partial(_stage_terms, stage, mesh, weights, pairs[stage])
        of_stage = jax.vmap(functools.partial(jax.random.fold_in, data=stage))(keys)
        view = maps, batch.depth, batch.mask, batch.intrinsics
        found = jax.vmap(terms)(
            of_stage, mesh.vertices, mesh.rest, mesh.colors, true, view
        )
        for name, per_sample in found.items():
            total[name] = total.get(name, 0.0) + batch_mean(per_sample, batch)
    return total


def _stage_terms(
    stage, mesh: Mesh, weights, pairs, key, vertices, rest, colors, true, view
):
    """Weighted terms of one stage of one example."""
    draw_key, pixel_key = jax.random.split(key)
    weight = functools.partial(stage_weight, weights, stage=stage)
    own = _stand_in(stage, draw_key, vertices, colors, mesh.topology.faces, weights)
    terms = {
        name: weight(name) * term
        for name, term in {
            **_point_terms(own, true, weights),
            **_regularisers(vertices, rest, mesh.topology, pairs, weights),
        }.items()
    }
    if stage == 0:
        terms.pop("move", None)
    if own.colors is not None:
        terms["color"] = weights.color * _color_term(own, true)
    of_view = _view_terms(pixel_key, vertices, view, weights)
    if stage + 1 >= weights.rendered_from:
        of_view |= _rendered_terms(vertices, mesh.topology.faces, view, weights)
    scale = weights.stages[min(stage, len(weights.stages) - 1)]
    for name, term in of_view.items():
        terms[name] = scale * getattr(weights, name) * term
    return terms


def _stand_in(stage, key, vertices, colors, faces, weights) -> Points:
    """Vertices, or points drawn from the surface."""
    if weights.num_samples == 0 or stage + 1 < weights.sampled_from:
        return Points(vertices, surface.vertex_normals(vertices, faces), colors)
    if colors is None:
        drawn = surface.sample_points(key, vertices, faces, weights.num_samples)
        return Points(*drawn)
    place = surface.sample_places(key, vertices, faces, weights.num_samples)
    return Points(
        surface.at_places(vertices, faces, place),
        surface.face_normals(vertices, faces)[place.face],
        surface.at_places(colors, faces, place),
    )


def _point_terms(own: Points, true: Points, weights):
    """Chamfer distance and angle between nearest neighbours."""
    to_true, to_own = nearest_oriented(own, true, weights.orientation)
    distance = functools.partial(_mean_distance, root=weights.chamfer_root)
    covered = distance(true.positions, own.positions, to_own)
    accurate = distance(own.positions, true.positions, to_true)
    found = {"chamfer": covered + weights.chamfer_opposite * accurate}
    if weights.normal:
        cosines = jnp.sum(own.normals * true.normals[to_true], axis=-1)
        found["normal"] = 1 - jnp.mean(cosines)
    return found


def nearest_oriented(
    own: Points, true: Points, orientation: float
) -> tuple[Int[Array, " N"], Int[Array, " M"]]:
    """Nearest true point of every own one and the reverse, in (p, orientation n).

    Args:
      own: points with normals.
      true: points with normals.
      orientation: metres; 0 looks at positions alone.
    """
    a, b = own.positions, true.positions
    if orientation:
        a = jnp.concatenate([a, orientation * own.normals], axis=-1)
        b = jnp.concatenate([b, orientation * true.normals], axis=-1)
    return nearest_index(a, b), nearest_index(b, a)


def _mean_distance(a, b, nearest, root):
    """Mean square, or the mean distance times `root` metres."""
    if not root:
        return losses.directed_chamfer(a, b, nearest)
    squares = jnp.sum((a - b[nearest]) ** 2, axis=-1)
    return root * jnp.mean(jnp.sqrt(squares + ROOT_AT**2) - ROOT_AT)


def _regularisers(vertices, rest, topology, pairs, weights):
    made: dict[str, Callable] = {
        "edge": lambda: losses.edge_length(vertices, topology),
        "laplacian": lambda: losses.laplacian(vertices, rest, topology),
        "smooth": lambda: losses.normal_consistency(vertices, pairs),
        "move": lambda: losses.move(vertices, rest),
    }
    return {name: make() for name, make in made.items() if getattr(weights, name)}


def _color_term(own: Points, true: Points):
    nearest = nearest_index(own.positions, true.positions)
    return losses.color(own.colors, true.colors[nearest])


def _rendered_terms(vertices, faces, view, weights):
    """Those of the depth map of a mesh."""
    kinds = {"rendered": depth.relative_error, "rendered_metric": depth.metric_error}
    wanted = {name: kind for name, kind in kinds.items() if getattr(weights, name)}
    if not wanted:
        return {}
    _, true, mask, intrinsics = view
    found = rasterize.render_depth(vertices, faces, intrinsics, true.shape, STRIDE)
    coarse = found.depth, true[::STRIDE, ::STRIDE], mask[::STRIDE, ::STRIDE]
    return {name: kind(*coarse) for name, kind in wanted.items()}


def _view_terms(key, vertices, view, weights):
    """Unweighted terms by look-up, of those that have a weight."""
    maps, _, mask, intrinsics = view
    seen = sight.look_up(vertices, maps, intrinsics)
    made: dict[str, Callable] = {
        "free_space": lambda: view_terms.free_space(seen),
        "silhouette": lambda: view_terms.silhouette(seen),
        "coverage": lambda: view_terms.mask_coverage(
            key, vertices, mask, intrinsics, NUM_PIXELS
        ),
    }
    return {name: make() for name, make in made.items() if getattr(weights, name)}
