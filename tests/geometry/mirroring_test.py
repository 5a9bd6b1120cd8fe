"""Fields completed by planes of symmetry: hidden cells change, known ones never."""

import numpy as np
import pytest

from pixel2mesh_jax.geometry import frustum, isosurface, mirroring, symmetry
from tests.views_of_solids import SOLIDS, R, parts_of, see


class Known:
    """A solid, what one view tells of it, and its own planes of symmetry."""

    def __init__(self, name):
        self.distance = SOLIDS[name]
        parts = parts_of(see(self.distance))
        self.volume, true, self.measured, self.depth, self.cosine = parts
        limit = frustum.TRUNCATION
        self.true = np.clip(true, -limit, limit)
        self.mirrors = symmetry.find_mirrors(
            self.true, self.measured, self.depth, self.volume, 3
        )

    def complete(self, network, mirrors=None):
        """The stamped field of a network before and after."""
        seen = self.measured, self.depth, self.cosine, self.volume
        field = isosurface.carve_and_stamp(network, *seen)
        mirrors = self.mirrors if mirrors is None else mirrors
        return field, mirroring.complete(field, *seen, mirrors)

    def wrong_cells(self, field):
        """Share of the cells away from the surface on whose side it errs."""
        clear = np.abs(self.true) > 1
        return np.mean((field < 0)[clear] != (self.true < 0)[clear])


@pytest.fixture(scope="module")
def box():
    return Known("box")


def test_a_network_that_takes_all_hidden_for_solid_is_corrected(box):
    before, after = box.complete(np.full_like(box.true, -3.0))
    assert box.wrong_cells(before) > 0.1
    assert box.wrong_cells(after) < 0.02


def test_a_perfect_network_is_left_as_good_as_it_was(box):
    before, after = box.complete(box.true)
    assert box.wrong_cells(after) <= box.wrong_cells(before) + 1e-3
    near = np.abs(box.true) < 1
    assert np.abs(after - before)[near].mean() < 0.3


def test_what_the_view_knows_stays(box):
    network = np.random.default_rng(0).normal(size=box.true.shape)
    before, after = box.complete(network)
    known = mirroring.known(box.measured, box.depth, box.cosine, box.volume) == 1
    assert 0.3 < known.mean() < 0.95
    np.testing.assert_allclose(after[known], before[known], atol=1e-6)
    assert (after != before).any()


def test_without_planes_nothing_changes(box):
    before, after = box.complete(box.true, mirrors=[])
    assert after is before


def test_a_plane_that_sees_nothing_new_changes_little(box):
    """The plane between the camera and the object: its mirror image is elsewhere."""
    away = symmetry.Mirror(np.array([0.0, 0.0, 1.0]), -0.3, 0.0)
    _, after = box.complete(box.true, [away])
    inside = (box.true < 0).mean()
    assert abs((after < 0).mean() - inside) < 0.02 * inside + 0.02


def test_free_space_is_known_and_the_depth_of_the_object_is_not(box):
    known = mirroring.known(box.measured, box.depth, box.cosine, box.volume)
    middle = R // 2
    ray = known[middle, middle]
    behind = isosurface.cells_behind(box.depth, box.volume, R)[middle, middle]
    assert (ray[behind < 0] == 1).all()
    assert (ray[behind > 5] == 0).all()
