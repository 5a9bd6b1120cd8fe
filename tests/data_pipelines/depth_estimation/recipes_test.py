"""Preprocessing of published networks, against restatements of what is published."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from data_pipelines.depth_estimation import recipes
from data_pipelines.depth_estimation.recipes import PUBLISHED, RECIPES

# (height, width) of an image -> what midas/transforms.py `Resize` answers; computed by
# hand from its rules.
SIZES = [
    ("midas_v21_small", (137, 137), (256, 256)),
    ("midas_v21_small", (480, 640), (256, 256)),  # ignores the aspect ratio
    ("midas_v21", (480, 640), (384, 384)),
    ("midas_small_hub", (480, 640), (192, 256)),  # inside the square
    ("midas_small_hub", (300, 640), (128, 256)),  # 120 -> 128, the nearest multiple
    ("midas_hub", (480, 640), (288, 384)),
    ("dpt", (137, 137), (384, 384)),
    ("dpt", (480, 640), (384, 512)),  # 384/480 is nearer to 1 than 384/640
    ("dpt", (200, 300), (256, 384)),  # 384/300 is nearer to 1 than 384/200
    ("depth_anything", (137, 137), (518, 518)),
    ("depth_anything", (480, 640), (518, 686)),  # around the square: 690.7 -> 686
    ("depth_anything", (1080, 1920), (518, 924)),  # 920.9 -> 924
]
MEAN = {"midas": (0, 0, 0), "imagenet": (0.485, 0.456, 0.406), "half": (0.5,) * 3}
STD = {"midas": (1, 1, 1), "imagenet": (0.229, 0.224, 0.225), "half": (0.5,) * 3}
COLORS = {
    "midas_v21_small": "midas",
    "midas_v21": "midas",
    "midas_small_hub": "imagenet",
    "midas_hub": "imagenet",
    "dpt": "half",
    "depth_anything": "imagenet",
}


def cubic_loop(image, size):
    """OpenCV's INTER_CUBIC, pixel by pixel: sixteen taps, a = -0.75."""

    def weight(x):
        x = abs(x)
        if x <= 1:
            return 1.25 * x**3 - 2.25 * x**2 + 1
        return -0.75 * x**3 + 3.75 * x**2 - 6 * x + 3 if x < 2 else 0.0

    rows, columns = image.shape
    result = np.zeros(size)
    for i, j in np.ndindex(*size):
        y, x = (i + 0.5) * rows / size[0] - 0.5, (j + 0.5) * columns / size[1] - 0.5
        for v in range(int(np.floor(y)) - 1, int(np.floor(y)) + 3):
            for u in range(int(np.floor(x)) - 1, int(np.floor(x)) + 3):
                value = image[min(max(v, 0), rows - 1), min(max(u, 0), columns - 1)]
                result[i, j] += value * weight(y - v) * weight(x - u)
    return result


@pytest.mark.parametrize(("recipe", "shape", "expected"), SIZES)
def test_size_at_which_a_network_sees_a_image(recipe, shape, expected):
    assert recipes.network_size(shape, RECIPES[recipe]) == expected


@pytest.mark.parametrize("recipe", RECIPES)
def test_sizes_are_multiples_of_the_stride(recipe):
    for shape in np.random.default_rng(0).integers(9, 3000, (200, 2)).tolist():
        size = recipes.network_size(tuple(shape), RECIPES[recipe])
        assert min(size) > 0
        assert all(side % RECIPES[recipe].multiple == 0 for side in size)
        if RECIPES[recipe].fit == "lower_bound":
            assert min(size) >= RECIPES[recipe].size
        if RECIPES[recipe].fit == "upper_bound":
            assert max(size) <= RECIPES[recipe].size


def test_a_graph_of_fixed_size_goes_before_the_recipe():
    size = recipes.network_size((480, 640), RECIPES["dpt"], (384, 384))
    assert size == (384, 384)
    size = recipes.network_size((480, 640), RECIPES["dpt"], (None, 256))
    assert size == (384, 256)


@pytest.mark.parametrize("recipe", RECIPES)
def test_prepared_image(recipe):
    rgb = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    prepared = recipes.prepare(rgb, RECIPES[recipe], (20, 16))
    kind = COLORS[recipe]
    for channel in range(3):
        resized = cubic_loop(rgb[..., channel] / 255, (20, 16))
        expected = (resized - MEAN[kind][channel]) / STD[kind][channel]
        assert_allclose(prepared[..., channel], expected, atol=1e-5)
    assert prepared.dtype == np.float32


@pytest.mark.parametrize("size", [(31, 20), (4, 5), (9, 7)])
def test_cubic_interpolation_up_and_down(size):
    image = np.random.default_rng(1).random((9, 7), np.float32)
    resized = recipes.resize(image, size, "cubic")
    assert_allclose(resized, cubic_loop(image, size), atol=1e-6)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("cubic", {"mode": "bicubic", "align_corners": False}),
        ("linear_corners", {"mode": "bilinear", "align_corners": True}),
    ],
)
@pytest.mark.parametrize("size", [(31, 20), (4, 5), (1, 1)])
def test_interpolation_equals_that_of_torch(method, options, size):
    torch = pytest.importorskip("torch")
    image = np.random.default_rng(2).random((9, 7), np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(image)[None, None], size, **options
    )
    assert_allclose(recipes.resize(image, size, method), expected[0, 0], atol=2e-6)


@pytest.mark.parametrize("method", ["cubic", "linear_corners"])
def test_interpolation_keeps_constants_and_images_of_the_same_size(method):
    flat = np.full((5, 6, 3), 0.3, np.float32)
    assert_allclose(recipes.resize(flat, (11, 4), method), 0.3, atol=1e-6)
    image = np.random.default_rng(3).random((5, 6), np.float32)
    assert_allclose(recipes.resize(image, (5, 6), method), image, atol=1e-6)


def test_every_recipe_can_be_named():
    assert RECIPES.keys() == PUBLISHED.keys()
