"""Scores that others have published, to stand beside ours of the same protocol.

Only what was computed by one of the protocols of `protocols.py`, on the test split of
one data set, and can be read in a public file. Left out for one of these reasons:

* Pixel2Mesh paper, Table 2: its earth mover's distance is an approximate matching of
  another number of points, and the scores of its Table 1 are below those that the
  released weights reach.
* Depth-Aware Pixel2Mesh, Table 1: units of the chamfer distance and data are not said.
* Implicit systems (Occupancy Networks, DISN, IF-Net and what followed): shapes in
  another scale, on other renderings.
"""

from collections.abc import Mapping
from typing import NamedTuple

Scores = Mapping[str, float]

SPLIT = "test"  # and all of it


class Published(NamedTuple):
    """Scores of one system.

    Attributes:
      system: its name.
      source: where the numbers stand.
      scores: by category, and of "mean_over_categories" and "mean_over_samples".
    """

    system: str
    source: str
    scores: Mapping[str, Scores]


def beside(
    protocol: str, dataset: str, split: str, limit: int
) -> tuple[Published, ...]:
    """What was published for a protocol on these very samples; `limit` 0 is all."""
    if split != SPLIT or limit:
        return ()
    return PUBLISHED.get((protocol, dataset), ())


def datasets_of(protocol: str) -> tuple[str, ...]:
    """Data sets that have published scores by a protocol."""
    return tuple(dataset for name, dataset in PUBLISHED if name == protocol)


def _chamfer_and_f(row: tuple[float, ...]) -> Scores:
    """From the units of print: chamfer times 1000, F-scores in %."""
    chamfer, tau, two_tau = row
    return {
        "chamfer": chamfer / 1e3,
        "f_score_1e-4": tau / 1e2,
        "f_score_2e-4": two_tau / 1e2,
    }


def _means(over_categories: tuple[float, ...], over_samples: tuple[float, ...]):
    return {
        "mean_over_categories": _chamfer_and_f(over_categories),
        "mean_over_samples": _chamfer_and_f(over_samples),
    }


def _mesh_rcnn(row: tuple[float, ...]) -> Scores:
    chamfer, normals, *f_scores = row
    names = ("f_score_0.1", "f_score_0.3", "f_score_0.5")
    return {
        "chamfer": chamfer,
        "absolute_normal_consistency": normals,
        **{name: value / 1e2 for name, value in zip(names, f_scores, strict=True)},
    }


_NOAHCAO = "github.com/noahcao/Pixel2Mesh, README.md"
_MESH_RCNN = "github.com/facebookresearch/meshrcnn, INSTRUCTIONS_SHAPENET.md"

# Chamfer ×10³, F(1e-4) %, F(2e-4) %; `--eval-p2m`: 10,000 + 10,000 surface samples.
_MESH_RCNN_SURFACE = {
    "bench": (0.295252, 73.4681, 84.4999),
    "chair": (0.400415, 66.5227, 79.3634),
    "lamp": (0.788915, 60.1057, 71.7711),
    "speaker": (0.582152, 59.9974, 73.8792),
    "rifle": (0.357016, 75.9761, 85.5111),
    "table": (0.342991, 76.0776, 85.4878),
    "watercraft": (0.449061, 62.808, 76.5464),
    "airplane": (0.313141, 75.8104, 85.3897),
    "cabinet": (0.293613, 72.6302, 84.7327),
    "car": (0.240585, 71.8118, 85.5155),
    "display": (0.470965, 64.2917, 77.8422),
    "sofa": (0.355369, 64.1388, 79.327),
    "phone": (0.280397, 77.3011, 87.8698),
    "mean_over_categories": (0.397682, 69.303, 81.3643),
    "mean_over_samples": (0.368317, 70.4479, 82.3373),
}
# Chamfer, |normals|, F(0.1) %, F(0.3) %, F(0.5) %.
_MESH_RCNN_NORMALISED = {
    "bench": (0.120899, 0.657536, 42.4005, 86.0036, 95.128),
    "chair": (0.183693, 0.712362, 31.6906, 79.8275, 92.0139),
    "lamp": (0.413965, 0.672992, 30.5048, 70.3449, 84.5068),
    "speaker": (0.253796, 0.730829, 24.8335, 74.6606, 88.237),
    "rifle": (0.168323, 0.621439, 47.2251, 85.271, 93.8171),
    "table": (0.148357, 0.75642, 42.249, 86.2039, 94.1623),
    "watercraft": (0.224168, 0.642812, 30.0589, 75.5332, 89.9764),
    "airplane": (0.187465, 0.684285, 39.009, 80.998, 92.1069),
    "cabinet": (0.111294, 0.75122, 34.8227, 86.9346, 95.371),
    "car": (0.107605, 0.647857, 29.6397, 85.7925, 96.2938),
    "display": (0.218032, 0.779365, 27.2531, 77.2979, 90.904),
    "sofa": (0.144279, 0.72302, 27.5734, 81.684, 94.3294),
    "phone": (0.121504, 0.850437, 42.9168, 88.9888, 96.1367),
    "mean_over_categories": (0.184875, 0.710044, 34.629, 81.5031, 92.5372),
    "mean_over_samples": (0.171189, 0.70275, 34.9372, 82.4107, 93.1323),
}

# (protocol, data set) -> systems.
PUBLISHED: Mapping[tuple[str, str], tuple[Published, ...]] = {
    ("pixel2mesh", "p2m_shapenet"): (
        Published(
            "Pixel2Mesh, released weights",
            _NOAHCAO,
            _means((0.482, 65.22, 78.80), (0.439, 66.56, 80.17)),
        ),
        Published(
            "Pixel2Mesh, the same weights in PyTorch",
            _NOAHCAO,
            _means((0.498, 64.21, 78.03), (0.451, 65.67, 79.51)),
        ),
        Published(
            "Pixel2Mesh, ResNet-50",
            _NOAHCAO,
            _means((0.443, 65.36, 79.24), (0.411, 66.13, 80.13)),
        ),
    ),
    ("surface", "shapenet_r2n2"): (
        Published(
            "Mesh R-CNN, light pretty",
            _MESH_RCNN,
            {name: _chamfer_and_f(row) for name, row in _MESH_RCNN_SURFACE.items()},
        ),
    ),
    ("mesh_rcnn", "shapenet_r2n2"): (
        Published(
            "Mesh R-CNN, light pretty",
            _MESH_RCNN,
            {name: _mesh_rcnn(row) for name, row in _MESH_RCNN_NORMALISED.items()},
        ),
    ),
}
