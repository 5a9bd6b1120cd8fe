"""The table of the choices behind the distances."""

import numpy as np

from benchmarks import extraction
from pixel2mesh_jax.evaluation import protocols
from pixel2mesh_jax.geometry import camera
from pixel2mesh_jax.structures import VolumeOutputs
from tests.views_of_solids import SOLIDS, parts_of, see


def test_every_choice_has_a_row_and_a_level_makes_it_smaller():
    seen = see(SOLIDS["sphere"])
    volume, distances, measured, depth, cosine = parts_of(seen)
    nothing = VolumeOutputs(**dict.fromkeys(VolumeOutputs._fields))
    found = nothing._replace(
        distances=distances, measured=measured, depth=depth, cosine=cosine
    )
    points = camera.unproject(seen.depth, seen.intrinsics)[seen.depth > 0]
    truth = protocols.truth(points, np.zeros_like(points))
    view = extraction.View(found, volume, truth)
    ways = extraction.choices(0.1, 3)
    small, large = (
        np.ptp(
            extraction.mesh(view, level, 0, extraction.network_alone).vertices, axis=0
        )
        for level in (-0.5, 0.5)
    )
    assert (small < large).all()
    text = extraction.table(iter([view]), ways)
    assert all(f"| {name} | " in text for name in ways)
    assert "| 1 views |" in text
