import pytest

from pixel2mesh_jax.errors import InputError
from pixel2mesh_jax.io import units


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        *(("m", 1), ("mm", 1e-3), ("0.1mm", 1e-4), ("0.1 mm", 1e-4)),
        *(("tum", 1 / 5000), ("KITTI", 1 / 256), ("0.00025", 0.00025)),
    ],
)
def test_names_and_numbers(text, metres):
    assert units.parse(text) == metres


@pytest.mark.parametrize("text", ["furlong", "0", "-1", "nan", "inf", ""])
def test_other_words_are_refused_with_the_choices(text):
    with pytest.raises(InputError, match=r"valid: m, mm, 0.1mm, tum, kitti, inverse"):
        units.parse(text)


def test_words_of_a_file():
    assert units.of_words("millimetre along the optical axis, 0 = missing") == 1e-3
    assert units.of_words("Meters") == 1
    assert units.of_words("see the paper") is None


@pytest.mark.parametrize(
    ("scale", "metres"),
    [
        *((0.1, 1e-4), (1.0, 1e-3)),  # BOP: millimetres per value
        *((0.001, 1e-3), (0.00025, 0.00025)),  # RealSense: metres per value
        *((1000, 1e-3), (5000, 1 / 5000)),  # Open3D, TUM: values per metre
    ],
)
def test_depth_scale_has_three_meanings_that_never_overlap(scale, metres):
    assert units.of_depth_scale(float(scale), "camera.json") == pytest.approx(metres)


@pytest.mark.parametrize("scale", [0, -1, 30, 1e9, float("nan")])
def test_depth_scale_without_a_meaning(scale):
    with pytest.raises(
        InputError, match=r"camera\.json: depth_scale .* not understood"
    ):
        units.of_depth_scale(float(scale), "camera.json")


@pytest.mark.parametrize(
    ("distance", "size", "unit", "likely"),
    [
        (617.0, 91.0, 1.0, "--depth_unit mm (0.617 m away) or --depth_unit kitti"),
        (0.158, 0.024, 1e-3, "--depth_unit kitti (0.617 m away)"),
        (39.0, 5.8, 1e-3, "--depth_unit 0.1mm (3.9 m away) or --depth_unit tum"),
    ],
)
def test_an_implausible_object_names_the_likely_units(distance, size, unit, likely):
    assert likely in units.doubts(distance, size, unit)


def test_a_plausible_object_is_not_doubted():
    assert units.doubts(0.6, 0.1, 1e-3) is None


def test_lengths_have_a_unit_where_they_are_metres():
    metres = units.describe_size(0.5, 0.0024, is_metric=True)
    assert metres == "0.5 m large, 2.4 mm away"
    guess = units.describe_size(0.5, 0.81, is_metric=False)
    assert guess == "of unknown scale, 0.5 large, 0.81 away"
