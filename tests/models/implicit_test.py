"""Layers and network of the implicit model."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pixel2mesh_jax.geometry import interpolate, pooling
from pixel2mesh_jax.models import encoders, implicit, implicit_decoders
from pixel2mesh_jax.models.implicit_layers import (
    SAVED,
    FourierFeatures,
    NormedConv3D,
    NormedDense,
)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_fourier_features_are_sines_and_cosines_of_a_saved_matrix(getkey):
    layer, positions = FourierFeatures(5, 0.8), noise(2, 7, 3)
    variables = layer.init(getkey(), positions)
    assert "params" not in variables
    matrix = np.asarray(variables[SAVED]["matrix"], np.float64)
    angles = 2 * np.pi * positions.astype(np.float64) @ matrix
    expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    np.testing.assert_allclose(layer.apply(variables, positions), expected, atol=1e-5)
    wide = FourierFeatures(4000, 0.8).init(getkey(), positions)[SAVED]["matrix"]
    np.testing.assert_allclose(np.std(wide), 0.8, rtol=0.02)


def test_without_fourier_features_coordinates_stay_as_they_are(getkey):
    layer, positions = FourierFeatures(0), noise(2, 7, 3)
    variables = layer.init(getkey(), positions)
    assert not variables
    np.testing.assert_array_equal(layer.apply(variables, positions), positions)


def test_a_normalised_layer_starts_as_it_is_and_keeps_its_lengths(getkey):
    layer, x = NormedDense(4), noise(6, 3)
    params = layer.init(getkey(), x)["params"]
    np.testing.assert_allclose(
        layer.apply({"params": params}, x), x @ params["kernel"], atol=1e-5
    )
    longer = {**params, "kernel": 3 * params["kernel"]}
    np.testing.assert_allclose(
        layer.apply({"params": longer}, x),
        layer.apply({"params": params}, x),
        atol=1e-5,
    )
    doubled = {**params, "scale": 2 * params["scale"]}
    np.testing.assert_allclose(
        layer.apply({"params": doubled}, x),
        2 * layer.apply({"params": params}, x),
        atol=1e-5,
    )


def test_the_convolution_is_that_of_three_dimensions(getkey):
    layer, grid = NormedConv3D(5), noise(2, 4, 3, 6, 2)
    params = layer.init(getkey(), grid)["params"]
    params["bias"] = noise(5)
    expected = jax.lax.conv_general_dilated(
        grid,
        params["kernel"],
        (1, 1, 1),
        "SAME",
        dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
    )
    found = layer.apply({"params": params}, grid)
    np.testing.assert_allclose(np.asarray(found) - params["bias"], expected, atol=1e-4)


def test_reducing_and_sampling_may_change_places(getkey):
    """Also beyond the borders, where published features are 0 before the reduction."""
    tap, uv = noise(1, 3, 4, 6), 20 * noise(1, 50, 2) + 8
    dense = nn.Dense(2, bias_init=nn.initializers.normal())
    variables = dense.init(getkey(), tap)
    at = pooling.align_corners_zeros(uv[0], (12, 16), (3, 4))
    expected = nn.relu(dense.apply(variables, interpolate.sample(tap[0], at)))
    reduced = dense.apply(variables, jnp.pad(tap, ((0, 0), (1, 1), (1, 1), (0, 0))))
    image = jnp.zeros((1, 14, 18, 3))
    _, found = implicit.features_of_maps((image, reduced), jnp.asarray(uv))
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_colours_are_those_of_the_pixels():
    image = noise(1, 5, 6, 3)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    uv = np.float32([[[0, 0], [5, 4], [2, 3], [-3, 2]]])
    (found,) = implicit.features_of_maps((padded,), uv)
    expected = [image[0, 0, 0], image[0, 4, 5], image[0, 3, 2], np.zeros(3)]
    np.testing.assert_allclose(found[0], expected)


def test_statistics_of_the_grid_in_training_and_after(getkey):
    """The scale of a normalisation in training is that of the batch."""
    code, grid = implicit.GridCode((4,) * 3, (2,) * 3), np.abs(noise(3, 8, 8, 8, 1))
    variables = code.init(getkey(), grid, False)

    @functools.partial(jax.jit, static_argnums=2)
    def run(variables, grid, train):
        named = lambda module, _: (module.name or "").startswith("conv1b")  # noqa: E731
        return code.apply(
            variables,
            grid,
            train,
            mutable=["batch_stats", "intermediates"],
            capture_intermediates=named,
        )

    trained, updated = run(variables, grid, True)
    hidden = nn.relu(updated["intermediates"]["conv1b"]["__call__"][0])
    mean, var = hidden.mean(axis=(0, 1, 2, 3)), hidden.var(axis=(0, 1, 2, 3))
    new = updated["batch_stats"]["norm1"]
    np.testing.assert_allclose(new["mean"], 0.1 * mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(new["var"], 0.9 + 0.1 * var, rtol=1e-4)
    settled = {**variables, "batch_stats": {**variables["batch_stats"]}}
    settled["batch_stats"]["norm1"] = {"mean": mean, "var": var}
    used, same = run(settled, grid, False)
    np.testing.assert_allclose(used[1], trained[1], atol=1e-4)
    np.testing.assert_array_equal(same["batch_stats"]["norm1"]["mean"], mean)


def test_taps_of_the_encoder_are_normalised_and_passed_on(getkey):
    encoder = encoders.ResNet18(width=0.05, normed_taps=True)
    image = noise(2, 32, 32, 3)
    variables = encoder.init(getkey(), image, False)
    names = [name for name in variables["params"] if name.startswith("norm_tap")]
    assert sorted(names) == [f"norm_tap{number}" for number in range(1, 5)]
    taps, _ = jax.jit(lambda v, x: encoder.apply(v, x, True, mutable=["batch_stats"]))(
        variables, image
    )
    assert [tap.shape[1] for tap in taps] == [8, 8, 4, 2, 1]
    for tap in taps[:4]:
        np.testing.assert_allclose(tap.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    zeroed = jax.tree.map(jnp.copy, variables)
    zeroed["params"]["norm_tap1"]["scale"] *= 0
    assert not np.allclose(encoder.apply(zeroed, image, False)[-1], taps[-1])


@pytest.mark.parametrize(
    ("decoder", "low", "high", "layers"),
    [
        (implicit_decoders.Decoder, -1, 1, 7),
        (implicit_decoders.HeadDecoder, -0.5, 1.5, 9),
    ],
)
def test_decoders(decoder, low, high, layers, getkey):
    features = 30 * noise(2, 50, 6)
    module = decoder(hidden=8)
    variables = module.init(getkey(), features)
    assert len(variables["params"]) == layers
    distances, colors = module.apply(variables, features)
    assert distances.shape == (2, 50)
    assert colors.shape == (2, 50, 3)
    assert low <= distances.min() < distances.max() <= high
    middle = module.layers[0] + 1
    assert variables["params"][f"layer{middle}"]["kernel"].shape == (14, 8)
    plain = decoder(hidden=8, has_colors=False)
    params = plain.init(getkey(), features)["params"]
    assert not [name for name in params if "color" in name]
    assert plain.apply({"params": params}, features)[1] is None
