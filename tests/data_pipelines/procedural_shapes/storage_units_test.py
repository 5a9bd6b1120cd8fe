"""What stores things: every kind is made of closed parts and stands on the floor."""

import numpy as np
import pytest

from data_pipelines.procedural_shapes.families import storage_units

KINDS = (
    storage_units._appliance,
    storage_units._corner_unit,
    storage_units._rack,
    storage_units._shelves,
    storage_units._sink,
    storage_units._stack,
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_made_of_closed_parts_on_the_floor(kind):
    for seed in range(8):
        made = kind(np.random.default_rng(seed))
        assert all(part.is_watertight and part.volume > 0 for part in made)
        lowest = min(part.bounds[0, 1] for part in made)
        np.testing.assert_allclose(lowest, 0, atol=0.03)


@pytest.mark.parametrize("seed", range(12))
def test_a_corner_has_two_straight_sides_at_a_right_angle(seed):
    outlines = storage_units._corner_outline(np.random.default_rng(seed), 1.0)
    assert outlines.min() >= 0
    points = outlines.reshape(-1, 2)
    for corner in ((1, 1), (0, 1), (1, 0)):
        assert np.linalg.norm(points - corner, axis=1).min() < 1e-9


def test_things_stand_on_what_is_below_them():
    rng = np.random.default_rng(0)
    below = storage_units._appliance(rng)
    top = max(part.bounds[1, 1] for part in below)
    for thing in storage_units._things(rng, below):
        low, high = thing.bounds[:, 1]
        assert low < top < high
