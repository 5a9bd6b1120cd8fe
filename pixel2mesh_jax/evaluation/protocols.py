"""Evaluation protocols by name: what stands for a mesh, which scores, how printed.

The published codes measure different things under the same words. A protocol pins all
of it, so that numbers of one protocol can stand side by side. True shapes are the
points that a data set stores; all of them count.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import trimesh
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.evaluation import crossings, depth_agreement, hidden, metrics
from pixel2mesh_jax.evaluation.occupancy import Occupancy
from pixel2mesh_jax.geometry import surface

Scores = dict[str, float]
Vertices = Float[np.ndarray, "V 3"]
Faces = Int[np.ndarray, "F 3"]

# Drawn from every predicted surface with one seed: as many as Mesh R-CNN draws, and as
# many as Occupancy Networks.
NUM_SURFACE_SAMPLES = 10_000
NUM_OCCUPANCY_SAMPLES = 100_000
SAMPLE_SEED = 0
# Points of each side in the assignment of `emd`; the score's name says so too.
NUM_EMD_POINTS = 1024
EMD_SCORE = f"emd_{NUM_EMD_POINTS}"
# Largest squared distance (square metres) of a hit: "tau" and "2 tau" of the Pixel2Mesh
# paper, `eval_testset.py` of the released code; 1 cm and 1.41 cm.
P2M_THRESHOLDS = {"f_score_1e-4": 1e-4, "f_score_2e-4": 2e-4}
# Squared distance of a hit on the hidden surface: "tau" again.
HIDDEN_THRESHOLD = 1e-4
# facebookresearch/meshrcnn, `meshrcnn/utils/metrics.py`: the longest box edge of the
# true shape is enlarged to 10; distances below these are hits.
MESH_RCNN_BOX_EDGE = 10.0
MESH_RCNN_THRESHOLDS = {"f_score_0.1": 0.1, "f_score_0.3": 0.3, "f_score_0.5": 0.5}


class Prediction(NamedTuple):
    """What stands for a predicted mesh.

    Attributes:
      tree: the points that are compared.
      vertices: of the mesh.
      faces: of the mesh, counter-clockwise seen from outside.
      normals: unit normals at the points, if they are compared.
      colors: sRGB in [0, 1] of the vertices, or None.
    """

    tree: cKDTree
    vertices: Vertices
    faces: Faces
    normals: Float[np.ndarray, "N 3"] | None = None
    colors: Float[np.ndarray, "V 3"] | None = None


class Truth(NamedTuple):
    """What is known of a true shape; metres, camera frame.

    Attributes:
      tree: points on the surface.
      normals: normals there; the sign may be arbitrary.
      solid: what voxels say of its inside, or None.
      cells: what the volume around it says of its inside, or None.
      view: measured depth and intrinsics of the image, or None.
      colors: sRGB in [0, 1] of the points, or None.
    """

    tree: cKDTree
    normals: Float[np.ndarray, "P 3"]
    solid: Occupancy | None = None
    cells: Occupancy | None = None
    view: tuple[Float[np.ndarray, "H W"], Float[np.ndarray, "3 3"]] | None = None
    colors: Float[np.ndarray, "P 3"] | None = None


class Column(NamedTuple):
    """How a score is printed.

    Attributes:
      score: its name.
      heading: of the table column.
      factor: what is printed is the score times this; customary.
      decimals: how many.
      higher_is_better: else lower is.
    """

    score: str
    heading: str
    factor: float
    decimals: int
    higher_is_better: bool = False

    def text(self, scores: Mapping[str, float | int]) -> str:
        """The number, or a dash where the score is absent."""
        if self.score not in scores:
            return "–"
        return f"{scores[self.score] * self.factor:.{self.decimals}f}"


class Protocol(NamedTuple):
    """One way to compare a mesh with a true shape.

    Attributes:
      explanation: one sentence for the reader of a table.
      represent: mesh -> what stands for it.
      score: compares it with the truth.
      columns: in print; the first one is the headline.
      needs: score -> what the data has to offer for it, where that is not usual.
    """

    explanation: str
    represent: Callable[[Vertices, Faces], Prediction]
    score: Callable[[Prediction, Truth], Scores]
    columns: tuple[Column, ...]
    needs: Mapping[str, str] = {}


def parse(names: str | Sequence[str]) -> tuple[str, ...]:
    """Names of protocols, "pixel2mesh,mesh_rcnn"; each once, in this order.

    Raises:
      InputError: an unknown name, or none at all.
    """
    names = names.split(",") if isinstance(names, str) else names
    found = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    unknown = [name for name in found if name not in PROTOCOLS]
    if unknown or not found:
        what = f"Unknown protocol {unknown[0]!r}" if unknown else "No protocol given"
        raise InputError(f"{what}. Known protocols: {', '.join(PROTOCOLS)}.")
    return found


def truth(
    points: Float[np.ndarray, "P 3"],
    normals: Float[np.ndarray, "P 3"],
    **known,
) -> Truth:
    """A true shape of which points and normals are known, and perhaps more."""
    return Truth(cKDTree(np.asarray(points, np.float64)), normals, **known)


def box_scale(points: Float[np.ndarray, "P 3"]) -> float:
    """Factor that makes the longest edge of the bounding box `MESH_RCNN_BOX_EDGE`.

    Mesh R-CNN takes the box of the true vertices; a box of many surface points is
    smaller by about their spacing.
    """
    return MESH_RCNN_BOX_EDGE / float(np.ptp(points, axis=0).max())


def _vertices(vertices: Vertices, faces: Faces) -> Prediction:
    return Prediction(cKDTree(np.asarray(vertices, np.float64)), vertices, faces)


def _surface_samples(vertices: Vertices, faces: Faces, num_points: int) -> Prediction:
    rng = np.random.default_rng(SAMPLE_SEED)
    points, normals = surface.sample_points_on_host(vertices, faces, num_points, rng)
    return Prediction(cKDTree(points), vertices, faces, normals)


_10k = functools.partial(_surface_samples, num_points=NUM_SURFACE_SAMPLES)
_100k = functools.partial(_surface_samples, num_points=NUM_OCCUPANCY_SAMPLES)
_emd_points = functools.partial(_surface_samples, num_points=NUM_EMD_POINTS)


def _pixel2mesh(predicted: Prediction, true: Truth) -> Scores:
    matches = metrics.match(predicted.tree, true.tree)
    scores = {
        name: metrics.f_score(matches, threshold)
        for name, threshold in P2M_THRESHOLDS.items()
    }
    return {"chamfer": metrics.chamfer(matches), **scores}


def _mesh_rcnn(predicted: Prediction, true: Truth) -> Scores:
    matches = metrics.match(predicted.tree, true.tree)
    cosines = metrics.normal_cosines(matches, predicted.normals, true.normals)
    enlarged = matches.scaled(box_scale(true.tree.data))
    scores = {
        name: metrics.f_score_below(enlarged, threshold)
        for name, threshold in MESH_RCNN_THRESHOLDS.items()
    }
    return {
        "chamfer": metrics.chamfer(enlarged),
        "normal_consistency": metrics.normal_consistency(cosines),
        "absolute_normal_consistency": metrics.absolute_normal_consistency(cosines),
        **scores,
    }


def _occupancy(predicted: Prediction, true: Truth) -> Scores:
    matches = metrics.match(predicted.tree, true.tree)
    cosines = metrics.normal_cosines(matches, predicted.normals, true.normals)
    mean_distances = np.mean(matches.to_true), np.mean(matches.to_predicted)
    scores = {
        "chamfer_l1": float(sum(mean_distances)) / 2,
        "chamfer_l2": metrics.chamfer(matches) / 2,
        "normal_consistency": metrics.absolute_normal_consistency(cosines),
    }
    if true.solid is not None:
        scores["iou"] = true.solid.iou(predicted.vertices, predicted.faces)
    return scores


def _volume(predicted: Prediction, true: Truth) -> Scores:
    if true.cells is None:
        return {}
    return {"iou": true.cells.iou(predicted.vertices, predicted.faces)}


def _hidden(predicted: Prediction, true: Truth) -> Scores:
    scores = {
        "self_intersection": crossings.self_intersection(
            predicted.vertices, predicted.faces
        )
    }
    if true.view is None:
        return scores
    matches = metrics.match(predicted.tree, true.tree)
    of_predicted, of_true = (
        hidden.is_hidden(tree.data, *true.view) for tree in (predicted.tree, true.tree)
    )
    found = hidden.hidden_scores(matches, of_predicted, of_true, HIDDEN_THRESHOLD)
    named = {"hidden_recall": found.recall, "hidden_precision": found.precision}
    return scores | {name: value for name, value in named.items() if value == value}


def _closed(predicted: Prediction, true: Truth) -> Scores:
    del true
    mesh = trimesh.Trimesh(predicted.vertices, predicted.faces, process=False)
    return {"closed": float(mesh.is_watertight and mesh.is_winding_consistent)}


def _visible(predicted: Prediction, true: Truth) -> Scores:
    if true.view is None:
        return {}
    depth, intrinsics = true.view
    seen = (depth > 0).astype(np.float32)
    mesh = predicted.vertices, predicted.faces
    found = depth_agreement.compare(*mesh, depth, seen, intrinsics)
    scores = {"visible_iou": found.mask_iou}
    if found.depth_error is not None:
        scores["visible_error"] = found.depth_error
    return scores


def _colors(predicted: Prediction, true: Truth) -> Scores:
    """Of every true point and the nearest vertex; and of those that nobody sees."""
    if predicted.colors is None or true.colors is None:
        return {}
    nearest = predicted.tree.query(true.tree.data)[1]
    apart = np.abs(predicted.colors[nearest] - true.colors).mean(axis=1)
    scores = {"color_l1": float(apart.mean())}
    if true.view is not None:
        unseen = hidden.is_hidden(true.tree.data, *true.view)
        if unseen.any():
            scores["hidden_color_l1"] = float(apart[unseen].mean())
    return scores


def _emd(predicted: Prediction, true: Truth) -> Scores:
    points = true.tree.data
    few = len(points) < NUM_EMD_POINTS
    drawn = np.random.default_rng(SAMPLE_SEED).choice(
        len(points), NUM_EMD_POINTS, replace=few
    )
    distance = metrics.earth_movers_distance(predicted.tree.data, points[drawn])
    return {EMD_SCORE: distance}


_P2M_COLUMNS = (
    Column("chamfer", "chamfer ×10³", 1e3, 3),
    Column("f_score_1e-4", "F(10⁻⁴) %", 1e2, 2, higher_is_better=True),
    Column("f_score_2e-4", "F(2·10⁻⁴) %", 1e2, 2, higher_is_better=True),
)

PROTOCOLS: Mapping[str, Protocol] = {
    "pixel2mesh": Protocol(
        "Predicted vertices against true points, as the published programs measure; "
        "rewards vertices that are well spread. Metres, objects with a box diagonal of "
        "0.57 m.",
        _vertices,
        _pixel2mesh,
        _P2M_COLUMNS,
    ),
    "surface": Protocol(
        f"{NUM_SURFACE_SAMPLES:,} points of the predicted surface against the true "
        "points, as the Pixel2Mesh paper says; units as in pixel2mesh.",
        _10k,
        _pixel2mesh,
        _P2M_COLUMNS,
    ),
    "mesh_rcnn": Protocol(
        f"{NUM_SURFACE_SAMPLES:,} points of the predicted surface against the true "
        "points, enlarged so that the longest box edge of the true points is 10; "
        "distances below 0.1, 0.3, 0.5 are hits. The signed normal consistency means "
        "something only if the true normals point outward.",
        _10k,
        _mesh_rcnn,
        (
            Column("chamfer", "chamfer", 1.0, 4),
            Column("normal_consistency", "normals", 1.0, 3, higher_is_better=True),
            Column(
                "absolute_normal_consistency",
                "|normals|",
                1.0,
                3,
                higher_is_better=True,
            ),
            Column("f_score_0.1", "F(0.1) %", 1e2, 2, higher_is_better=True),
            Column("f_score_0.3", "F(0.3) %", 1e2, 2, higher_is_better=True),
            Column("f_score_0.5", "F(0.5) %", 1e2, 2, higher_is_better=True),
        ),
    ),
    "occupancy": Protocol(
        f"{NUM_OCCUPANCY_SAMPLES:,} points of the predicted surface against the true "
        "points: half the sum of the mean distances (L1, metres) and of the mean "
        "squared distances (L2), mean |cosine| of the normals; IoU of the volumes, in "
        "the centres of the true voxels.",
        _100k,
        _occupancy,
        (
            Column("chamfer_l1", "chamfer-L1 ×10²", 1e2, 3),
            Column("chamfer_l2", "chamfer-L2 ×10⁴", 1e4, 3),
            Column("normal_consistency", "|normals| %", 1e2, 2, higher_is_better=True),
            Column("iou", "IoU %", 1e2, 2, higher_is_better=True),
        ),
        {"iou": "voxels (build the data set with --voxels 48)"},
    ),
    "volume": Protocol(
        "IoU in the cells of the volume around the object, 64 x 64 rays by 64 layers "
        "unless the data set was built with others; parts that are thinner than a "
        "cell are one thick.",
        _vertices,
        _volume,
        (Column("iou", "IoU %", 1e2, 2, higher_is_better=True),),
        {"iou": "view volumes (build the data set with --volume 64)"},
    ),
    "hidden": Protocol(
        f"{NUM_SURFACE_SAMPLES:,} points of the predicted surface against the true "
        "points, of those alone that the image does not show: share of the true ones "
        "within 1 cm of the prediction, and the reverse. Share of the faces that cross "
        "another one.",
        _10k,
        _hidden,
        (
            Column("hidden_recall", "recall %", 1e2, 2, higher_is_better=True),
            Column("hidden_precision", "precision %", 1e2, 2, higher_is_better=True),
            Column("self_intersection", "crossing faces %", 1e2, 3),
        ),
        {"hidden_recall": "depth", "hidden_precision": "depth"},
    ),
    "closed": Protocol(
        "Share of the meshes that are watertight: every edge has two faces, and they "
        "agree on what is outside.",
        _vertices,
        _closed,
        (Column("closed", "closed %", 1e2, 1, higher_is_better=True),),
    ),
    "visible": Protocol(
        "Depth map of the predicted mesh against the measured one: median absolute "
        "difference over the pixels that both have, and overlap of the two outlines.",
        _vertices,
        _visible,
        (
            Column("visible_error", "visible mm", 1e3, 2),
            Column("visible_iou", "outline IoU %", 1e2, 2, higher_is_better=True),
        ),
        {"visible_error": "depth", "visible_iou": "depth"},
    ),
    "colors": Protocol(
        "Mean absolute difference of the colours (sRGB in [0, 1]) of the true points "
        "and of the nearest predicted vertices; and of the true points that the "
        "image does not show.",
        _vertices,
        _colors,
        (
            Column("color_l1", "colour L1", 1.0, 3),
            Column("hidden_color_l1", "hidden colour L1", 1.0, 3),
        ),
        {"color_l1": "colours", "hidden_color_l1": "colours and depth"},
    ),
    "emd": Protocol(
        f"Earth mover's distance of {NUM_EMD_POINTS} points of the predicted surface "
        f"and as many true points, exactly assigned: the mean distance. Not the number "
        "of the released code, which matches all vertices approximately.",
        _emd_points,
        _emd,
        (Column(EMD_SCORE, f"EMD({NUM_EMD_POINTS}) ×10²", 1e2, 3),),
    ),
}
